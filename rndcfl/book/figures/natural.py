"""Figures of natural clients: how far apart they are, what is separated, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, outline_groups, panels, styled


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
        clients = rows.drop_duplicates("i").sort_values(["group_i", "name_i"], kind="stable")
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
