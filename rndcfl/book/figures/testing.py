"""Figures of the two-sample test: what it sees, its level, its power, what it depends on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, panels, styled
from rndcfl.common.metrics import mean_ci


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


@styled
def quantiles(table: pd.DataFrame, by: str) -> Figure:
    """QQ plot of p-values (column ``p``) against uniform ones, a marker per value of `by`.

    Above the diagonal there are more small p-values than the test promises.
    """
    figure, (ax,) = panels(1, TEXT, 2.9)
    for k, (name, rows) in enumerate(table.groupby(by, sort=False)):
        p = np.sort(np.minimum(rows["p"], 1))
        expected = (np.arange(len(p)) + 0.5) / len(p)
        ax.plot(
            -np.log10(expected),
            -np.log10(p),
            MARKERS[k % len(MARKERS)],
            label=name,
            color=COLOURS[k % len(COLOURS)],
            markersize=2.5,
        )
    top = -np.log10(0.5 / table.groupby(by).size().max()) + 0.1
    ax.plot([0, top], [0, top], color="black", linewidth=0.8)
    ax.set(xlabel=r"expected $-\log_{10}p$", ylabel=r"observed $-\log_{10}p$")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=1.5)
    return figure


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
