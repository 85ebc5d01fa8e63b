"""Figures of data and training: pictures, curves over rounds, accuracy and cost by method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rndcfl.book.figures.style import COLOURS, COLUMN, LINES, MARKERS, TEXT, panels, styled
from rndcfl.common.metrics import mean_ci


@styled
def pictures(rows: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """Rows of images [n, C, H, W] in [0, 1], each with a title on its left."""
    columns = max(map(len, rows))
    figure = Figure(figsize=(TEXT, 0.2 + (TEXT - 1.1) / columns * len(rows)))
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, images, title in zip(axes, rows, titles, strict=True):
        for ax in line:
            ax.axis("off")
        for ax, image in zip(line, images, strict=False):
            ax.imshow(image.transpose(1, 2, 0).squeeze(), cmap="gray", vmin=0, vmax=1)
        line[0].text(-0.15, 0.5, title, transform=line[0].transAxes, ha="right", va="center")
    return figure


@styled
def curves(
    table: pd.DataFrame, x: str, y: str, by: str, xlabel: str, ylabel: str, logy: bool = False
) -> Figure:
    """Mean of `y` against `x` for each value of `by`, with a 95 % band over column ``seed``."""
    figure, (ax,) = panels(1, TEXT, 2.6)
    for k, (name, rows) in enumerate(table.groupby(by, sort=False)):
        per_seed = rows.groupby([x, "seed"])[y].mean().unstack("seed")
        mean, low, high = _band(per_seed, logy)
        ax.plot(
            per_seed.index,
            mean,
            color=COLOURS[k],
            marker=MARKERS[k],
            label=name,
            linestyle=LINES[k % len(LINES)],
            markevery=max(1, len(mean) // 8),
        )
        ax.fill_between(per_seed.index, low, high, color=COLOURS[k], alpha=0.2, lw=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if logy else "linear")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _band(per_seed: pd.DataFrame, log: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and 95 % interval of each row, geometric on a log scale; no band for a single seed."""
    values = np.log(per_seed.to_numpy()) if log else per_seed.to_numpy()
    mean, half = np.array([mean_ci(row) for row in values]).T
    half = np.nan_to_num(half)
    bounds = mean, mean - half, mean + half
    return tuple(map(np.exp, bounds)) if log else bounds


@styled
def accuracy_by_client(table: pd.DataFrame) -> Figure:
    """Final accuracy of every client (mean over seeds) by method; the marker is its group.

    Columns method, client, group, accuracy; a row per seed.
    """
    figure, (ax,) = panels(1, TEXT, 2.6)
    methods = list(table["method"].unique())
    means = table.groupby(["method", "client", "group"])["accuracy"].mean().reset_index()
    for k, method in enumerate(methods):
        rows = means[means["method"] == method]
        offsets = np.linspace(-0.25, 0.25, len(rows))
        for group, part in rows.groupby("group"):
            where = k + offsets[rows["group"].to_numpy() == group]
            ax.plot(
                where,
                part["accuracy"],
                MARKERS[int(group) % len(MARKERS)],
                alpha=0.8,
                color=COLOURS[int(group) % len(COLOURS)],
                label=f"group {group}" if k == 0 else None,
            )
        ax.hlines(rows["accuracy"].mean(), k - 0.3, k + 0.3, color="black")
    ax.set_xticks(range(len(methods)), methods)
    ax.set(ylabel="accuracy on own test data")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled
def cost_and_accuracy(table: pd.DataFrame) -> Figure:
    """Accuracy against megabytes per client, one marker per method, intervals over seeds.

    Columns method, accuracy, mb_per_client; a row per seed.
    """
    figure, (ax,) = panels(1, COLUMN, 2.5)
    for k, (method, rows) in enumerate(table.groupby("method", sort=False)):
        accuracy, half = mean_ci(rows["accuracy"])
        ax.errorbar(
            rows["mb_per_client"].mean(),
            accuracy,
            0 if np.isnan(half) else half,
            fmt=MARKERS[k],
            color=COLOURS[k],
            capsize=3,
            label=method,
        )
    ax.set(xlabel="MB sent and received per client", ylabel="accuracy", xlim=(-0.5, None))
    ax.legend()
    return figure


@styled
def drift(table: pd.DataFrame, at: int) -> Figure:
    """ARI, accuracy and bytes over rounds, a line per schedule or method; the change is marked.

    Parameters
    ----------
    table : columns method, schedule, seed, round, ari, accuracy, bytes_cumulative. Lines are means
        over seeds, bands 95 % intervals.
    at : the round of the change.
    """
    columns = dict(
        ari="adjusted Rand index", accuracy="accuracy", bytes_cumulative="GB, cumulative"
    )
    figure, axes = panels(3, TEXT, 2.7)
    names = table["schedule"].where(table["method"] == "rnd", table["method"])
    for k, (name, rows) in enumerate(table.groupby(names, sort=False)):
        for ax, column in zip(axes, columns, strict=True):
            scale = 1e9 if column == "bytes_cumulative" else 1
            mean, low, high = _band(rows.pivot(index="round", columns="seed", values=column), False)
            ax.plot(
                rows["round"].unique(),
                mean / scale,
                color=COLOURS[k],
                label=name,
                linestyle=LINES[k % len(LINES)],
                marker=MARKERS[k],
                markersize=3,
                markevery=(k % 3, 4),
            )
            ax.fill_between(
                rows["round"].unique(),
                low / scale,
                high / scale,
                color=COLOURS[k],
                alpha=0.15,
                lw=0,
            )
    for ax, label in zip(axes, columns.values(), strict=True):
        ax.axvline(at, color="black", linewidth=0.6, linestyle=":")
        ax.set(xlabel="round", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylim(-0.1, 1.05)
    axes[1].set_ylim(0, 1)
    axes[2].set_yscale("log")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
