"""Figures of novelty: the matrix, its levels, and a toy in the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from rndcfl.book.figures.style import COLOURS, COLUMN, TEXT, outline_groups, panels, styled
from rndcfl.common.metrics import mean_ci

LEVELS = ("own", "same group", "other group")


def pair_table(novelty: np.ndarray, excess: np.ndarray, groups: np.ndarray) -> pd.DataFrame:
    """Tidy table of a novelty matrix: i, j, group_i, group_j, novelty, excess."""
    i, j = (index.ravel() for index in np.indices(novelty.shape))
    return pd.DataFrame(
        dict(
            i=i,
            j=j,
            group_i=groups[i],
            group_j=groups[j],
            novelty=novelty.ravel(),
            excess=excess.ravel(),
        )
    )


def level_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean novelty on own data, on that of the same group and of other groups: level, novelty."""
    own = pairs["i"] == pairs["j"]
    same = pairs["group_i"] == pairs["group_j"]
    level = np.select([own, same], LEVELS[:2], LEVELS[2])
    means = pairs.groupby(level)["novelty"].mean().reindex(list(LEVELS))
    return means.rename_axis("level").reset_index()


@styled
def novelty_matrix(table: pd.DataFrame) -> Figure:
    """Heat maps of a pair table: novelty above the own score, and log excess; groups outlined.

    Columns as of :func:`pair_table`.
    """
    order = table.drop_duplicates("i").sort_values(["group_i", "i"], kind="stable")["i"].to_numpy()
    novelty, excess = (
        table.pivot(index="i", columns="j", values=name).loc[order, order]
        for name in ("novelty", "excess")
    )
    above = novelty - np.diag(novelty)[:, None]
    groups = table.drop_duplicates("i").set_index("i")["group_i"].loc[order].to_numpy()
    figure, axes = panels(2, TEXT, 3.0)
    titles = (r"(a) above own score, $s_{ij}-s_{ii}$", r"(b) log excess, $e_{ij}$")
    for ax, values, title in zip(axes, (above, excess), titles, strict=True):
        sns.heatmap(
            values,
            ax=ax,
            cmap="rocket_r",
            square=True,
            linewidths=0.3,
            vmin=0,
            cbar_kws={"shrink": 0.8},
        )
        outline_groups(ax, groups)
        ax.set(title=title, xlabel="predictor of client $j$", ylabel="data of client $i$")
        ax.tick_params(length=0)
    return figure


@styled
def novelty_levels(table: pd.DataFrame) -> Figure:
    """Bars of mean novelty by level over seeds, with 95 % intervals; one dot per seed.

    Columns level (of :data:`LEVELS`) and novelty, a row per seed and level.
    """
    figure, (ax,) = panels(1, COLUMN, 2.3)
    hatches = ("", "//", "xx")
    for k, level in enumerate(LEVELS):
        values = table.loc[table["level"] == level, "novelty"].to_numpy()
        mean, half = mean_ci(values)
        ax.bar(k, mean, 0.6, color=COLOURS[k], alpha=0.55, edgecolor="black", hatch=hatches[k])
        ax.errorbar(k, mean, 0 if np.isnan(half) else half, color="black", capsize=4, zorder=3)
        offsets = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
        ax.plot(k + offsets, values, "o", color="black", markersize=2, zorder=4)
    ax.set_xticks(range(len(LEVELS)), LEVELS)
    ax.set(ylabel="novelty (Eq. 8)", xlabel="predictor trained on data of", ylim=(0, None))
    return figure


@styled
def toy_novelty(maps: np.ndarray, extent: float, points: Sequence[np.ndarray]) -> Figure:
    """Novelty over the plane, one map [k, r, r] per client, with that client's points [n, 2]."""
    figure, axes = panels(len(maps), TEXT, TEXT / len(maps) + 0.1, sharey=True)
    low, high = np.log10(maps).min(), np.log10(maps).max()
    for k, (ax, values, own) in enumerate(zip(axes, maps, points, strict=True)):
        image = ax.imshow(
            np.log10(values),
            origin="lower",
            cmap="rocket_r",
            vmin=low,
            vmax=high,
            extent=(-extent, extent, -extent, extent),
        )
        ax.plot(own[:, 0], own[:, 1], ".", color=COLOURS[9], markersize=1.5)
        ax.set(title=f"predictor of client {k}", xlabel="$x_1$")
    axes[0].set_ylabel("$x_2$")
    figure.colorbar(image, ax=axes, label=r"$\log_{10}$ novelty", shrink=0.8)
    return figure
