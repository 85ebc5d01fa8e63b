"""Figures of all methods in all settings: what they gain, and for how many bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from rndcfl.book.figures.style import COLOURS, MARKERS, TEXT, panels, styled


@styled
def gains(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Heat map of accuracy gains over global in points, settings by methods.

    Columns setting, name (of method and variant), gain_mean (accuracy, 0 to 1); methods stand in
    the order of `names`.
    """
    settings = table["setting"].unique()
    grid = 100 * table.pivot(index="setting", columns="name", values="gain_mean")
    grid = grid.loc[settings, list(names)]
    figure, (ax,) = panels(1, TEXT, 0.24 * len(settings) + 1.15)
    limit = max(1.0, float(np.nanmax(np.abs(grid.to_numpy()))))
    sns.heatmap(
        grid,
        ax=ax,
        cmap="PuOr",
        center=0,
        vmin=-limit,
        vmax=limit,
        linewidths=0.5,
        annot=True,
        fmt=".1f",
        annot_kws={"size": 6},
        cbar_kws={"label": "gain, points"},
    )
    ax.set(xlabel="method", ylabel="setting")
    ax.tick_params(axis="x", length=0, labelrotation=45)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    ax.tick_params(axis="y", length=0, labelrotation=0)
    return figure


@styled
def accuracy_against_cost(table: pd.DataFrame, names: Sequence[str], columns: int = 3) -> Figure:
    """Small multiples: accuracy against megabytes per client on a log scale, a panel per setting.

    Columns setting, method, variant, name (of both), mb_per_client, accuracy_mean, accuracy_ci95.
    Variants other than the default are hollow; a method that sends nothing stands at the left edge.
    """
    settings, methods = table["setting"].unique(), list(table["method"].unique())
    lines = -(-len(settings) // columns)
    figure = Figure(figsize=(TEXT, 1.55 * lines + 0.75))
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True)
    sent = table.loc[table["mb_per_client"] > 0, "mb_per_client"]
    left = sent.min() / 3
    for ax, setting in zip(grid.flat, settings, strict=False):
        for _, row in table[table["setting"] == setting].iterrows():
            k = methods.index(row["method"])
            half = row["accuracy_ci95"]
            ax.errorbar(
                max(row["mb_per_client"], left),
                row["accuracy_mean"],
                0 if np.isnan(half) else half,
                fmt=MARKERS[k],
                label=row["name"],
                color=COLOURS[k],
                markersize=4.5,
                capsize=1.5,
                elinewidth=0.7,
                alpha=0.85,
                zorder=3 if row["method"] == "rnd" else 2,
                fillstyle="full" if row["variant"] == "default" else "none",
            )
        ax.set(title=setting, xscale="log", xlim=(left / 1.6, sent.max() * 2), ylabel="accuracy")
    for ax in grid.flat[len(settings) :]:
        ax.axis("off")
    for column in range(columns):
        used = [line[column] for line in grid if line[column].axison]
        if used:
            used[-1].set_xlabel("MB per client (left edge: 0)")
            used[-1].tick_params(axis="x", labelbottom=True)
    seen: dict[str, Artist] = {}
    for ax in grid.flat:
        seen |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(
        [seen[name] for name in names],
        list(names),
        loc="outside lower center",
        ncols=7,
        columnspacing=1,
    )
    return figure
