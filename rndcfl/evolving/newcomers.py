"""Newcomers: place a client that joins later, at a cost that grows with federations, not clients.

A newcomer scores a few predictors of each federation on its own data and is compared with what the
federations' members reported of the same predictors: the test of :mod:`rndcfl.twosample` between
one client and a federation. It joins the one it is least unlike, or founds its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError, check_number
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.discovery import MIN_SAMPLES
from rndcfl.evolving.watching import Standing
from rndcfl.novelty import NUMBER, check_characters, fit, readable, report_row
from rndcfl.predictors import Predictors, squared_errors
from rndcfl.twosample import profile_test

GONE = -1  # in labels: a client that has left


@dataclass(frozen=True)
class Placement:
    """Where a newcomer belongs.

    Attributes
    ----------
    federation : name of the federation it joins; a new name if it founds its own.
    founded : whether it does.
    evidence : federation -> -log10 of the adjusted p-value that it differs from the newcomer.
    predictor : its own, as it was sent, for discoveries to come.
    ledger : what the placement cost, under client 0.
    """

    federation: int
    founded: bool
    evidence: dict[int, float]
    predictor: Predictors
    ledger: Ledger


@dataclass(frozen=True, eq=False)
class Federations:
    """What a server needs to place newcomers; take it with :meth:`of`.

    Attributes
    ----------
    standing : the exchange the federations came from.
    labels : federation of each client, int64 [N].
    representatives : clients whose predictors newcomers score, int64 [R].
    """

    standing: Standing
    labels: np.ndarray
    representatives: np.ndarray

    @classmethod
    def of(cls, standing: Standing, labels: np.ndarray, per_federation: int = 3) -> Federations:
        """The federations `labels` [N], each represented by up to `per_federation` predictors."""
        check_number("per_federation", per_federation, 1, whole=True)
        if len(labels) != len(standing.errors):
            raise InputError(f"{len(labels)} labels for {len(standing.errors)} clients")
        labels = np.asarray(labels)
        chosen = [np.flatnonzero(labels == f)[:per_federation] for f in np.unique(labels)]
        return cls(standing, labels, np.concatenate(chosen))

    def without(self, client: int) -> Federations:
        """The federations after a client has left; nothing else changes, and nothing is sent.

        Its predictor goes on to represent its federation, if it did: it was sent, and says
        nothing that it did not say before.
        """
        labels = self.labels.copy()
        labels[client] = GONE
        return Federations(self.standing, labels, self.representatives)

    def place(self, newcomer: Client, alpha: float = 0.01, min_effect: float = 0.1) -> Placement:
        """Test a newcomer against each federation.

        Parameters
        ----------
        newcomer : it trains its predictor and scores on held-out inputs, as in a discovery.
        alpha : probability that a client like a federation's members founds one of its own.
        min_effect : smallest distance that counts.

        Returns
        -------
        Placement

        Raises
        ------
        InputError
            For values out of range, samples of another shape, too few of them, or if all clients
            have left.
        """
        check_number("alpha", alpha, 1e-12, 0.5)
        check_number("min_effect", min_effect, 0.0, 100.0)
        if newcomer.x.dtype == np.int64:
            check_characters(0, newcomer.x)
        shape = tuple(self.standing.held_out[0][0].shape[1:])
        brought = readable(newcomer.x[:1], self.standing.seed).shape[1:]
        scored = self.standing.rnd.n_scored(len(newcomer))
        if len(newcomer) < MIN_SAMPLES or scored < 2 or brought != shape:
            raise InputError(
                f"a newcomer brings at least {MIN_SAMPLES} samples of shape {shape}, "
                f"got {newcomer.x.shape}; two must be left to score"
            )
        names = [int(f) for f in np.unique(self.labels) if f != GONE]
        if not names:
            raise InputError("all clients have left; there is no federation to place a newcomer in")
        predictor, report, ledger = self._arrive(newcomer)
        reports = [report, *(self._federation(f) for f in names)]
        samples, profile, covariance = map(np.stack, zip(*reports, strict=True))
        peers = np.arange(len(self.representatives))
        test = profile_test(samples, profile, covariance, peers, min_effect)
        evidence = test.evidence[0, 1:] - np.log10(len(names))
        best = int(evidence.argmin())
        founded = bool(evidence[best] > -np.log10(alpha))
        federation = max(names) + 1 if founded else names[best]
        return Placement(
            federation,
            founded,
            dict(zip(names, map(float, evidence), strict=True)),
            predictor,
            ledger,
        )

    def _arrive(
        self, newcomer: Client
    ) -> tuple[Predictors, tuple[int, np.ndarray, np.ndarray], Ledger]:
        """It trains and sends its predictor, scores the representatives and sends its profile."""
        ledger, watch, standing = Ledger(), Stopwatch(), self.standing
        seed = int(numpy_rng(standing.seed, "newcomer").integers(2**31))
        own, [(x, wanted)] = fit(
            Clients((newcomer,), 0), standing.rnd, seed, ledger, target_seed=standing.seed
        )
        representatives = standing.only(self.representatives.tolist())
        with watch.running():
            errors = squared_errors(representatives, x, wanted)
            _, mean, covariance = report_row(errors, np.arange(len(errors)))
        r = len(errors)
        ledger.add(
            "discovery/newcomer",
            0,
            bytes_up=NUMBER * (1 + r + r * (r + 1) // 2),
            bytes_down=r * own.bytes_each,
            multiply_adds=r * len(x) * standing.cost_each(),
            seconds=watch.seconds,
        )
        return own, (len(x), mean, covariance), ledger

    def _federation(self, name: int) -> tuple[int, np.ndarray, np.ndarray]:
        """All its members' held-out samples together."""
        members = np.flatnonzero(self.labels == name)
        errors = np.hstack([self.standing.errors[i][self.representatives] for i in members])
        _, mean, covariance = report_row(errors, np.arange(len(errors)))
        return errors.shape[1], mean, covariance
