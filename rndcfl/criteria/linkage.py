"""Linkage: a dissimilarity between clients and a threshold -> federations."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from rndcfl.common.errors import check_name

GROUPINGS = {"components": "single", "cliques": "complete"}


def group(dissimilarity: np.ndarray, threshold: float, grouping: str = "components") -> np.ndarray:
    """Federations: clients joined below a threshold.

    Parameters
    ----------
    dissimilarity : symmetric [N, N]; the diagonal is ignored.
    threshold : pairs up to and including it are compatible.
    grouping : ``"components"``: chains of compatible clients belong together (single linkage);
        ``"cliques"``: all pairs must be compatible (complete linkage), so that one detected
        stranger keeps two groups apart.

    Returns
    -------
    int64 [N], numbered in order of first appearance.
    """
    check_name("grouping", grouping, GROUPINGS)
    return cluster(dissimilarity, GROUPINGS[grouping], threshold)


def cluster(
    dissimilarity: np.ndarray,
    method: str,
    threshold: float | None = None,
    n_clusters: int | None = None,
) -> np.ndarray:
    """Hierarchical clustering, up to a threshold or down to a number of clusters.

    Parameters
    ----------
    dissimilarity : symmetric [N, N]; the diagonal is ignored.
    method : ``"single"``, ``"average"`` or ``"complete"`` linkage.
    threshold : clusters up to and including this distance are merged; for None see `n_clusters`.
    n_clusters : how many clusters, if there is no threshold.

    Returns
    -------
    int64 [N], numbered in order of first appearance.
    """
    n = len(dissimilarity)
    if n == 1:
        return np.zeros(1, dtype=np.int64)
    distances = squareform(np.where(np.eye(n), 0, dissimilarity), checks=False)
    low = min(0.0, distances.min())  # SciPy wants distances that are not negative
    tree = linkage(distances - low, method)
    if threshold is not None:
        return in_order_of_appearance(fcluster(tree, threshold - low, "distance"))
    assert n_clusters is not None
    merges = np.arange(n - 1.0)  # the first n - k of them leave k clusters, also where some tie
    return in_order_of_appearance(fcluster(tree, n - n_clusters - 1, "monocrit", monocrit=merges))


def in_order_of_appearance(labels: np.ndarray) -> np.ndarray:
    """Renumber labels 0, 1, ... in order of first appearance, int64 [N]."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
