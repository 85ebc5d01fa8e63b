"""One function per figure: a tidy table (or arrays) in, a matplotlib figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rndcfl.drawing import COLOURS, COLUMN, LINES, MARKERS, TEXT, panels, styled
from rndcfl.metrics import mean_ci

LEVELS = ("own", "same group", "other group")


# --- novelty ------------------------------------------------------------------------------------


def pair_table(novelty: np.ndarray, excess: np.ndarray, groups: np.ndarray) -> pd.DataFrame:
    """Tidy table of a novelty matrix: i, j, group_i, group_j, novelty, excess."""
    i, j = (index.ravel() for index in np.indices(novelty.shape))
    return pd.DataFrame(
        dict(i=i, j=j, group_i=groups[i], group_j=groups[j], novelty=novelty.ravel(),
             excess=excess.ravel())
    )  # fmt: skip


def level_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean novelty on own data, on that of the same group and of other groups: level, novelty."""
    own = pairs["i"] == pairs["j"]
    same = pairs["group_i"] == pairs["group_j"]
    level = np.select([own, same], LEVELS[:2], LEVELS[2])
    means = pairs.groupby(level)["novelty"].mean().reindex(list(LEVELS))
    return means.rename_axis("level").reset_index()


@styled
def novelty_matrix(table: pd.DataFrame) -> Figure:
    """Heat maps of a pair table: novelty above the own score, and log excess; groups outlined."""
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
            values, ax=ax, cmap="rocket_r", square=True, linewidths=0.3,
            vmin=0, cbar_kws={"shrink": 0.8},
        )  # fmt: skip
        _outline_groups(ax, groups)
        ax.set(title=title, xlabel="predictor of client $j$", ylabel="data of client $i$")
        ax.tick_params(length=0)
    return figure


def _outline_groups(ax: Axes, groups: np.ndarray) -> None:
    for group in np.unique(groups):
        where = np.flatnonzero(groups == group)
        size = len(where)
        box = Rectangle((where[0], where[0]), size, size, fill=False, edgecolor=COLOURS[0])
        box.set(linewidth=1.6, clip_on=False)
        ax.add_patch(box)


@styled
def novelty_levels(table: pd.DataFrame) -> Figure:
    """Bars of mean novelty by level over seeds, with 95 % intervals; one dot per seed."""
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
def tolerance(table: pd.DataFrame) -> Figure:
    """ARI against the tolerance of Eq. 9 for each reading; the calibrated criterion is a level."""
    figure, (ax,) = panels(1, TEXT, 2.6)
    swept = table.dropna(subset="tolerance")
    for k, (name, rows) in enumerate(swept.groupby("criterion", sort=False)):
        means = rows.groupby("tolerance")["ari"].mean()
        ax.plot(means.index, means, color=COLOURS[k], marker=MARKERS[k], markevery=4,
                linestyle=LINES[k % len(LINES)], label=name)  # fmt: skip
    for name, rows in table[table["tolerance"].isna()].groupby("criterion", sort=False):
        ax.axhline(rows["ari"].mean(), color="black", linestyle="--", label=f"{name} (no knob)")
    ax.set(xlabel=r"tolerance $\varepsilon$", ylabel="adjusted Rand index", ylim=(-0.05, 1.05))
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled
def discovery_cost(table: pd.DataFrame) -> Figure:
    """Cumulative seconds and megabytes of discovery over rounds; points are measured."""
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
            ax.plot(rows["round"] + 1, rows[column] / scale, label=label, color=colour,
                    linestyle=LINES[k % len(LINES)])  # fmt: skip
            ax.plot(measured["round"] + 1, measured[column] / scale, color=colour,
                    marker=MARKERS[k % len(MARKERS)], linestyle="none")  # fmt: skip
    axes[0].set(ylabel="discovery, cumulative seconds")
    axes[1].set(ylabel="discovery, cumulative MB")
    for ax in axes:
        ax.set(xlabel="round", xscale="log", yscale="log")
    figure.suptitle("markers: measured; lines beyond them: extrapolated")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


