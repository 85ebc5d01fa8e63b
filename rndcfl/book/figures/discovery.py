"""Figures of discovery: from evidence to federations, at what tolerance, at what cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from rndcfl.book.figures.style import (
    COLOURS,
    COLUMN,
    LINES,
    MARKERS,
    TEXT,
    outline_groups,
    panels,
    styled,
)


@styled
def evidence(dissimilarity: np.ndarray, threshold: float, groups: np.ndarray) -> Figure:
    """Heat map of the evidence against each pair; pairs below the threshold are compatible.

    Parameters
    ----------
    dissimilarity : -log10 p of each pair, symmetric [N, N].
    threshold : in the same unit.
    groups : true groups, int64 [N].
    """
    order = np.argsort(groups, kind="stable")
    figure, (ax,) = panels(1, COLUMN, 2.8)
    values = pd.DataFrame(dissimilarity[np.ix_(order, order)], index=order, columns=order)
    sns.heatmap(
        values,
        ax=ax,
        cmap="rocket_r",
        square=True,
        linewidths=0.3,
        vmin=0,
        vmax=10 * threshold,
        cbar_kws={
            "shrink": 0.8,
            "extend": "max",
            "label": r"evidence, $-\log_{10} p$ (line: threshold)",
        },
    )
    figure.axes[-1].axhline(threshold, color=COLOURS[0], linewidth=1.5)
    outline_groups(ax, groups[order])
    ax.tick_params(length=0)
    ax.set(xlabel="client $j$", ylabel="client $i$")
    return figure


@styled
def tolerance(table: pd.DataFrame) -> Figure:
    """ARI against the tolerance of Eq. 9 for each reading; the calibrated criterion is a level.

    Columns criterion, tolerance (empty for a criterion without one) and ari, a row per seed.
    """
    figure, (ax,) = panels(1, TEXT, 2.6)
    swept = table.dropna(subset="tolerance")
    for k, (name, rows) in enumerate(swept.groupby("criterion", sort=False)):
        means = rows.groupby("tolerance")["ari"].mean()
        ax.plot(
            means.index,
            means,
            color=COLOURS[k],
            marker=MARKERS[k],
            markevery=4,
            linestyle=LINES[k % len(LINES)],
            label=name,
        )
    for name, rows in table[table["tolerance"].isna()].groupby("criterion", sort=False):
        ax.axhline(rows["ari"].mean(), color="black", linestyle="--", label=f"{name} (no knob)")
    ax.set(xlabel=r"tolerance $\varepsilon$", ylabel="adjusted Rand index", ylim=(-0.05, 1.05))
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled
def discovery_cost(table: pd.DataFrame) -> Figure:
    """Cumulative seconds and megabytes of discovery over rounds; points are measured.

    Columns method, model, schedule, round, seconds_cumulative, bytes_cumulative, measured (bool).
    """
    figure, axes = panels(2, TEXT, 2.9)
    named = table.fillna({"model": ""})
    for k, (key, rows) in enumerate(named.groupby(["method", "model", "schedule"], sort=False)):
        method, model, schedule = map(str, key)
        label = f"{method}, {model or schedule}"
        colour = COLOURS[k % len(COLOURS)]
        new = rows["seconds_cumulative"].diff() != 0  # the rounds in which something was spent
        measured = rows[rows["measured"] & new]
        for ax, column in zip(axes, ("seconds_cumulative", "bytes_cumulative"), strict=True):
            scale = 1e6 if column == "bytes_cumulative" else 1
            ax.plot(
                rows["round"] + 1,
                rows[column] / scale,
                label=label,
                color=colour,
                linestyle=LINES[k % len(LINES)],
            )
            ax.plot(
                measured["round"] + 1,
                measured[column] / scale,
                color=colour,
                marker=MARKERS[k % len(MARKERS)],
                linestyle="none",
            )
    axes[0].set(ylabel="discovery, cumulative seconds")
    axes[1].set(ylabel="discovery, cumulative MB")
    for ax in axes:
        ax.set(xlabel="round", xscale="log", yscale="log")
    figure.suptitle("markers: measured; lines beyond them: extrapolated")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


CRITERION_NAMES = {
    "calibrated": "calibrated, by novelty",
    "calibrated_features": "calibrated, by features",
    "paper_best_single": "Eq. 9, best tolerance",
    "agglomerative_true_k": "clustering, told $k$",
}


@styled
def recovery(table: pd.DataFrame, criteria: Sequence[str]) -> Figure:
    """Share of seeds with exactly the true groups: a heat map of settings by data per criterion.

    Columns dataset, clients, samples, setting, strength, criterion, exact; a row per cell.
    """
    layout = table["clients"].astype(str) + " x " + table["samples"].astype(str)
    table = table.assign(
        case=table["dataset"] + ", " + layout,
        skew=[
            s if t == "default" else f"{s}, {t}"
            for s, t in zip(table["setting"], table["strength"], strict=True)
        ],
    )
    skews, cases = table["skew"].unique(), table["case"].unique()
    height = 0.19 * len(skews) + 0.07 * max(map(len, cases)) + 0.4
    figure, axes = panels(len(criteria), TEXT, height, sharey=True)
    for ax, criterion in zip(axes, criteria, strict=True):
        own = table[table["criterion"] == criterion]
        grid = own.pivot(index="skew", columns="case", values="exact").loc[skews, cases]
        sns.heatmap(
            grid,
            ax=ax,
            cmap="cividis",
            vmin=0,
            vmax=1,
            linewidths=0.5,
            annot=True,
            fmt=".1f",
            annot_kws={"size": 5},
            cbar=False,
        )
        ax.set(
            title=CRITERION_NAMES.get(criterion, criterion),
            xlabel="data",
            ylabel="setting" if ax is axes[0] else "",
        )
        ax.tick_params(axis="x", length=0, labelrotation=90, labelsize=6)
        ax.tick_params(axis="y", length=0, labelrotation=0)
    return figure
