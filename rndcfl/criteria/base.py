"""The one question every criterion answers: what do the reports say about who is alike?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name
from rndcfl.common.ledger import Ledger
from rndcfl.federations import Discovery
from rndcfl.novelty import MAX_PROFILE
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
    least_scored : samples that each client must have left to score with.
    defence : what it does about clients that lie, one of :data:`DEFENCES`.
    """

    budget: ClassVar[RND] = RND()
    most_peers: ClassVar[int] = MAX_PROFILE
    least_scored: ClassVar[int] = 2  # a variance needs two
    defence: str = "checked"

    def check(self, clients: Clients, rnd: RND) -> None:
        """Raise :class:`~rndcfl.common.errors.InputError` if it cannot judge these clients."""
        check_name("defence", self.defence, DEFENCES)
        for i, client in enumerate(clients):
            if rnd.n_scored(len(client)) < self.least_scored:
                raise InputError(
                    f"client {i}: of {len(client)} samples {rnd.n_train(len(client))} would train "
                    f"and fewer than {self.least_scored} be left to score; take a smaller "
                    "train_share"
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
