"""Criteria: what the clients reported -> who is compatible with whom -> federations.

Pure functions of arrays. Each criterion is a symmetric dissimilarity and a threshold; federations
are the groups that hold together below it.
"""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from rndcfl.common.errors import check_name

READINGS = ("mutual", "either", "average", "two_sided")
GROUPINGS = {"components": "single", "cliques": "complete"}


def log_excess(novelty: np.ndarray) -> np.ndarray:
    """How much two clients' predictors do worse on each other's data than on their own.

    e_ij = (log s_ij + log s_ji - log s_ii - log s_jj) / 2

    Symmetric, zero for equal distributions, and free of scale: the quality of a predictor, which
    shifts a whole column of s, cancels.

    Parameters
    ----------
    novelty : s_ij, [N, N], positive.

    Returns
    -------
    float64 [N, N]
    """
    logs = np.log(novelty)
    own = np.diag(logs)
    return (logs + logs.T - own[:, None] - own[None, :]) / 2


def paper_dissimilarity(novelty: np.ndarray, reading: str = "mutual") -> np.ndarray:
    """Eq. 9 as a symmetric dissimilarity: the smallest tolerance at which i and j are compatible.

    The paper calls d_j compatible with d_i if s_ij <= s_ii + eps * sigma_i, with sigma_i the spread
    of client i's scores over its peers (here: standard deviation over j != i). It does not say how
    the two directions combine; `reading` does.

    Parameters
    ----------
    novelty : s_ij, [N, N].
    reading : one of :data:`READINGS`.

    Returns
    -------
    float64 [N, N], zero on the diagonal.
    """
    own = np.diag(novelty)[:, None]
    if reading == "two_sided":
        directed = np.abs(novelty - own) / own
        return np.maximum(directed, directed.T)
    peers = novelty[~np.eye(len(novelty), dtype=bool)].reshape(len(novelty), -1)
    directed = (novelty - own) / peers.std(axis=1, keepdims=True)
    if reading == "mutual":
        return np.maximum(directed, directed.T)
    if reading == "either":
        return np.minimum(directed, directed.T)
    return (directed + directed.T) / 2


def calibrated_dissimilarity(evidence: np.ndarray, n: int | None = None) -> np.ndarray:
    """Evidence that two clients' data differ: -log10 of an adjusted p-value per pair.

    Each p-value is multiplied by the number of pairs, N (N - 1) / 2 (Bonferroni), so that the
    threshold -log10(alpha) bounds the probability of any false alarm at all. Adjusted values above
    1 are kept, so that the most similar clients are joined first.

    Parameters
    ----------
    evidence : -log10 p of a two-sample test per pair, [N, N], see
        :func:`rndcfl.twosample.profile_test`.
    n : how many clients there are in all, where `evidence` is about some of them only.

    Returns
    -------
    float64 [N, N], symmetric, zero on the diagonal.
    """
    itself = np.eye(len(evidence), dtype=bool)
    return np.where(itself, 0.0, evidence - np.log10(n_pairs(n or len(evidence))))


def n_pairs(n: int) -> int:
    """Number of pairs of n clients, at least 1."""
    return max(1, n * (n - 1) // 2)


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
    if len(dissimilarity) == 1:
        return np.zeros(1, dtype=np.int64)
    distances = squareform(np.where(np.eye(len(dissimilarity)), 0, dissimilarity), checks=False)
    low = min(0.0, distances.min())  # SciPy wants distances that are not negative
    tree = linkage(distances - low, GROUPINGS[grouping])
    return in_order_of_appearance(fcluster(tree, threshold - low, "distance"))


def in_order_of_appearance(labels: np.ndarray) -> np.ndarray:
    """Renumber labels 0, 1, ... in order of first appearance, int64 [N]."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
