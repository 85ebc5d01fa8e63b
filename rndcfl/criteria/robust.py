"""Defences of a discovery against clients that lie: refuse the impossible, bound the rest, mend.

*Checks* refuse what no honest client can send, whatever it has received; who is refused is left
alone. *Bounds* keep a claim from weighing more than those of peers: a client's samples count as at
most twice the median client's. *Mending* undoes what complete linkage lets a single client do. A
liar that claims to be like one client and unlike its peers is joined with that one first, and so
tears it away from them. But distances obey the triangle inequality: as long as claims are bounded,
who is near a client cannot be very far from that client's peers. So federations with a compatible
core are joined after all, unless two members are *clearly* different: told apart even if the
difference were a third smaller, and not only in their own eyes but in most clients'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
from torch import Tensor

from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.criteria.linkage import calibrated_dissimilarity, in_order_of_appearance
from rndcfl.novelty import Reports, profile_peers, score
from rndcfl.predictors import Predictors
from rndcfl.protocol.packing import WireError, check_packed, pack
from rndcfl.twosample import profile_test

DEFENCES = ("none", "checked", "robust")
WEIGHT = 2  # a client's samples count as at most so many times the median client's
CLEARLY = 1.5  # times what tells two clients apart; see clearly_different
LARGEST_LOG = 710.0  # of an error that is reported, up or down, see novelty.report_row


def screened(predictors: Predictors) -> tuple[Predictors, dict[int, str]]:
    """The predictors, those that no training yields set to zero, and who sent them and why."""
    packed, refused = pack(predictors), {}
    for i, row in enumerate(packed):
        try:
            check_packed(row[None], packed.shape[1])
        except WireError as error:
            refused[i] = str(error)
    if not refused:
        return predictors, refused
    parameters = {name: p.clone() for name, p in predictors.parameters.items()}
    for p in parameters.values():
        p[list(refused)] = 0
    return replace(predictors, parameters=parameters), refused


def score_checked(
    predictors: Predictors,
    held_out: list[tuple[Tensor, Tensor]],
    ledger: Ledger,
    seed: int,
    most: int,
) -> Reports:
    """What everybody reports of the predictors that pass :func:`screened`.

    Parameters
    ----------
    predictors, held_out, ledger : as for :func:`~rndcfl.novelty.score`.
    seed, most : which predictors make up the profile, see :func:`~rndcfl.novelty.profile_peers`.

    Raises
    ------
    InputError
        If no predictor passes.
    """
    predictors, refused = screened(predictors)
    if len(refused) == len(held_out):
        raise InputError(f"nobody's predictor can be used: {refused[0]}; take a smaller lr")
    peers = np.setdiff1d(profile_peers(len(held_out), seed, most), list(refused)).astype(np.int64)
    return replace(score(predictors, held_out, ledger, peers), refused=refused)


def refused_rows(reports: Reports) -> dict[int, str]:
    """Clients whose predictor was refused, or whose row cannot come from scoring; and why."""
    reasons = {i: _impossible(reports, i) for i in range(len(reports.samples))}
    return {i: reason for i, reason in reasons.items() if reason} | dict(reports.refused)


def _impossible(reports: Reports, i: int) -> str:
    """What is wrong with row i; nothing if all is well."""
    novelty, profile, covariance = reports.novelty[i], reports.profile[i], reports.covariance[i]
    if not all(np.isfinite(part).all() for part in (novelty, profile, covariance)):
        return "its row holds NaN or infinite values"
    if reports.samples[i] < (2 if len(profile) else 1):
        return "it scored too few samples"
    if (novelty < 0).any() or (np.abs(profile) > LARGEST_LOG).any():
        return "its scores are beyond those of any predictor"
    variances = np.diag(covariance)
    if (variances > 2 * LARGEST_LOG**2).any() or not np.allclose(
        covariance, covariance.T, atol=1e-9 * variances.max(initial=0)
    ):
        return "its covariance is none"
    if np.linalg.eigvalsh(covariance).min(initial=0) < -1e-6 * variances.max(initial=0):
        return "its covariance is not positive semidefinite"
    return ""


def without(reports: Reports, refused: dict[int, str]) -> Reports:
    """The reports with an accepted client's row in place of each refused one, and its novelty NaN.

    It is for the arithmetic only: whoever is refused is then :func:`set_apart`.
    """
    if not refused:
        return reports
    reports = replace(reports, refused=refused)
    kept, rows = accepted(reports), np.arange(len(reports.samples))
    if not len(kept):
        raise InputError(f"nobody's report can be used: {refused[0]}")
    rows[list(refused)] = kept[0]
    novelty = reports.novelty.copy()
    novelty[list(refused)] = np.nan
    return replace(
        reports,
        samples=reports.samples[rows],
        novelty=novelty,
        profile=reports.profile[rows],
        covariance=reports.covariance[rows],
    )


def accepted(reports: Reports) -> np.ndarray:
    """Clients that were not refused, int64 [K]."""
    return np.setdiff1d(np.arange(len(reports.samples)), list(reports.refused)).astype(np.int64)


def set_apart(among: np.ndarray, reports: Reports, threshold: float) -> np.ndarray:
    """The dissimilarity of the accepted clients [K, K] as one of all, [N, N].

    Whoever was refused is farther from everybody than anybody else, and incompatible.
    """
    if not reports.refused:
        return among
    n, kept = len(reports.samples), accepted(reports)
    everybody = np.full((n, n), max(threshold, among.max(initial=threshold)) + 1)
    everybody[np.ix_(kept, kept)] = among
    np.fill_diagonal(everybody, 0)
    return everybody


def bounded(reports: Reports) -> Reports:
    """The reports with numbers of samples of at most :data:`WEIGHT` times their median."""
    most = max(2, int(WEIGHT * np.median(reports.samples)))
    return replace(reports, samples=np.minimum(reports.samples, most))


def mended(
    labels: np.ndarray,
    dissimilarity: np.ndarray,
    threshold: float,
    reports: Reports,
    min_effect: float,
) -> np.ndarray:
    """Join federations that a few clients have torn apart.

    Two are joined if somebody in one is compatible with at least half of the other, and no two
    members are :func:`clearly_different`; those with the largest share of compatible pairs first.

    Parameters
    ----------
    labels : federations to mend, int64 [N].
    dissimilarity, threshold : which pairs are compatible, [N, N].
    reports : what the clients claim; nobody's number of samples unbounded.
    min_effect : as for :func:`~rndcfl.twosample.profile_test`.

    Returns
    -------
    int64 [N], numbered in order of first appearance.
    """
    compatible = dissimilarity <= threshold

    def candidates() -> Iterator[tuple[float, int, int]]:
        for f, g in combinations(np.unique(labels).tolist(), 2):
            pairs = compatible[np.ix_(labels == f, labels == g)]
            if max(pairs.mean(0).max(), pairs.mean(1).max()) >= 0.5:
                yield -float(pairs.mean()), f, g

    joining = True
    while joining:
        joining = False
        for _, f, g in sorted(candidates()):
            a, b = np.flatnonzero(labels == f), np.flatnonzero(labels == g)
            if not clearly_different(a, b, reports, threshold, min_effect).any():
                labels, joining = np.where(labels == g, f, labels), True
                break
    return in_order_of_appearance(labels)


def clearly_different(
    a: np.ndarray, b: np.ndarray, reports: Reports, threshold: float, min_effect: float
) -> np.ndarray:
    """Pairs that would be told apart even if their profiles were :data:`CLEARLY` times nearer.

    By their own covariances, which a liar may claim to be narrow, *and* by those of most clients.
    A larger factor lets liars tear less and glue more: honest clients who are clearly different
    never share a federation, whatever others claim, as long as most clients are honest.

    Parameters
    ----------
    a, b : two sets of clients, int64 [A] and [B].
    reports, threshold, min_effect : as for :func:`mended`.

    Returns
    -------
    bool [A, B]
    """
    who, n = np.concatenate([a, b]), len(reports.samples)
    samples, nearer = reports.samples[who], reports.profile[who] / CLEARLY
    m = nearer.shape[1]

    def told_apart(covariance: np.ndarray) -> np.ndarray:
        seen = np.broadcast_to(covariance, (len(who), m, m))
        test = profile_test(samples, nearer, seen, reports.peers, min_effect)
        return calibrated_dissimilarity(test.evidence, n)[: len(a), len(a) :] > threshold

    own = told_apart(reports.covariance[who])
    if not own.any():
        return own
    jury = reports.covariance[accepted(reports)]
    return own & (np.mean([told_apart(covariance) for covariance in jury], axis=0) > 0.5)
