"""The calibrated criterion: a two-sample test at a level instead of a tolerance.

Clients whose profiles Hotelling's test (:mod:`rndcfl.twosample`) does not tell apart share a
federation; complete linkage, so that one detected stranger keeps two groups apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import Ledger
from rndcfl.criteria.base import DEFENCES, Criterion, set_apart, usable
from rndcfl.criteria.linkage import group
from rndcfl.criteria.robust import bounded, mended
from rndcfl.federations import ProfileDiscovery
from rndcfl.novelty import Profile
from rndcfl.reports import Reports
from rndcfl.twosample import adjusted, profile_test


@dataclass(frozen=True)
class Calibrated(Criterion):
    """A test at level `alpha` that needs no tolerance.

    Parameters
    ----------
    alpha : probability of splitting off anybody when all clients are alike.
    min_effect : smallest distance between two clients that counts, in standard deviations of what
        samples are compared by (:mod:`rndcfl.twosample`). With enough samples any two real clients
        differ; at the default of 0.1 the best guess whose sample one is looking at is right in 52
        of 100 cases.
    defence : ``"checked"`` leaves alone whoever sends what cannot be; ``"robust"`` also bounds what
        a claim weighs and joins what liars tear apart, at the price of groups that are hardly told
        apart (:mod:`rndcfl.criteria.robust`); ``"none"``.
    """

    alpha: float = 0.01
    min_effect: float = 0.1
    defence: str = "checked"

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 1e-12, 0.5)
        check_number("min_effect", self.min_effect, 0.0, 100.0)
        check_name("defence", self.defence, DEFENCES)

    def check(self, clients: Clients, profile: Profile) -> None:
        if not profile.held_out:
            raise InputError(
                "criterion 'calibrated' scores on held-out samples; take train_share < 1"
            )
        super().check(clients, profile)

    def judge(self, reports: Reports, ledger: Ledger) -> ProfileDiscovery:
        reports = usable(reports, self.defence)
        if self.defence == "robust":
            reports = bounded(reports)
        test = profile_test(reports, self.min_effect)
        kept, threshold = reports.accepted, self.threshold
        among = adjusted(test.evidence)[np.ix_(kept, kept)]
        dissimilarity = set_apart(among, reports, threshold)
        labels = group(dissimilarity, threshold, "cliques")
        if self.defence == "robust":
            labels = mended(labels, dissimilarity, threshold, reports, self.min_effect)
        return ProfileDiscovery(
            labels,
            dissimilarity,
            threshold,
            None,
            "calibrated",
            reports,
            ledger,
            test.distance,
            self.alpha,
            self.min_effect,
        )

    @property
    def threshold(self) -> float:
        """Evidence, as -log10 of an adjusted p-value, that tells two clients apart."""
        return -float(np.log10(self.alpha))
