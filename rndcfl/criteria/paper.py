"""The paper's criterion, Eq. 9, in every reading.

Domini et al., arXiv 2606.30499: client j is compatible with client i if

    s_ij <= s_ii + epsilon sigma_i.                                                          (Eq. 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import Ledger
from rndcfl.criteria.base import DEFENCES, Criterion, set_apart, usable
from rndcfl.criteria.linkage import GROUPINGS, group
from rndcfl.federations import Discovery
from rndcfl.novelty import Profile
from rndcfl.predictors import RND
from rndcfl.reports import Reports

READINGS = ("mutual", "either", "average", "two_sided", "variance")


@dataclass(frozen=True)
class Paper(Criterion):
    """Eq. 9 with a tolerance.

    Parameters
    ----------
    tolerance : epsilon of Eq. 9. The paper does not publish its value.
    reading : how two directed compatibilities become one; ``"mutual"`` (both directions),
        ``"either"``, ``"average"`` (of the two excesses), ``"two_sided"`` (the authors' code,
        |s_ij - s_ii| < eps s_ii) or ``"variance"`` (the average with sigma_i a variance, as on the
        authors' slides). The paper does not say; the default serves it best (notebook 04).
    grouping : ``"components"`` (chains of compatible clients) or ``"cliques"`` (all pairs).
    defence : ``"checked"`` or ``"none"``.
    """

    tolerance: float
    reading: str = "average"
    grouping: str = "cliques"
    defence: str = "checked"

    budget: ClassVar[RND] = RND(train_share=1.0)  # trains and scores on the same samples
    most_peers: ClassVar[int] = 0
    least_scored: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_name("reading", self.reading, READINGS)
        check_name("grouping", self.grouping, GROUPINGS)
        check_name("defence", self.defence, DEFENCES)
        if self.defence == "robust":
            raise InputError("defence 'robust' goes with criterion 'calibrated'; take 'checked'")
        if self.tolerance is None:
            raise InputError(
                "criterion 'paper' needs tolerance=epsilon (the paper does not publish one); "
                "criterion 'calibrated' needs none"
            )
        check_number("tolerance", self.tolerance, -1e9, 1e9)

    def check(self, clients: Clients, profile: Profile) -> None:
        if len(clients) < 3:
            raise InputError(f"criterion 'paper' needs at least 3 clients, got {len(clients)}")
        super().check(clients, profile)

    def judge(self, reports: Reports, ledger: Ledger) -> Discovery:
        reports = usable(reports, self.defence)
        kept, novelty = reports.accepted, reports.novelty
        if len(kept) < 3:
            raise InputError(f"criterion 'paper' needs 3 clients; refused: {reports.refused}")
        if novelty is None:
            raise InputError("criterion 'paper' judges novelty, which these reports do not hold")
        among = paper_dissimilarity(novelty[np.ix_(kept, kept)], self.reading)
        dissimilarity = set_apart(among, reports, self.tolerance)
        labels = group(dissimilarity, self.tolerance, self.grouping)
        name = f"paper_{self.reading}" + ("_cliques" if self.grouping == "cliques" else "")
        threshold = self.tolerance
        return Discovery(labels, dissimilarity, threshold, self.tolerance, name, reports, ledger)


def paper_dissimilarity(novelty: np.ndarray, reading: str = "mutual") -> np.ndarray:
    """Eq. 9 as a symmetric dissimilarity: the smallest tolerance at which i and j are compatible.

    The paper calls d_j compatible with d_i if s_ij <= s_ii + eps * sigma_i, with sigma_i the spread
    of client i's scores over its peers (here: standard deviation over j != i). It does not say how
    the two directions combine; `reading` does. With x_ij = (s_ij - s_ii) / sigma_i it is

    * ``"mutual"``: max(x_ij, x_ji)
    * ``"either"``: min(x_ij, x_ji)
    * ``"average"``: (x_ij + x_ji) / 2
    * ``"two_sided"``: the larger of |s_ij - s_ii| / s_ii and |s_ji - s_jj| / s_jj
    * ``"variance"``: as average, divided by sigma_i^2. It is not scale-free: scores c times as
      large need a tolerance c times as small, and scores change with the target network.

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
    spread = peers.var if reading == "variance" else peers.std
    directed = (novelty - own) / spread(axis=1, keepdims=True)
    if reading == "mutual":
        return np.maximum(directed, directed.T)
    if reading == "either":
        return np.minimum(directed, directed.T)
    return (directed + directed.T) / 2
