"""The one question every criterion answers: what do the reports say about who is alike?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError, check_name
from rndcfl.common.ledger import Ledger
from rndcfl.federations import Discovery
from rndcfl.novelty import MAX_PROFILE, Profile
from rndcfl.predictors import RND
from rndcfl.reports import Reports

DEFENCES = ("none", "checked", "robust")  # against clients that lie, see criteria.robust


class Criterion(ABC):
    """A criterion; its parameters are those of its constructor.

    A subclass is a frozen dataclass: it stores its parameters once, checks them when it is made,
    and needs a file of its own and, to have a name, an entry in ``CRITERIA``.

    Attributes
    ----------
    budget : networks and budget where the user names none.
    most_peers : most predictors in a client's profile; 0 if only novelty is looked at.
    least_scored : samples that each client must have to report on.
    defence : what it does about clients that lie, one of :data:`DEFENCES`.
    """

    budget: ClassVar[RND] = RND()
    most_peers: ClassVar[int] = MAX_PROFILE
    least_scored: ClassVar[int] = 2  # a variance needs two
    defence: str = "checked"

    def check(self, clients: Clients, profile: Profile) -> None:
        """Raise :class:`~rndcfl.common.errors.InputError` if it cannot judge these clients.

        It can where :meth:`too_few` leaves somebody to compare.

        Parameters
        ----------
        clients : all of them.
        profile : what they are compared by.
        """
        check_name("defence", self.defence, DEFENCES)
        if len(self.too_few(clients, profile)) == len(clients):
            self.check_samples(0, len(clients[0]), profile)

    def too_few(self, clients: Sequence[Client], profile: Profile) -> dict[int, str]:
        """Clients with too few samples to compare, and the reason; they are left alone."""
        return {
            i: f"it has {len(client)} sample{'s' * (len(client) != 1)}, too few to compare"
            for i, client in enumerate(clients)
            if profile.scored(len(client)) < self.least_scored
        }

    def check_samples(self, i: int, n: int, profile: Profile) -> None:
        """Raise :class:`~rndcfl.common.errors.InputError` if client i's `n` samples are too few."""
        scored = profile.scored(n)
        if scored < self.least_scored:
            raise InputError(
                f"client {i} has {n} samples, {scored} of them left to compare; at least "
                f"{self.least_scored} must be: give it more"
                + (", or take a smaller train_share" if scored < n else "")
            )

    @abstractmethod
    def judge(self, reports: Reports, ledger: Ledger) -> Discovery:
        """The federations that the reports amount to (Algorithm 2).

        Parameters
        ----------
        reports : of all clients.
        ledger : what it has cost to get them; it goes into the discovery.
        """


def usable(reports: Reports, defence: str) -> Reports:
    """The reports to judge: as they are, or without those that cannot be."""
    return reports if defence == "none" else reports.checked()


def set_apart(among: np.ndarray, reports: Reports, threshold: float) -> np.ndarray:
    """The dissimilarity of the accepted clients [K, K] as one of all, [N, N].

    Whoever was refused is farther from everybody than anybody else, and incompatible.
    """
    if not reports.refused:
        return among
    n, kept = len(reports), reports.accepted
    everybody = np.full((n, n), max(threshold, among.max(initial=threshold)) + 1)
    everybody[np.ix_(kept, kept)] = among
    np.fill_diagonal(everybody, 0)
    return everybody
