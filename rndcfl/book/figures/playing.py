"""Figures that are made to be moved: how skewed, how tolerant, how often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rndcfl.book.figures.style import COLOURS, MARKERS, TEXT, outline_groups, styled


@styled
def skew(pairs: pd.DataFrame, pictures: Sequence[np.ndarray], largest: float) -> Figure:
    """Pictures of each group beside the log excess among clients; dots are what was found.

    Parameters
    ----------
    pairs : columns i, j, group_i, excess, federation_i, of all pairs of clients.
    pictures : images [n, C, H, W] in [0, 1] of a client of each group, equally many of each.
    largest : excess at the dark end of the scale, the same for every strength.
    """
    figure = Figure(figsize=(TEXT, 3.0))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    rows = [np.concatenate(list(images.transpose(0, 2, 3, 1)), axis=1) for images in pictures]
    left.imshow(np.concatenate(rows).squeeze(), cmap="gray", vmin=0, vmax=1)
    height = len(rows[0])
    left.set_yticks((np.arange(len(rows)) + 0.5) * height, [f"group {g}" for g in range(len(rows))])
    left.set(title="what the groups look like", xlabel="pictures of one client each", xticks=[])
    left.tick_params(length=0)
    left.spines[:].set_visible(False)

    clients = pairs.drop_duplicates("i").sort_values(["group_i", "i"], kind="stable")
    order = clients["i"].to_numpy()
    excess = pairs.pivot(index="i", columns="j", values="excess").loc[order, order]
    sns.heatmap(
        excess,
        ax=right,
        cmap="rocket_r",
        square=True,
        linewidths=0.3,
        vmin=0,
        vmax=largest,
        cbar_kws={"shrink": 0.8, "extend": "max", "label": "log excess"},
    )
    outline_groups(right, clients["group_i"].to_numpy())
    _dots(right, clients["federation_i"].to_numpy())
    right.set(title="what predictors see", xlabel="client $j$", ylabel="client $i$")
    return figure


@styled
def compatibility(
    dissimilarity: np.ndarray, tolerance: float, labels: np.ndarray, groups: np.ndarray
) -> Figure:
    """Which clients are compatible at a tolerance, and the federations that result.

    Left: clients on a circle; the marker is the true group, the colour the federation, a line joins
    compatible clients, dashed where their true groups differ. Right: from which tolerance on each
    pair is compatible; dots share a federation.

    Parameters
    ----------
    dissimilarity : symmetric [N, N]; pairs up to `tolerance` are compatible.
    labels, groups : federations found and true groups, int64 [N].
    """
    order = np.argsort(groups, kind="stable")
    values = dissimilarity[np.ix_(order, order)]
    labels, groups = labels[order], groups[order]
    figure = Figure(figsize=(TEXT, 3.0))
    circle, matrix = figure.subplots(1, 2, width_ratios=(1, 1.25))
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(order)) / len(order)
    x, y = np.cos(angle), np.sin(angle)
    for i, j in np.argwhere(np.triu(values <= tolerance, 1)):
        same = groups[i] == groups[j]
        look = dict(color="black", linewidth=0.8) if same else dict(color=COLOURS[3], linewidth=1.2)
        circle.plot(x[[i, j]], y[[i, j]], "-" if same else "--", zorder=1, **look)
    for k, i in enumerate(order):
        circle.plot(
            x[k],
            y[k],
            MARKERS[groups[k] % len(MARKERS)],
            markersize=11,
            zorder=2,
            color=COLOURS[labels[k] % len(COLOURS)],
            markeredgecolor="black",
        )
        circle.text(1.2 * x[k], 1.2 * y[k], str(i), ha="center", va="center", fontsize=7)
    circle.set(aspect="equal", xlim=(-1.35, 1.35), ylim=(-1.35, 1.35))
    circle.set_title("lines: compatible; colours: federations")
    circle.axis("off")

    others = values[~np.eye(len(values), dtype=bool)]
    sns.heatmap(
        pd.DataFrame(values, index=order, columns=order),
        ax=matrix,
        cmap="rocket_r",
        square=True,
        linewidths=0.3,
        vmin=min(0.0, others.min()),
        vmax=np.quantile(others, 0.9),
        cbar_kws={"shrink": 0.8, "extend": "max", "label": r"compatible from $\varepsilon$ on"},
    )
    matrix.collections[0].colorbar.ax.axhline(tolerance, color=COLOURS[0], linewidth=1.5)
    outline_groups(matrix, groups)
    _dots(matrix, labels)
    matrix.set(title="dots: one federation; outlined: true groups")
    matrix.set(xlabel="client $j$", ylabel="client $i$")
    return figure


@styled
def cadence(table: pd.DataFrame, every: int, at: int) -> Figure:
    """Agreement over rounds and megabytes for discovery every so many rounds, between extremes.

    Parameters
    ----------
    table : columns every, round, ari, mb (cumulative), asked (whether there was a discovery).
    every : whose line is drawn; the smallest and the largest are grey.
    at : the round of the change.
    """
    figure = Figure(figsize=(TEXT, 2.6))
    axes = figure.subplots(1, 2)
    extremes = table["every"].min(), table["every"].max()
    lines = [(extremes[0], "every round", ":"), (extremes[1], "once", "--"), (every, "chosen", "-")]
    for own, name, line in lines:
        rows = table[table["every"] == own]
        chosen = name == "chosen"
        for ax, column in zip(axes, ("ari", "mb"), strict=True):
            ax.step(
                rows["round"],
                rows[column],
                where="post",
                linestyle=line,
                label=name,
                color=COLOURS[0] if chosen else "grey",
                linewidth=1.8 if chosen else 1.0,
            )
            if chosen:
                asked = rows[rows["asked"]]
                ax.plot(asked["round"], asked[column], "o", color=COLOURS[0], label="discovery")
    for ax, label in zip(axes, ("adjusted Rand index", "discovery, cumulative MB"), strict=True):
        ax.axvline(at, color=COLOURS[3], linewidth=1.0, linestyle="-.", label="change")
        ax.set(xlabel="round", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylim(min(-0.1, table["ari"].min() - 0.1), 1.05)
    axes[1].set_ylim(0, None)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _dots(ax: Axes, labels: np.ndarray) -> None:
    """Mark the pairs of a heat map that share a federation."""
    i, j = np.nonzero(labels[:, None] == labels)
    ax.plot(j + 0.5, i + 0.5, "o", markersize=2.2, color=COLOURS[0])
    ax.tick_params(length=0)
