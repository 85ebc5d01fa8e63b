"""Reports: what clients tell the server, made, checked, pooled and packed in one place.

A client is described by its *profile*: the mean over its samples x of a vector l(x) of functions
that all clients share, such as the log errors of everybody's predictors. Its report is the number
of samples, the profile, the covariance of l(x), and for the paper's criterion its row of novelty.
Sums of samples, of l and of l l' add up: a federation's report is that of one client that holds all
its members' samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError, WireError

NUMBER = np.dtype(np.float64).itemsize  # bytes of one number in a report
LARGEST_LOG = 710.0  # largest logarithm of an error that can be reported, up or down
NOTHING = np.empty(0)


def report_bytes(n: int, m: int) -> int:
    """Bytes of a report with `n` novelties and a profile of `m`; the covariance is symmetric."""
    return NUMBER * (1 + n + m + m * (m + 1) // 2)


@dataclass(frozen=True, eq=False)
class Report:
    """What one client tells the server.

    Attributes
    ----------
    samples : number of samples n that it looked at.
    profile : mean of l(x) over them, float64 [m].
    covariance : of l(x) over them, float64 [m, m].
    novelty : its row of Eq. 8, float64 [N]; empty where it is not sent.
    noise : variance of the noise that it added to each entry of its profile, for privacy.
    """

    samples: int
    profile: np.ndarray
    covariance: np.ndarray
    novelty: np.ndarray = field(default_factory=lambda: NOTHING)
    noise: float = 0.0

    @classmethod
    def of(cls, functions: np.ndarray, novelty: np.ndarray = NOTHING) -> Report:
        """From the values of l on each sample, [m, n]."""
        n = functions.shape[1]
        mean = functions.mean(1) if n else np.zeros(len(functions))
        centred = functions - mean[:, None]
        return cls(n, mean, centred @ centred.T / max(1, n - 1), novelty)

    @property
    def n_bytes(self) -> int:
        """Bytes of the report as it is sent."""
        return report_bytes(len(self.novelty), len(self.profile))

    def pack(self) -> np.ndarray:
        """Novelty, profile and half of the covariance as one array, float64 [N + m + m (m+1)/2]."""
        half = np.triu_indices(len(self.profile))
        return np.concatenate([self.novelty, self.profile, self.covariance[half]])

    @classmethod
    def unpack(cls, samples: int, row: np.ndarray, n: int, m: int) -> Report:
        """The report in an array of :meth:`pack`, of `n` novelties and a profile of `m`.

        Raises
        ------
        WireError
            For another type or length, NaN or infinite values, or novelty that is not positive.
        """
        width = n + m + m * (m + 1) // 2
        if row.dtype != np.float64 or row.shape != (width,):
            raise WireError(f"a row is float64 [{width}], got {row.dtype} {list(row.shape)}")
        if not np.isfinite(row).all():
            raise WireError("the row holds NaN or infinite values")
        if not (row[:n] > 0).all():
            raise WireError("the row holds novelty that is not positive")
        covariance = np.zeros((m, m))
        covariance[np.triu_indices(m)] = row[n + m :]
        covariance += np.triu(covariance, 1).T
        if not (np.diag(covariance) >= 0).all():
            raise WireError("the row holds a negative variance")
        return cls(samples, row[n : n + m], covariance, row[:n])

    def impossible(self, most: float = LARGEST_LOG) -> str:
        """Why no honest client can have sent this, if no function exceeds `most`; or nothing."""
        parts = self.novelty, self.profile, self.covariance
        if not all(np.isfinite(part).all() for part in parts):
            return "its row holds NaN or infinite values"
        if self.samples < (2 if len(self.profile) else 1):
            return "it scored too few samples"
        if (self.novelty < 0).any() or (np.abs(self.profile) > most).any():
            return "its scores are beyond those of any predictor"
        variances = np.diag(self.covariance)
        largest = variances.max(initial=0)
        symmetric = np.allclose(self.covariance, self.covariance.T, atol=1e-9 * largest)
        if (variances > 2 * most**2).any() or not symmetric:
            return "its covariance is none"
        if np.linalg.eigvalsh(self.covariance).min(initial=0) < -1e-6 * largest:
            return "its covariance is not positive semidefinite"
        return ""


@dataclass(frozen=True, eq=False)
class Reports(Sequence[Report]):
    """What all clients tell the server: report i is client i's.

    Attributes
    ----------
    samples : number of samples that each client looked at, int64 [N].
    profile : mean of l(x) over client i's samples, float64 [N, m].
    covariance : of l(x) over client i's samples, float64 [N, m, m].
    peers : the client that each entry of the profile comes from, int64 [m]; -1 if from nobody.
    novelty : s_ij (Eq. 8), mean squared error of predictor j on client i's samples, float64 [N, N];
        None where it is not sent.
    noise : variance of the noise on each entry of a client's profile, float64 [N]; None: no noise.
    refused : clients that sent what cannot be, with the reason; nobody's profile has theirs.
    share : of a client's samples that it looked at; with the others it trained its predictor.
    most : largest value of any l(x), up or down.
    """

    samples: np.ndarray
    profile: np.ndarray
    covariance: np.ndarray
    peers: np.ndarray
    novelty: np.ndarray | None = None
    noise: np.ndarray | None = None
    refused: Mapping[int, str] = field(default_factory=dict)
    share: float = 1.0
    most: float = LARGEST_LOG

    @classmethod
    def of(cls, rows: Iterable[Report], n: int, peers: np.ndarray, **about: Any) -> Reports:
        """The reports of `n` clients, one after the other; `about` sets the other attributes."""
        for i, row in enumerate(rows):
            if i == 0:
                m, noisy = len(row.profile), row.noise > 0
                samples, noise = np.empty(n, dtype=np.int64), np.empty(n)
                profile, covariance = np.empty((n, m)), np.empty((n, m, m))
                novelty = np.empty((n, len(row.novelty)))
            samples[i], profile[i], covariance[i] = row.samples, row.profile, row.covariance
            novelty[i], noise[i] = row.novelty, row.noise
        about.setdefault("novelty", novelty if novelty.size else None)
        about.setdefault("noise", noise if noisy else None)
        return cls(samples, profile, covariance, peers, **about)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, who: Any) -> Any:
        """Client `who`'s report; of several clients their reports about the same functions."""
        if isinstance(who, int | np.integer):
            novelty = NOTHING if self.novelty is None else self.novelty[who].copy()
            noise = 0.0 if self.noise is None else float(self.noise[who])
            mean, covariance = self.profile[who].copy(), self.covariance[who].copy()
            return Report(int(self.samples[who]), mean, covariance, novelty, noise)
        place = {int(client): k for k, client in enumerate(np.arange(len(self))[who])}
        peers = np.array([place.get(int(peer), -1) for peer in self.peers], dtype=np.int64)
        noises = None if self.noise is None else self.noise[who]
        own = self.samples[who], self.profile[who], self.covariance[who]
        return Reports(*own, peers, noise=noises, share=self.share, most=self.most)

    def replaced(self, rows: Mapping[int, Report]) -> Reports:
        """The reports with those of some clients replaced."""
        every = (rows.get(i, row) for i, row in enumerate(self))
        about = dict(refused=self.refused, share=self.share, most=self.most)
        return Reports.of(every, len(self), self.peers, **about)

    # --- what cannot be -------------------------------------------------------------------------

    @property
    def accepted(self) -> np.ndarray:
        """Clients that were not refused, int64 [K]."""
        return np.setdiff1d(np.arange(len(self)), list(self.refused)).astype(np.int64)

    def checked(self) -> Reports:
        """The reports without those that no honest client can have sent.

        Raises
        ------
        InputError
            If nobody's report can be used.
        """
        found = {i: row.impossible(self.most) for i, row in enumerate(self)}
        return self.without({i: reason for i, reason in found.items() if reason})

    def without(self, refused: Mapping[int, str]) -> Reports:
        """The reports without those of some clients (and the reasons), and of those refused before.

        Each has an accepted client's in its place, for the arithmetic only, and novelty NaN.
        """
        refused = dict(refused) | dict(self.refused)
        if not refused:
            return self
        kept = np.setdiff1d(np.arange(len(self)), list(refused))
        if not len(kept):
            raise InputError(f"nobody's report can be used: {refused[0]}")
        rows = np.arange(len(self))
        rows[list(refused)] = kept[0]
        novelty = None if self.novelty is None else self.novelty.copy()
        if novelty is not None:
            novelty[list(refused)] = np.nan
        return replace(
            self,
            samples=self.samples[rows],
            profile=self.profile[rows],
            covariance=self.covariance[rows],
            novelty=novelty,
            refused=refused,
        )

    # --- reports of federations -----------------------------------------------------------------

    def sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Number, sum of l and sum of l l' of each, [N], [N, m] and [N, m, m]."""
        n, mean = self.samples[..., None], self.profile
        products = n[..., None] * mean[..., :, None] * mean[..., None, :]
        return self.samples, n * mean, (n[..., None] - 1) * self.covariance + products

    @classmethod
    def of_sums(cls, n: np.ndarray, total: np.ndarray, products: np.ndarray) -> Reports:
        """The reports that have these sums, about functions that are nobody's."""
        mean = total / n[..., None]
        outer = mean[..., :, None] * mean[..., None, :]
        covariance = (products - n[..., None, None] * outer) / (n[..., None, None] - 1)
        return cls(n, mean, covariance, np.full(mean.shape[-1], -1))

    def pooled(self, labels: np.ndarray) -> Reports:
        """The report of each federation of `labels` [N], numbered from 0."""
        known = None
        for first in range(0, len(labels), 1024):
            some = slice(first, first + 1024)
            known = self[some].added_to(known, labels[some], labels.max() + 1)
        assert known is not None
        return known

    def added_to(self, known: Reports | None, labels: np.ndarray, k: int) -> Reports:
        """The reports of `k` federations after these clients have joined those of `labels`."""
        belongs = np.eye(k)[:, labels]
        parts = [np.tensordot(belongs, part, 1) for part in self.sums()]
        if known is not None:
            for part, before in zip(parts, known.sums(), strict=True):
                part[: len(before)] += before
        return Reports.of_sums(np.rint(parts[0]).astype(np.int64), *parts[1:])

    def less(self, members: Reports) -> Reports:
        """Federations, one for each of `members`, after that member has left."""
        parts = zip(self.sums(), members.sums(), strict=True)
        return Reports.of_sums(*(whole - part for whole, part in parts))