# --- data and training --------------------------------------------------------------------------


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
        ax.plot(per_seed.index, mean, color=COLOURS[k], marker=MARKERS[k], label=name,
                linestyle=LINES[k % len(LINES)], markevery=max(1, len(mean) // 8))  # fmt: skip
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
    """Final accuracy of every client (mean over seeds) by method; the marker is its group."""
    figure, (ax,) = panels(1, TEXT, 2.6)
    methods = list(table["method"].unique())
    means = table.groupby(["method", "client", "group"])["accuracy"].mean().reset_index()
    for k, method in enumerate(methods):
        rows = means[means["method"] == method]
        offsets = np.linspace(-0.25, 0.25, len(rows))
        for group, part in rows.groupby("group"):
            where = k + offsets[rows["group"].to_numpy() == group]
            ax.plot(where, part["accuracy"], MARKERS[int(group) % len(MARKERS)], alpha=0.8,
                    color=COLOURS[int(group) % len(COLOURS)],
                    label=f"group {group}" if k == 0 else None)  # fmt: skip
        ax.hlines(rows["accuracy"].mean(), k - 0.3, k + 0.3, color="black")
    ax.set_xticks(range(len(methods)), methods)
    ax.set(ylabel="accuracy on own test data")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled
def cost_and_accuracy(table: pd.DataFrame) -> Figure:
    """Accuracy against megabytes per client, one marker per method, intervals over seeds."""
    figure, (ax,) = panels(1, COLUMN, 2.5)
    for k, (method, rows) in enumerate(table.groupby("method", sort=False)):
        accuracy, half = mean_ci(rows["accuracy"])
        ax.errorbar(rows["mb_per_client"].mean(), accuracy, 0 if np.isnan(half) else half,
                    fmt=MARKERS[k], color=COLOURS[k], capsize=3, label=method)  # fmt: skip
    ax.set(xlabel="MB sent and received per client", ylabel="accuracy", xlim=(-0.5, None))
    ax.legend()
    return figure


# --- intuition ----------------------------------------------------------------------------------


@styled
def toy_novelty(maps: np.ndarray, extent: float, points: Sequence[np.ndarray]) -> Figure:
    """Novelty over the plane, one map [k, r, r] per client, with that client's points [n, 2]."""
    figure, axes = panels(len(maps), TEXT, TEXT / len(maps) + 0.1, sharey=True)
    low, high = np.log10(maps).min(), np.log10(maps).max()
    for k, (ax, values, own) in enumerate(zip(axes, maps, points, strict=True)):
        image = ax.imshow(np.log10(values), origin="lower", cmap="rocket_r", vmin=low, vmax=high,
                          extent=(-extent, extent, -extent, extent))  # fmt: skip
        ax.plot(own[:, 0], own[:, 1], ".", color=COLOURS[9], markersize=1.5)
        ax.set(title=f"predictor of client {k}", xlabel="$x_1$")
    axes[0].set_ylabel("$x_2$")
    figure.colorbar(image, ax=axes, label=r"$\log_{10}$ novelty", shrink=0.8)
    return figure


@styled
def paired_differences(differences: dict[str, np.ndarray]) -> Figure:
    """Histograms of how much worse a peer's predictor does, sample by sample, for a few pairs."""
    figure, (ax,) = panels(1, TEXT, 2.2)
    low, high = np.quantile(np.concatenate(list(differences.values())), [0.002, 0.998])
    bins = list(np.linspace(float(low), float(high), 60))
    for k, (name, values) in enumerate(differences.items()):
        ax.hist(values, bins, histtype="stepfilled", alpha=0.45, color=COLOURS[k], label=name)
        ax.axvline(values.mean(), color=COLOURS[k], linestyle=("-", "--")[k % 2])
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set(xlabel=r"$\ell_j(x)-\ell_i(x)$ on held-out samples of client $i$", ylabel="samples")
    ax.legend()
    return figure


@styled
def evidence(dissimilarity: np.ndarray, threshold: float, groups: np.ndarray) -> Figure:
    """Heat map of the evidence against each pair; pairs below the threshold are compatible."""
    order = np.argsort(groups, kind="stable")
    figure, (ax,) = panels(1, COLUMN, 2.8)
    values = pd.DataFrame(dissimilarity[np.ix_(order, order)], index=order, columns=order)
    sns.heatmap(
        values, ax=ax, cmap="rocket_r", square=True, linewidths=0.3, vmin=0,
        cbar_kws={"shrink": 0.8, "label": r"evidence, $-\log_{10} p$ (line: threshold)"},
    )  # fmt: skip
    figure.axes[-1].axhline(threshold, color=COLOURS[0], linewidth=1.5)
    _outline_groups(ax, groups[order])
    ax.tick_params(length=0)
    ax.set(xlabel="client $j$", ylabel="client $i$")
    return figure
