"""Figures of privacy: who can be recognised in a predictor, and what hiding them costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, panels, styled

BOUND = "no attack is better"


@styled
def membership(table: pd.DataFrame, bound: pd.DataFrame) -> Figure:
    """AUC of the calibrated attack: over steps, over training samples, and over epsilon.

    Parameters
    ----------
    table : columns sweep (steps, samples or epsilon), value (inf: no privacy), predictor (its
        widths, as text), seed, auc. Lines are means over seeds, bands from the lowest to the
        highest.
    bound : columns epsilon, auc: what no attack can exceed.
    """
    titles = {"steps": "training steps", "samples": "training samples", "epsilon": "$\\varepsilon$"}
    figure, axes = panels(3, TEXT, 2.5, sharey=True)
    names = list(table["predictor"].unique())
    for ax, (sweep, label) in zip(axes, titles.items(), strict=True):
        part = table[table["sweep"] == sweep]
        for name, rows in part.groupby("predictor", sort=False):
            look = names.index(name)
            _line(ax, rows, "value", "auc", look, f"predictor {name}")
        ax.axhline(0.5, color="black", linewidth=0.6, linestyle=":")
        ax.set(xlabel=label)
        _log_ticks(ax, part["value"])
    axes[2].plot(bound["epsilon"], bound["auc"], color="black", linewidth=0.8, label=BOUND)
    axes[0].set(ylabel="AUC of the attack", ylim=(0.44, 1.02))
    lines = {line.get_label(): line for ax in axes for line in ax.lines}
    shown = [line for label, line in lines.items() if not str(label).startswith("_")]
    figure.legend(handles=shown, loc="outside lower center", ncols=len(shown))
    return figure


@styled
def private_recovery(table: pd.DataFrame, measure: str = "ari") -> Figure:
    """Agreement with the true groups against epsilon, a panel per setting, a line per sample count
    and what clients are compared by.

    Columns setting, samples, by, epsilon (inf: no privacy), seed and `measure`. Lines are means
    over seeds, bands reach from the lowest seed to the highest.
    """
    settings = list(table["setting"].unique())
    figure, axes = panels(len(settings), TEXT, 2.5, sharey=True)
    lines = [(by, n) for by in table["by"].unique() for n in sorted(table["samples"].unique())]
    for ax, setting in zip(axes, settings, strict=True):
        part = table[table["setting"] == setting]
        for look, (by, size) in enumerate(lines):
            rows = part[(part["samples"] == size) & (part["by"] == by)]
            if len(rows):
                _line(ax, rows, "epsilon", measure, look, f"by {by}, {size} samples per client")
        ax.set(title=setting, xlabel="$\\varepsilon$")
        _log_ticks(ax, part["epsilon"])
    axes[0].set(ylabel="adjusted Rand index", ylim=(-0.05, 1.05))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


@styled
def reconstruction(rows: Mapping[str, Sequence[np.ndarray]], columns: Sequence[str]) -> Figure:
    """Rows of images [C, H, W] in [0, 1], each with a title on its left, columns titled on top."""
    n = len(columns)
    figure = Figure(figsize=(TEXT, 0.4 + (TEXT - 1.4) / n * len(rows)))
    axes = figure.subplots(len(rows), n, squeeze=False)
    for line, (title, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(line, images, strict=True):
            ax.imshow(image.transpose(1, 2, 0).squeeze(), cmap="gray", vmin=0, vmax=1)
            ax.axis("off")
        line[0].text(-0.1, 0.5, title, transform=line[0].transAxes, ha="right", va="center")
    for ax, title in zip(axes[0], columns, strict=True):
        ax.set_title(title, fontsize=7)
    return figure


def _line(ax: Axes, rows: pd.DataFrame, x: str, y: str, look: int, label: str) -> None:
    """Mean over seeds with a band of all; no privacy is a mark of its own at the right."""
    values = rows.groupby([x, "seed"])[y].mean().unstack("seed")
    where = np.array([_place(v, rows[x]) for v in values.index])
    mean = values.mean(axis=1).to_numpy()
    known = np.isfinite(values.index.to_numpy(dtype=float))
    colour, marker = COLOURS[look], MARKERS[look]
    ax.plot(
        where[known],
        mean[known],
        color=colour,
        marker=marker,
        label=label,
        linestyle=LINES[look % len(LINES)],
    )
    ax.fill_between(
        where[known],
        values.min(axis=1)[known],
        values.max(axis=1)[known],
        color=colour,
        alpha=0.15,
        lw=0,
    )
    ax.plot(
        where[~known], mean[~known], color=colour, marker=marker, linestyle="none", fillstyle="none"
    )


def _place(value: float, among: pd.Series) -> float:
    """Where a value is drawn: infinity a little to the right of the largest number."""
    finite = among[np.isfinite(among)]
    return value if np.isfinite(value) else 3.0 * float(finite.max())


def _log_ticks(ax: Axes, values: pd.Series) -> None:
    """A logarithmic axis that names the values drawn, and infinity as "none"."""
    shown = sorted(values.unique())
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(
        [_place(v, values) for v in shown], [f"{v:g}" if np.isfinite(v) else "none" for v in shown]
    )
