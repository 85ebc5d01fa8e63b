"""From what the clients reported to federations, by either criterion (Algorithm 2)."""

from __future__ import annotations

import numpy as np

from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.criteria.linkage import calibrated_dissimilarity, group, log_excess, paper_dissimilarity
from rndcfl.criteria.robust import accepted, bounded, mended, refused_rows, set_apart, without
from rndcfl.federations import Discovery, ProfileDiscovery
from rndcfl.novelty import Reports
from rndcfl.twosample import profile_test


def judge(
    reports: Reports,
    ledger: Ledger,
    alpha: float,
    min_effect: float,
    scored_share: float,
    defence: str = "checked",
) -> ProfileDiscovery:
    """The calibrated criterion on what the clients reported (Algorithm 2 without a tolerance)."""
    if defence != "none":
        reports = without(reports, refused_rows(reports))
    if defence == "robust":
        reports = bounded(reports)
    test = profile_test(
        reports.samples,
        reports.profile,
        reports.covariance,
        reports.peers,
        min_effect,
        reports.noise,
    )
    kept, threshold = accepted(reports), -float(np.log10(alpha))
    among = calibrated_dissimilarity(test.evidence)[np.ix_(kept, kept)]
    dissimilarity = set_apart(among, reports, threshold)
    labels = group(dissimilarity, threshold, "cliques")
    if defence == "robust":
        labels = mended(labels, dissimilarity, threshold, reports, min_effect)
    return ProfileDiscovery(
        labels,
        reports.novelty,
        log_excess(reports.novelty),
        dissimilarity,
        threshold,
        None,
        "calibrated",
        reports,
        ledger,
        test.distance,
        alpha,
        min_effect,
        scored_share,
    )


def judge_paper(
    reports: Reports,
    ledger: Ledger,
    tolerance: float,
    reading: str = "average",
    grouping: str = "cliques",
    defence: str = "checked",
) -> Discovery:
    """The paper's criterion, Eq. 9, on what the clients reported."""
    reports = reports if defence == "none" else without(reports, refused_rows(reports))
    kept = accepted(reports)
    if len(kept) < 3:
        raise InputError(f"criterion 'paper' needs 3 clients, and {reports.refused} are refused")
    among = paper_dissimilarity(reports.novelty[np.ix_(kept, kept)], reading)
    dissimilarity = set_apart(among, reports, tolerance)
    return Discovery(
        group(dissimilarity, tolerance, grouping),
        reports.novelty,
        log_excess(reports.novelty),
        dissimilarity,
        tolerance,
        tolerance,
        f"paper_{reading}" + ("_cliques" if grouping == "cliques" else ""),
        reports,
        ledger,
    )
