"""Figures of scale: what a discovery costs against how many clients there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from rndcfl.book.figures.style import COLOURS, LINES, MARKERS, TEXT, panels, styled

NAMES = {"all_to_all": "all to all", "landmarks": "landmarks", "features": "features"}
COSTS = {"seconds": "seconds", "bytes_per_client": "kB per client", "peak_mb": "peak memory, MB"}


def exponent(clients: pd.Series, cost: pd.Series, largest: int = 3) -> float:
    """Slope of log cost against log clients over the `largest` numbers of clients (nan for one).

    Small numbers measure what there is before the first client; the slope is asked at the end.
    """
    means = np.log(cost).groupby(clients).mean().sort_index().tail(largest)
    if len(means) < 2:
        return float("nan")
    return float(np.polyfit(np.log(means.index.to_numpy(dtype=float)), means.to_numpy(), 1)[0])


@styled
def scaling(table: pd.DataFrame) -> Figure:
    """Seconds, bytes per client and peak memory against the number of clients, a line per mode.

    Parameters
    ----------
    table : one row per run: mode, clients, seconds, bytes_per_client, peak_mb.

    Notes
    -----
    Lines join geometric means over seeds, points are runs; beside each line its exponent, see
    :func:`exponent`.
    """
    figure, axes = panels(3, TEXT, 2.6)
    for k, (mode, rows) in enumerate(table.groupby("mode", sort=False)):
        look: dict[str, Any] = dict(color=COLOURS[k], markerfacecolor="white" if k else COLOURS[k])
        for ax, column in zip(axes, COSTS, strict=True):
            cost = rows[column] / (1e3 if column == "bytes_per_client" else 1)
            mean = np.exp(np.log(cost).groupby(rows["clients"]).mean())
            ax.plot(mean.index, mean, linestyle=LINES[k], **look)
            ax.plot(rows["clients"], cost, MARKERS[k], **look)
            power = exponent(rows["clients"], cost)
            if np.isfinite(power):
                text = f"$N^{{{max(power, 0):.1f}}}$"  # a slope of -0.0 is none
                ax.annotate(
                    text,
                    (mean.index[-1], mean.iloc[-1]),
                    xytext=(0, 6),
                    textcoords="offset points",
                    ha="center",
                    color=COLOURS[k],
                )
        axes[0].plot(
            [],
            [],
            linestyle=LINES[k],
            marker=MARKERS[k],
            label=NAMES.get(str(mode), str(mode)),
            **look,
        )
    for ax, label in zip(axes, COSTS.values(), strict=True):
        ax.set(xscale="log", yscale="log", xlabel="clients", ylabel=label)
        ax.margins(x=0.12, y=0.18)
        ax.yaxis.set_minor_formatter(NullFormatter())
    low, high = axes[2].get_ylim()
    axes[2].set_ylim(min(low, 100), max(high, 2000))  # a range of a few percent is no news
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
