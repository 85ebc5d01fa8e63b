"""Figures of what training the predictors buys: recovery by arm, and the default budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, styled
from rndcfl.common.metrics import mean_ci

ARM_NAMES = {
    "trained": "trained, 150 steps",
    "trained_50": "trained, 50 steps",
    "trained_20": "trained, 20 steps",
    "untrained": "untrained predictors",
    "features": "features, nothing trained",
    "pixels": "projections of the inputs",
}

DATASET_NAMES = {
    "fashion-mnist-mini": "Fashion-MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
}


@styled
def distillation(runs: pd.DataFrame) -> Figure:
    """What clients are compared by, and how well groups are found.

    Left: mean ARI over settings against samples, one line per arm. Right: per setting the
    difference trained minus features in ARI, paired by seed, mean and 95 % interval.

    Columns dataset, setting, samples, arm, seed, ari.
    """
    figure = Figure(figsize=(TEXT, 3.4))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    images = runs[~runs["setting"].isin(("iid", "natural"))]
    spread = np.linspace(0.94, 1.06, len(ARM_NAMES))
    for k, (arm, name) in enumerate(ARM_NAMES.items()):
        own = images[images["arm"] == arm]
        if not len(own):
            continue
        per_seed = own.groupby(["samples", "seed"])["ari"].mean().unstack("seed")
        mean, half = np.array([mean_ci(row) for row in per_seed.to_numpy()]).T
        left.errorbar(
            per_seed.index * spread[k],
            mean,
            np.nan_to_num(half),
            color=COLOURS[k],
            marker=MARKERS[k],
            linestyle=LINES[k % len(LINES)],
            capsize=1.5,
            label=name,
        )
    sizes = sorted(images["samples"].unique())
    left.set_xscale("log")
    left.set_xticks(sizes, [f"{n:g}" for n in sizes])
    left.minorticks_off()
    left.set(xlabel="samples per client", ylabel="agreement with the true groups (ARI)")
    left.set(title="(a) all settings together", ylim=(0, 1.02))
    figure.legend(loc="outside lower center", ncols=3)
    _differences(right, images)
    return figure


def _differences(ax: Axes, images: pd.DataFrame) -> None:
    """Trained minus features, paired by seed, a line per setting and a mark per dataset."""
    datasets, settings = list(images["dataset"].unique()), list(images["setting"].unique())
    wide = images.pivot_table(index=["dataset", "setting", "samples", "seed"], columns="arm")["ari"]
    apart = (wide["trained"] - wide["features"]).groupby(["dataset", "setting", "seed"]).mean()
    for k, dataset in enumerate(datasets):
        for row, setting in enumerate(settings):
            if (dataset, setting) not in apart.index:
                continue
            mean, half = mean_ci(apart[dataset, setting])
            ax.errorbar(
                mean,
                row + 0.22 * (k - (len(datasets) - 1) / 2),
                xerr=np.nan_to_num(half),
                color=COLOURS[k],
                marker=MARKERS[k],
                markersize=3.5,
                capsize=1.5,
                linestyle="none",
                label=DATASET_NAMES.get(dataset, dataset) if row == 0 else None,
            )
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(range(len(settings)), settings)
    ax.invert_yaxis()
    low, high = ax.get_xlim()
    ax.set_xlim(max(low, -1.05), min(high, 1.05))  # intervals of two seeds reach anywhere
    ax.set(
        xlabel="ARI trained minus features\n(right of zero training helps)",
        title="(b) setting by setting",
    )
    ax.legend(loc="lower left")


@styled
def budget(found: pd.DataFrame, leaked: pd.DataFrame, default: tuple[int, float]) -> Figure:
    """What more training finds, and what it gives away; ring: the default.

    Parameters
    ----------
    found : columns samples, steps, share, seed, ari.
    leaked : columns samples, steps, share, seed, auc.
    default : its steps and share.
    """
    sizes = sorted(found["samples"].unique())
    figure = Figure(figsize=(TEXT, 2.5))
    axes = figure.subplots(1, len(sizes) + 1)
    for ax, n in zip(axes, sizes, strict=False):
        _curves(ax, found[found["samples"] == n], "ari", default)
        ax.set(title=f"found, {n} samples", ylabel="ARI, weak skews", ylim=(0, 1.02))
    many = leaked["samples"].max()
    _curves(axes[-1], leaked[leaked["samples"] == many], "auc", default)
    axes[-1].axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes[-1].set(title=f"given away, {many} samples", ylabel="AUC of membership inference")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _curves(ax: Axes, table: pd.DataFrame, value: str, default: tuple[int, float]) -> None:
    """A line per share of samples that train, over steps, with 95 % intervals over seeds."""
    for k, (share, own) in enumerate(table.groupby("share")):
        per_seed = own.groupby(["steps", "seed"])[value].mean().unstack("seed")
        mean, half = np.array([mean_ci(row) for row in per_seed.to_numpy()]).T
        ax.errorbar(
            per_seed.index,
            mean,
            np.nan_to_num(half),
            color=COLOURS[k],
            marker=MARKERS[k],
            linestyle=LINES[k],
            capsize=1.5,
            label=f"{100 * float(share):.0f} % of the samples train",  # type: ignore[arg-type]
        )
        if share == default[1]:
            at = list(per_seed.index).index(default[0])
            ax.plot(default[0], mean[at], "o", markersize=9, fillstyle="none", color="black")
    ax.set_xscale("log")
    steps = sorted(table["steps"].unique())
    ax.set_xticks(steps, [f"{n:g}" for n in steps])
    ax.minorticks_off()
    ax.set_xlabel("steps")
