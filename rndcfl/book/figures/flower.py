"""Figures of the protocol on Flower: what travels, and what it would cost among many sites."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, panels, styled

COSTS = {
    "kb_down": "kB to each site",
    "wire_seconds": "seconds on the wire",
    "server_mb": "MB at the server",
}


@styled
def message_bytes(table: pd.DataFrame) -> Figure:
    """Bytes of each phase, up and down: messages beside the ledger's prediction.

    Parameters
    ----------
    table : one row per phase: phase, up, down, ledger_up, ledger_down.
    """
    figure, axes = panels(2, TEXT, 2.4, sharey=True)
    place = np.arange(len(table))[::-1]
    for ax, way, title in zip(
        axes, ("up", "down"), ("sites to server", "server to sites"), strict=True
    ):
        for k, (column, label, hatch) in enumerate(
            ((way, "sent", ""), (f"ledger_{way}", "ledger", "///"))
        ):
            kb = table[column] / 1e3
            ax.barh(
                place + 0.2 - 0.4 * k,
                kb,
                0.38,
                label=label,
                hatch=hatch,
                color=COLOURS[k],
                edgecolor="white",
            )
            for y, value in zip(place + 0.2 - 0.4 * k, kb, strict=True):
                text = f"{value:,.0f}" if value >= 1 else f"{value:.1f}" if value else "0"
                ax.annotate(
                    text,
                    (max(value, 0.03), y),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7,
                )
        ax.set(xscale="log", xlabel="kB", title=title)
        low, high = 0.03, float(table[["up", "down", "ledger_up", "ledger_down"]].max().max()) / 1e3
        ax.set_xlim(low, 12 * high)
    axes[0].set_yticks(place, table["phase"])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


@styled
def many_sites(table: pd.DataFrame) -> Figure:
    """What a discovery costs against the number of sites, all to all and with landmarks.

    Parameters
    ----------
    table : of :func:`rndcfl.flower.projection.project`.
    """
    figure, axes = panels(3, TEXT, 2.4)
    for k, (mode, rows) in enumerate(table.groupby("mode", sort=False)):
        look: dict[str, Any] = dict(color=COLOURS[k], markerfacecolor="white" if k else COLOURS[k])
        for ax, column in zip(axes, COSTS, strict=True):
            ax.plot(rows["sites"], rows[column], MARKERS[k], linestyle=LINES[k], label=mode, **look)
    for ax, label in zip(axes, COSTS.values(), strict=True):
        ax.set(xscale="log", yscale="log", xlabel="sites", ylabel=label)
        ax.yaxis.set_minor_formatter(NullFormatter())
    axes[1].set_title("calculated from message sizes, not run")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
