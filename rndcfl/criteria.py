"""Criteria: what the clients reported -> who is compatible with whom -> federations.

Pure functions of arrays. Each criterion is a symmetric dissimilarity and a threshold; federations
are the groups that hold together below it.
"""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from rndcfl.errors import check_name
from rndcfl.novelty import Reports

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


def calibrated_dissimilarity(reports: Reports) -> np.ndarray:
    """Evidence that two clients' data differ: -log10 of an adjusted p-value per pair.

    With log errors l_j(x) = log ||f_j(x) - f(x)||^2 on held-out samples, three questions per pair:

    *paired* (one-sided): is l_j - l_i on client i's samples plus l_i - l_j on client j's above
    zero? For equal distributions its mean is zero, whatever the predictors' quality.

    *direction* (two-sided, one per predictor): are the errors of predictor j on client i's samples
    of another level than on client j's own? Sees pure changes of scale, such as contrast.

    Each p-value (Welch's t) is multiplied by the number of questions asked, 3 N (N - 1) / 2
    (Bonferroni), so that the threshold is the probability of any false split at all.

    Parameters
    ----------
    reports : of N clients.

    Returns
    -------
    float64 [N, N], symmetric, zero on the diagonal.
    """
    n = len(reports.samples)
    v = reports.paired_var / reports.samples[:, None]
    paired = reports.paired_mean + reports.paired_mean.T
    log_p = _log_t_tail(paired, v, v.T, reports.samples)

    own_mean, own_var = np.diag(reports.log_mean), np.diag(reports.log_var)
    level = np.abs(reports.log_mean - own_mean[None, :])
    direction = np.log(2) + _log_t_tail(
        level,
        reports.log_var / reports.samples[:, None],
        np.broadcast_to(own_var / reports.samples, (n, n)),
        reports.samples,
    )
    log_p = np.minimum(log_p, np.minimum(direction, direction.T))
    evidence = -(log_p + np.log(3 * max(1, n * (n - 1) // 2))) / np.log(10)
    evidence = np.clip(evidence, 0.0, 300.0)
    np.fill_diagonal(evidence, 0.0)
    return evidence


def _log_t_tail(
    difference: np.ndarray, var_i: np.ndarray, var_j: np.ndarray, samples: np.ndarray
) -> np.ndarray:
    """log P(T > t) of Welch's t with variances `var_i`, `var_j` of the two means, [N, N]."""
    total = np.maximum(var_i + var_j, np.finfo(float).tiny)
    n_i, n_j = samples[:, None], samples[None, :]
    spread = np.maximum(var_i**2 / (n_i - 1) + var_j**2 / (n_j - 1), np.finfo(float).tiny)
    freedom = np.clip(total**2 / spread, 1.0, None)
    p = stats.t.sf(difference / np.sqrt(total), freedom)
    return np.log(np.maximum(p, 1e-300))


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
