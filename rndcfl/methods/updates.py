"""What clients learned in a round as vectors, and the groups that vectors or distances form."""

from __future__ import annotations

import numpy as np
import torch

from rndcfl.common.errors import check_number
from rndcfl.criteria.linkage import cluster
from rndcfl.engine.local import State
from rndcfl.methods.run import Run

METRICS = ("l1", "l2", "cosine")
LINKAGES = ("single", "average", "complete")


def updates(run: Run, trained: dict[int, State]) -> np.ndarray:
    """How far local training moved the parameters of each participant's model.

    Parameters
    ----------
    run : its models are those that training started from.
    trained : participant -> the model it has trained.

    Returns
    -------
    float32 [participants, P], in the order of `trained`; parameters only, no buffers. Zero where
    training has diverged, so that a run does not stop there.
    """
    names = [name for name, _ in run.network.named_parameters()]

    def moved(i: int) -> np.ndarray:
        start = run.models[run.labels[i]]
        return torch.cat([(trained[i][n] - start[n]).flatten() for n in names]).cpu().numpy()

    vectors = np.stack([moved(i) for i in trained])
    return np.nan_to_num(vectors, nan=0.0, posinf=0.0, neginf=0.0)


def distances(vectors: np.ndarray, metric: str) -> np.ndarray:
    """Distances between vectors [m, P] in one of :data:`METRICS`, [m, m].

    Cosine distance is 1 - cos, from 0 to 2; a vector of zeros is at distance 1 from all others.
    """
    from sklearn.metrics import pairwise_distances  # a second to import: only where needed

    return pairwise_distances(vectors, metric=metric)


def agglomerate(
    dissimilarity: np.ndarray,
    linkage: str,
    threshold: float | None = None,
    n_clusters: int | None = None,
) -> np.ndarray:
    """Hierarchical clustering, up to a threshold or down to a number of clusters.

    Parameters
    ----------
    dissimilarity : symmetric [m, m], zero on the diagonal.
    linkage : one of :data:`LINKAGES`.
    threshold : clusters at this distance or above are not merged; None if `n_clusters` is given.
    n_clusters : how many clusters; None if `threshold` is given.

    Returns
    -------
    int64 [m], numbered in order of first appearance.
    """
    below = None if threshold is None else np.nextafter(threshold, -np.inf)
    return cluster(dissimilarity, linkage, below, n_clusters)


def nearest_peer_threshold(dissimilarity: np.ndarray, factor: float) -> float:
    """`factor` times the median distance of a client [m, m] to the peer that is nearest to it.

    Our rule for methods whose papers give a threshold for their own data only. Where each client
    has a peer of its kind, the nearest peer shows how far apart clients of one distribution are, in
    whatever units; `factor` is how much farther they may be and still belong together.
    """
    others = np.where(np.eye(len(dissimilarity), dtype=bool), np.inf, dissimilarity)
    return factor * float(np.median(others.min(axis=1)))


def check_threshold(threshold: float | None, factor: float, name: str = "threshold") -> None:
    """Raise :class:`~rndcfl.common.errors.InputError` for a negative threshold or a factor below
    one."""
    if threshold is not None:
        check_number(name, threshold, 0.0)
    check_number("nearest", factor, 1.0)
