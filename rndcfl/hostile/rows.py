"""Lying rows: what a client may report in place of how predictors do on its data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rndcfl.reports import Report, Reports

NARROW, WIDE = 1e-6, 1e6  # factors by which a liar misstates how much its errors scatter


class RowAttack(Protocol):
    """What client i reports."""

    def row(self, i: int, true: Reports, groups: np.ndarray) -> Report:
        """Its row, from the true ones of all clients and their groups, int64 [N]."""


@dataclass(frozen=True)
class Compatible(RowAttack):
    """Like all others: an own score so bad, and errors so scattered, that nothing is a surprise."""

    def row(self, i: int, true: Reports, groups: np.ndarray) -> Report:
        own = true[i]
        own.novelty[i : i + 1] = 10 * own.novelty.max(initial=0.0)  # by features there is none
        return replace(own, covariance=WIDE * own.covariance)


@dataclass(frozen=True)
class Incompatible(RowAttack):
    """Unlike all others: a perfect own score, and no scatter at all in very many samples."""

    def row(self, i: int, true: Reports, groups: np.ndarray) -> Report:
        own = true[i]
        own.novelty[i : i + 1] = own.novelty.min(initial=np.inf) / 1000
        return replace(own, samples=10**6, covariance=NARROW * own.covariance)


@dataclass(frozen=True)
class Twin(RowAttack):
    """The victim's own row, with no scatter in very many samples: like the victim alone.

    Complete linkage joins the most similar first, the liar with its victim, and that tears the
    victim away from its peers.
    """

    victim: int

    def row(self, i: int, true: Reports, groups: np.ndarray) -> Report:
        row = true[self.victim]
        return replace(row, samples=10**6, covariance=NARROW * row.covariance)


@dataclass(frozen=True)
class Wedge(RowAttack):
    """The victim's row, moved off its peers: nearer to the victim than they are, far from them.

    Every number of it is one that an honest client might send. `step` is the distance to the
    victim as a share of the nearest peer's.
    """

    victim: int
    step: float = 0.9

    def row(self, i: int, true: Reports, groups: np.ndarray) -> Report:
        row = true[self.victim]
        alike = groups == groups[self.victim]
        alike[[i, self.victim]] = False
        if not alike.any() or not len(row.profile):
            return row
        apart = row.profile - true.profile[alike]
        away, scale = apart.mean(0), row.covariance + 1e-9 * np.eye(len(row.profile))

        def length(v: np.ndarray) -> float:
            return float(np.sqrt(v @ np.linalg.solve(scale, v)))

        moved = self.step * min(map(length, apart)) / length(away) * away
        return replace(row, profile=row.profile + moved)


@dataclass(frozen=True)
class Impersonate(RowAttack):
    """The victim's row as it is: the liar is taken for the victim."""

    victim: int

    def row(self, i: int, true: Reports, groups: np.ndarray) -> Report:
        return true[self.victim]


@dataclass(frozen=True)
class Nonsense(RowAttack):
    """A row of NaN."""

    def row(self, i: int, true: Reports, groups: np.ndarray) -> Report:
        own = true[i]
        return replace(own, novelty=own.novelty * np.nan, profile=own.profile * np.nan)
