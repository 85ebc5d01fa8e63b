"""Figures of the two-sample test: what it sees, its level, its power, what it depends on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, panels, styled
from rndcfl.common.metrics import exact_interval, mean_ci
from rndcfl.common.seeding import numpy_rng
from rndcfl.twosample import POWER


@styled
def profiles(pairs: dict[str, tuple[np.ndarray, np.ndarray]], names: tuple[str, str]) -> Figure:
    """Two clients' samples by their log errors under two predictors, [2, n] each; one panel a pair.

    Crosses are the clients' profiles; the ellipses reach two standard deviations of a sample.
    """
    figure, axes = panels(len(pairs), TEXT, 2.9, sharex=True, sharey=True)
    for ax, (title, clients) in zip(axes, pairs.items(), strict=True):
        for k, (logs, name) in enumerate(zip(clients, names, strict=True)):
            ax.plot(*logs, MARKERS[k], color=COLOURS[k], markersize=2, alpha=0.35, label=name)
        for logs, line in zip(clients, LINES, strict=False):
            centre, spread = logs.mean(1), np.linalg.cholesky(np.cov(logs))
            angle = np.linspace(0, 2 * np.pi, 100)
            around = centre[:, None] + 2 * spread @ [np.cos(angle), np.sin(angle)]
            ax.plot(*around, color="black", linewidth=0.8, linestyle=line)
            ax.plot(*centre, "+", color="black", markersize=8, markeredgewidth=1.6)
        ax.set(title=title, xlabel=r"$\ell_i(x)$, predictor of client $i$")
    axes[0].set_ylabel(r"$\ell_j(x)$, predictor of client $j$")
    axes[0].legend(markerscale=2.5)
    return figure


@lru_cache
def simultaneous_bands(n: int, level: float = 0.05, draws: int = 10_000) -> np.ndarray:
    """Where all of `n` sorted uniform p-values lie at once with probability 1 - `level`.

    Equal local levels: the k-th smallest p-value, which is Beta(k, n + 1 - k), leaves its interval
    with one and the same probability, whatever k; it is such that any of them leaves its own with
    probability `level`, found by simulation (Aldor-Noiman et al., The American Statistician 67,
    2013; Weine, McPeek and Abney, Journal of Statistical Software 106, 2023).

    Returns
    -------
    float64 [2, n], lower and upper ends.
    """
    k = np.arange(1, n + 1)
    sorted_p = np.sort(numpy_rng(0, "bands", n).random((draws, n)), axis=1)
    below = stats.beta.cdf(sorted_p, k, n + 1 - k)
    local = np.quantile(2 * np.minimum(below, 1 - below).min(1), level)
    return stats.beta.ppf([[local / 2], [1 - local / 2]], k, n + 1 - k)


@styled
def quantiles(table: pd.DataFrame, by: str, hue: str | None = None) -> Figure:
    """QQ plots of p-values (column ``p``) against uniform ones: a panel per value of `by`.

    `hue` : a column with a marker per value. Grey: where all points of a panel lie at once with
    probability .95, at the fewest points that a marker has there. Above the diagonal there are more
    small p-values than the test promises.
    """
    cases = list(table[by].unique())
    down, across = -(-len(cases) // 3), min(3, len(cases))
    figure = Figure(figsize=(TEXT, 1.7 * down + 0.4))
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for ax, case in zip(grid.flat, cases, strict=False):
        rows = table[table[by] == case]
        for k, (name, own) in enumerate(rows.groupby(hue or by, sort=False)):
            p = np.sort(np.minimum(own["p"], 1))
            style = dict(color=COLOURS[k], markersize=2.5, label=name)
            ax.plot(_middles(len(p)), -np.log10(p), MARKERS[k], **style)
        n = int(rows.groupby(hue or by).size().min())
        ax.fill_between(_middles(n), *-np.log10(simultaneous_bands(n)), color="0.85", linewidth=0)
        ax.axline((0, 0), slope=1, color="black", linewidth=0.8)
        ax.set_title(case)
    for ax in grid.flat[len(cases) :]:
        ax.axis("off")
    grid[-1, across // 2].set_xlabel(r"expected $-\log_{10}p$")
    grid[down // 2, 0].set_ylabel(r"observed $-\log_{10}p$")
    if hue:
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _middles(n: int) -> np.ndarray:
    """Where the sorted -log10 p of `n` uniform p-values are expected, largest first."""
    return -np.log10((np.arange(n) + 0.5) / n)


@styled
def calibration_curve(table: pd.DataFrame, panel: str | None = None) -> Figure:
    """Predicted power against the share of pairs that is told apart, a panel per value of `panel`.

    Columns by (what clients are compared by), predicted and detected, a row per pair; bars are
    exact 95 % intervals, for pairs that are independent. On the diagonal the promise is kept.
    """
    parts = [("", table)] if panel is None else list(table.groupby(panel, sort=False))
    figure, axes = panels(len(parts), TEXT, 3.1, sharey=True)
    for ax, (title, rows) in zip(axes, parts, strict=True):
        ax.plot([0, 1], [0, 1], color="black", linewidth=0.8)
        ax.axvline(POWER, color="grey", linestyle=":", label="called detectable")
        for k, by in enumerate(table["by"].unique()):
            _shares(ax, rows[rows["by"] == by], f"by {by}", k)
        ax.set(title=title, xlabel="predicted power (mean of a bin)")
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes[0].set_ylabel("share of pairs told apart")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _shares(ax: Axes, rows: pd.DataFrame, label: str, k: int) -> None:
    """Observed shares and their intervals, by predicted power in bins."""
    edges = [0, 0.02, 0.1, 0.25, 0.45, 0.65, 0.85, 0.95, 1]
    bins = rows.groupby(pd.cut(rows["predicted"], edges, include_lowest=True), observed=True)
    found = bins["detected"].agg(["sum", "size"]).to_numpy()
    share = found[:, 0] / found[:, 1]
    bars = np.abs(np.array([exact_interval(*own) for own in found]).T - share)
    style = dict(color=COLOURS[k], capsize=2, linewidth=0.9, label=label)
    x = bins["predicted"].mean() + (0.01 * k - 0.005)  # side by side
    ax.errorbar(x, share, bars, fmt=MARKERS[k], **style)


@styled
def power(table: pd.DataFrame) -> Figure:
    """Exact recovery against skew strength, a panel per setting.

    Columns setting, parameter, strength, samples, criterion, exact; dotted: the paper's at its best
    tolerance.
    """
    settings = list(table["setting"].unique())
    figure = Figure(figsize=(TEXT, 1.75 * -(-len(settings) // 3) + 0.3))
    grid = figure.subplots(-(-len(settings) // 3), 3, squeeze=False, sharey=True)
    for ax, setting in zip(grid.flat, settings, strict=False):
        rows = table[table["setting"] == setting]
        for k, (samples, own) in enumerate(rows.groupby("samples")):
            for criterion, line in (("calibrated", "-"), ("paper_best_each", ":")):
                part = own[own["criterion"] == criterion].sort_values("strength")
                ax.plot(
                    part["strength"],
                    part["exact"],
                    line,
                    color=COLOURS[k],
                    marker=MARKERS[k],
                    markersize=3,
                    label=f"{criterion}, {samples} samples",
                )
        ax.set(title=setting, xlabel=rows["parameter"].iloc[0], ylim=(-0.05, 1.05))
    for ax in grid.flat[len(settings) :]:
        ax.axis("off")
    for line in grid:
        line[0].set_ylabel("exact")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


@styled
def sensitivity(table: pd.DataFrame, columns: dict[str, str]) -> Figure:
    """Small multiples: a row per outcome (column -> axis label), a panel per parameter swept.

    Columns parameter, value, default, seed and the outcomes; intervals over seeds, ring: default.
    """
    parameters = list(table["parameter"].unique())
    figure = Figure(figsize=(TEXT, 1.15 * len(columns) + 0.4))
    grid = figure.subplots(len(columns), len(parameters), squeeze=False, sharex="col", sharey="row")
    for across, parameter in enumerate(parameters):
        rows = table[table["parameter"] == parameter]
        values = list(rows["value"].astype(str).unique())
        default = [v in set(rows.loc[rows["default"], "value"].astype(str)) for v in values]
        for down, (column, label) in enumerate(columns.items()):
            ax = grid[down, across]
            stats = [mean_ci(rows.loc[rows["value"].astype(str) == v, column]) for v in values]
            mean, half = np.array(stats).T
            ax.errorbar(
                range(len(values)),
                mean,
                np.nan_to_num(half),
                marker="o",
                markersize=3,
                capsize=2,
                color=COLOURS[down],
            )
            chosen = np.flatnonzero(default)
            ax.plot(chosen, mean[chosen], "o", markersize=8, fillstyle="none", color="black")
            ax.set_xticks(range(len(values)), values)
            ax.tick_params(axis="x", labelrotation=90, labelsize=6)
            if column == "ari":
                ax.set_ylim(-0.05, 1.05)  # intervals of few seeds reach beyond what there is
            if across == 0:
                ax.set_ylabel(label)
        grid[-1, across].set_xlabel(parameter, fontsize=7)
    figure.align_ylabels(grid[:, 0])
    return figure


@styled
def margins(table: pd.DataFrame, threshold: float) -> Figure:
    """How well each client of an explained discovery fits inside, and what the next one is like.

    Columns client, federation, inside and outside: evidence, -log10 p, as is `threshold`.
    """
    figure, (ax,) = panels(1, TEXT, 2.3)
    order = table.sort_values(["federation", "client"], kind="stable").reset_index(drop=True)
    ax.axhline(threshold, color="black", linestyle="--", linewidth=0.8, label="threshold")
    for k, (column, name) in enumerate(
        (("inside", "least like it in its federation"), ("outside", "nearest other federation"))
    ):
        ax.plot(order.index, order[column], MARKERS[k], color=COLOURS[k], label=name)
    starts = order.index[order["federation"].diff().fillna(0) != 0]
    for start in starts:
        ax.axvline(start - 0.5, color="grey", linewidth=0.6)
    ax.set_xticks(order.index, order["client"])
    ax.set_yscale("symlog", linthresh=2)
    ax.set_ylim(-10, 1000)
    ax.set(xlabel="client (lines: federations)", ylabel=r"evidence, $-\log_{10}p$")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
