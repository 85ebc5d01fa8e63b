"""What tells the federations apart, in terms of the data: columns, mean images, mean series.

Calculated from samples that the caller's own process holds; no client would send this.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from rndcfl.clients import Clients

MOST = 12  # columns that are shown


def columns(clients: Clients, labels: np.ndarray, most: int = MOST) -> pd.DataFrame:
    """The columns of a table whose means differ most between federations.

    Returns
    -------
    One row per column: column, apart (largest difference of two federations' means, in standard
    deviations within them), and the mean of each federation in the column's own unit.
    """
    x, where = _pooled(clients, labels)
    means = np.stack([x[where == f].mean(0) for f in range(labels.max() + 1)])
    within = np.sqrt(((x - means[where]) ** 2).mean(0))
    spread = np.ptp(means, axis=0)
    apart = np.divide(spread, within, out=np.where(spread > 0, np.inf, 0.0), where=within > 0)
    centre, unit = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if clients.units is not None:
        centre, unit = clients.units
    names = clients.columns or tuple(f"column {k}" for k in range(x.shape[1]))
    table = pd.DataFrame({"column": names, "apart": apart})
    for f, mean in enumerate(means):
        shown = mean * unit + centre
        table[f"federation {f}"] = np.round(shown / unit, 5) * unit  # samples are of float32
    table = table.sort_values("apart", ascending=False, kind="stable", ignore_index=True)
    return table[table["apart"] > 0].head(most)


def mean_samples(clients: Clients, labels: np.ndarray) -> np.ndarray:
    """The mean image or series of each federation, [federations, C, H, W] or [..., C, T]."""
    return _each(labels, lambda who: _mean([clients[i].x for i in who]))


def label_shares(clients: Clients, labels: np.ndarray) -> pd.DataFrame | None:
    """The share of each class in each federation; None where there is no label for each sample."""
    if any(c.y is None or c.y.ndim != 1 for c in clients) or not clients.n_classes:
        return None

    def shares(who: np.ndarray) -> np.ndarray:
        counts = sum(np.bincount(clients[i].y, minlength=clients.n_classes) for i in who)
        return np.asarray(counts / np.sum(counts))

    names = [str(name) for name in clients.classes or range(clients.n_classes)]
    table = pd.DataFrame(_each(labels, shares), columns=names)
    table.insert(0, "federation", range(len(table)))
    return table


def _pooled(clients: Clients, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All rows, and the federation that each is in."""
    x = np.concatenate([c.x.astype(np.float64) for c in clients])
    return x, np.repeat(labels, [len(c) for c in clients])


def _mean(parts: list[np.ndarray]) -> np.ndarray:
    total = sum(part.sum(0, dtype=np.float64) for part in parts)
    return np.asarray(total / sum(map(len, parts)))


def _each(labels: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.stack([of(np.flatnonzero(labels == f)) for f in range(labels.max() + 1)])
