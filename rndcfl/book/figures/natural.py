"""Figures of natural clients: how far apart they are, what is separated, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import norm

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, outline_groups, panels, styled

MIXED = "black"


@styled
def distances(table: pd.DataFrame, columns: int = 2) -> Figure:
    """Heat maps of the distances between clients by name, a panel per dataset; groups outlined.

    Columns dataset, i, j, name_i, group_i (-1 where unknown), distance.
    """
    names = list(table["dataset"].unique())
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(TEXT, 3.0 * lines))
    axes = figure.subplots(lines, columns, squeeze=False)
    for ax, name in zip(axes.flat, names, strict=False):
        rows = table[table["dataset"] == name]
        clients = rows.drop_duplicates("i").sort_values(["group_i", "i"])
        order = clients["i"].to_numpy()
        grid = rows.pivot(index="i", columns="j", values="distance").loc[order, order]
        sns.heatmap(
            grid,
            ax=ax,
            cmap="rocket_r",
            square=True,
            vmin=0,
            vmax=2,
            linewidths=0.3,
            xticklabels=False,
            yticklabels=clients["name_i"].to_list(),
            cbar_kws={"shrink": 0.8, "extend": "max", "label": "distance"},
        )
        outline_groups(ax, clients["group_i"].to_numpy())
        ax.tick_params(length=0, labelsize=6)
        ax.set(title=name, xlabel="the same clients", ylabel="")
    for ax in axes.flat[len(names) :]:
        ax.axis("off")
    return figure


@styled
def resolution(table: pd.DataFrame, chosen: Sequence[float]) -> Figure:
    """Agreement with the natural groups, and federations, against the smallest effect that counts.

    Columns dataset, min_effect, seed, ari (empty where there are no groups), federations. Lines are
    means over seeds, bands reach from the lowest seed to the highest; the values `chosen` are
    marked.
    """
    figure, axes = panels(2, TEXT, 2.7)
    for k, (name, rows) in enumerate(table.groupby("dataset", sort=False)):
        for ax, column in zip(axes, ("ari", "federations"), strict=True):
            grid = rows.pivot(index="min_effect", columns="seed", values=column)
            if grid.isna().all(axis=None):
                continue
            ax.plot(
                grid.index,
                grid.mean(axis=1),
                color=COLOURS[k],
                marker=MARKERS[k],
                label=name,
                linestyle=LINES[k % len(LINES)],
            )
            low, high = grid.min(axis=1), grid.max(axis=1)
            ax.fill_between(grid.index, low, high, color=COLOURS[k], alpha=0.15, lw=0)
    for ax, label in zip(axes, ("adjusted Rand index", "federations"), strict=True):
        for value in chosen:
            ax.axvline(value, color="black", linewidth=0.6, linestyle=":")
        ax.set(xlabel="smallest distance that counts (min_effect)", ylabel=label)
    axes[0].set_ylim(-0.05, 1.05)
    axes[1].set_ylim(0.5, None)
    axes[1].yaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


@styled
def worth(table: pd.DataFrame) -> Figure:
    """Gain of rnd over each other method with its 95 % interval, a panel per dataset.

    Columns dataset, method, gain_mean, gain_ci95 (accuracy, 0 to 1).
    """
    names, methods = list(table["dataset"].unique()), list(table["method"].unique())
    figure, axes = panels(len(names), TEXT, 0.22 * len(methods) + 1.0, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        rows = table[table["dataset"] == name]
        where = [methods.index(method) for method in rows["method"]]
        half = np.nan_to_num(rows["gain_ci95"])
        ax.errorbar(
            100 * rows["gain_mean"],
            where,
            xerr=100 * half,
            fmt="o",
            color=COLOURS[0],
            capsize=2,
            elinewidth=0.8,
        )
        ax.axvline(0, color="black", linewidth=0.6)
        ax.set(title=name, xlabel="gain of rnd, points", yticks=range(len(methods)))
        ax.set_yticklabels([f"over {method}" for method in methods])
        ax.set_ylim(len(methods) - 0.5, -0.5)
    return figure


@styled
def federation_tree(table: pd.DataFrame, chosen: Mapping[str, float], columns: int = 2) -> Figure:
    """Which clients share a federation, by the smallest distance that counts; a panel per case.

    Columns panel, client, name, group (-1 where unknown), min_effect, federation. A line is a
    federation, as thick as it is large, in the colour of its clients' group, black where it has
    several; `chosen` marks a value in some panels. Above: how often a guess whose sample one is
    looking at is right, at that distance.
    """
    names = list(table["panel"].unique())
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(TEXT, 2.9 * lines))
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True)
    for ax, name in zip(axes.flat, names, strict=False):
        _tree(ax, table[table["panel"] == name])
        if name in chosen:
            ax.axvline(chosen[name], color=MIXED, linewidth=0.8, linestyle=":")
        ax.set(title=name, xlabel="smallest distance that counts (min_effect)", ylabel="clients")
        ax.tick_params("x", labelbottom=True)
        above = ax.secondary_xaxis("top", functions=(_right_guesses, _effect_of_guesses))
        above.set_xlabel("whose sample is it? right guesses of 100", fontsize=6)
        above.set_xticks([50, 60, 70, 80, 90], labels=["50", "60", "70", "80", "90"], fontsize=6)
    for ax in axes.flat[len(names) :]:
        ax.axis("off")
    return figure


def _right_guesses(effect: np.ndarray) -> np.ndarray:
    return 100 * norm.cdf(np.asarray(effect) / 2)


def _effect_of_guesses(right: np.ndarray) -> np.ndarray:
    return 2 * norm.ppf(np.clip(np.asarray(right) / 100, 1e-6, 1 - 1e-6))


def _tree(ax: Axes, rows: pd.DataFrame) -> None:
    """The lines of one panel: left of zero everybody alone, then what is found at each effect."""
    grid = rows.pivot(index="client", columns="min_effect", values="federation")
    clients = rows.drop_duplicates("client").set_index("client").loc[grid.index]
    labels, groups = grid.to_numpy(), clients["group"].to_numpy()
    place = np.empty(len(labels))
    place[_merge_order(labels)] = np.arange(len(labels))
    effects = grid.columns.to_numpy(dtype=float)
    start = effects[0] - (effects[-1] - effects[0]) / 25
    for members, since, until, becomes in branches(labels, [start, *effects]):
        y, colour = place[members].mean(), _colour(groups[members])
        width = 0.8 + 0.3 * len(members)
        ax.plot([since, until], [y, y], color=colour, lw=width, solid_capstyle="butt")
        for others in becomes:
            ax.plot([until, until], [y, place[others].mean()], color=colour, lw=0.7)
    ax.set(xlim=(start, effects[-1]), ylim=(len(labels) - 0.5, -0.5))
    ax.set_yticks(place, clients["name"].to_list(), fontsize=6)


def branches(
    labels: np.ndarray, edges: Sequence[float]
) -> Iterator[tuple[list[int], float, float, list[list[int]]]]:
    """Federations of labels [N, k] as long as they last, from `edges` [k + 1], where all are alone.

    Yields
    ------
    tuple
        Members, where it begins, where it ends, and the federations that its members go to.
    """
    lasting: dict[tuple[int, ...], float] = {(i,): edges[0] for i in range(len(labels))}
    for at, column in zip(edges[1:], labels.T, strict=True):
        now = [tuple(np.flatnonzero(column == f).tolist()) for f in np.unique(column)]
        for own in [members for members in lasting if members not in now]:
            becomes = [list(new) for new in now if not set(own).isdisjoint(new)]
            yield list(own), lasting.pop(own), at, becomes
        for new in now:
            lasting.setdefault(new, at)
    for own, since in lasting.items():
        yield list(own), since, edges[-1], []


def _colour(groups: np.ndarray) -> str:
    kinds = np.unique(groups)
    return COLOURS[kinds[0]] if len(kinds) == 1 and kinds[0] >= 0 else MIXED


def _merge_order(labels: np.ndarray) -> np.ndarray:
    """Clients, in an order in which those that stay apart longest are far apart."""
    if len(labels) < 3:
        return np.arange(len(labels))
    apart = (labels[:, None] != labels).sum(2).astype(float)
    return leaves_list(linkage(squareform(apart), "average", optimal_ordering=True))
