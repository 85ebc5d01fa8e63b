"""Figures of hostile clients: a group torn apart, who is found under attack, poisoned training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, panels, styled
from rndcfl.common.metrics import mean_ci


@styled
def torn(pairs: pd.DataFrame, threshold: float) -> Figure:
    """Evidence against each pair of clients, a heat map per panel; dots are what was found.

    Parameters
    ----------
    pairs : columns panel, i, j (positions in the order of drawing), name_i (text), evidence,
        federation_i.
    threshold : pairs up to it are compatible.
    """
    names = list(pairs["panel"].unique())
    figure, axes = panels(len(names), TEXT, 2.5, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        own = pairs[pairs["panel"] == name]
        matrix = own.pivot(index="i", columns="j", values="evidence")
        last = ax is axes[-1]
        sns.heatmap(
            matrix,
            ax=ax,
            cmap="rocket_r",
            square=True,
            linewidths=0.3,
            vmin=0,
            vmax=10 * threshold,
            cbar=last,
            cbar_kws={"shrink": 0.7, "extend": "max", "label": r"evidence, $-\log_{10} p$"},
        )
        clients = own.drop_duplicates("i").sort_values("i")
        found = clients["federation_i"].to_numpy()
        for i, j in np.argwhere(found[:, None] == found):
            ax.plot(j + 0.5, i + 0.5, "o", markersize=2.2, color=COLOURS[0])
        ax.set_xticks(np.arange(len(clients)) + 0.5, clients["name_i"].str[0], rotation=0)
        ax.set_yticks(np.arange(len(clients)) + 0.5, clients["name_i"], rotation=0)
        ax.tick_params(length=0, labelsize=6)
        ax.set(title=name, xlabel="client (its true group)", ylabel="")
    axes[0].set_ylabel("client (its true group)")
    return figure


@styled
def hostile(table: pd.DataFrame, of: int) -> Figure:
    """Seeds with exactly the true groups among honest clients, and their accuracy, by attack.

    Parameters
    ----------
    table : columns attack, hostile (how many), defence, seeds, honest_exact, honest_accuracy. A
        defence "a + b" finds what "a" does, and has no panel of its own on the left.
    of : the number of hostile clients whose accuracy is drawn.
    """
    defences, attacks = list(table["defence"].unique()), list(table["attack"].unique())
    shares = sorted(table["hostile"].unique())
    figure = Figure(figsize=(TEXT, 0.75 + 0.2 * len(attacks)))
    finding = [defence for defence in defences if "+" not in defence]
    widths = [len(shares)] * len(finding) + [9]
    axes = figure.subplots(1, len(widths), width_ratios=widths, sharey=True)
    for ax, defence in zip(axes, finding, strict=False):
        own = table[table["defence"] == defence]
        exact = own.pivot(index="attack", columns="hostile", values="honest_exact").loc[attacks]
        sns.heatmap(
            exact,
            ax=ax,
            cmap="cividis",
            vmin=0,
            vmax=1,
            cbar=False,
            linewidths=0.4,
            annot=(exact * own["seeds"].max()).round().astype(int),
            fmt="d",
            annot_kws={"size": 6},
        )
        ax.set(title=defence, xlabel="hostile", ylabel="")
        ax.tick_params(length=0)
    last = axes[-1]
    for k, defence in enumerate(defences):
        own = table[(table["defence"] == defence) & (table["hostile"] == of)].set_index("attack")
        where = np.arange(len(attacks)) + (k + 1) / (len(defences) + 1)
        last.plot(
            own["honest_accuracy"].reindex(attacks),
            where,
            MARKERS[k],
            color=COLOURS[k],
            label=defence,
        )
    last.set(title=f"{of} hostile", xlabel="accuracy", ylim=(len(attacks), 0))
    last.tick_params(axis="y", length=0)
    last.grid(axis="x", linewidth=0.3)
    figure.legend(*last.get_legend_handles_labels(), loc="outside lower right", ncols=len(defences))
    return figure


@styled
def poisoned(table: pd.DataFrame) -> Figure:
    """Accuracy of honest clients against the number of hostile ones, a panel per attack.

    Parameters
    ----------
    table : columns attack, seed, hostile, defence (the aggregation), honest_accuracy.
    """
    attacks = list(table["attack"].unique())
    figure, axes = panels(len(attacks), TEXT, 2.2, sharey=True)
    for ax, attack in zip(axes, attacks, strict=True):
        own = table[table["attack"] == attack]
        for k, (defence, rows) in enumerate(own.groupby("defence", sort=False)):
            by = rows.groupby("hostile")["honest_accuracy"]
            mean, half = np.array([mean_ci(values) for _, values in by]).T
            ax.errorbar(
                list(by.groups),
                mean,
                np.nan_to_num(half),
                label=defence,
                capsize=2,
                color=COLOURS[k],
                marker=MARKERS[k],
                linestyle=LINES[k],
            )
        ax.set(title=attack, xlabel="hostile clients", ylim=(0, 1))
        ax.set_xticks(sorted(own["hostile"].unique()))
    axes[0].set_ylabel("accuracy of honest clients")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
