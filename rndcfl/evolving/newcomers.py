"""Newcomers: place a client that joins later, at a cost that grows with federations, not clients.

A newcomer scores a few predictors of each federation on its own data and is compared with what the
federations' members reported of the same predictors: the test of :mod:`rndcfl.twosample` between
one client and a federation. It joins the one it is least unlike, or founds its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError, check_number
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria.calibrated import Calibrated
from rndcfl.engine.inputs import check_characters, readable
from rndcfl.evolving.watching import Standing
from rndcfl.novelty import fit, report
from rndcfl.predictors import Predictors, squared_errors
from rndcfl.reports import NOTHING, Report, Reports
from rndcfl.twosample import ProfileTest, profile_test

GONE = -1  # in labels: a client that has left
LEAST = 3  # samples of a newcomer: one to train, two to score


@dataclass(frozen=True)
class Placement:
    """Where a newcomer belongs.

    Attributes
    ----------
    federation : name of the federation it joins; a new name if it founds its own.
    founded : whether it does.
    evidence : federation -> -log10 of the adjusted p-value that it differs from the newcomer.
    predictor : its own, as it was sent, for discoveries to come; None by features.
    ledger : what the placement cost, under client 0.
    """

    federation: int
    founded: bool
    evidence: dict[int, float]
    ledger: Ledger
    predictor: Predictors | None = None


def choose(
    test: ProfileTest, names: Sequence[int], criterion: Calibrated, ledger: Ledger
) -> Placement:
    """Where a newcomer belongs, from the test among it (first) and the federations `names`.

    `ledger` : what it has cost to get there.
    """
    evidence = test.evidence[0, 1:] - np.log10(len(names))
    best = int(evidence.argmin())
    founded = bool(evidence[best] > criterion.threshold)
    federation = int(max(names) + 1 if founded else names[best])
    by_name = {int(name): float(e) for name, e in zip(names, evidence, strict=True)}
    return Placement(federation, founded, by_name, ledger)


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

        If its predictor represents the federation, it still does: it was sent before, and
        discloses nothing new.
        """
        labels = self.labels.copy()
        labels[client] = GONE
        return Federations(self.standing, labels, self.representatives)

    def place(self, newcomer: Client, criterion: Calibrated | None = None) -> Placement:
        """Test a newcomer against each federation.

        Parameters
        ----------
        newcomer : it trains its predictor and scores on held-out inputs, as in a discovery.
        criterion : its `alpha` is the probability that a client like a federation's members founds
            one of its own; default ``Calibrated()``.

        Returns
        -------
        Placement

        Raises
        ------
        InputError
            For samples of another shape, too few of them, or if all clients have left.
        """
        criterion = criterion or Calibrated()
        if newcomer.kind == "text":
            check_characters(0, newcomer.x)
        shape = tuple(self.standing.held_out[0][0].shape[1:])
        brought = readable(newcomer.x[:1], self.standing.seed, self.standing.rnd.max_side).shape[1:]
        scored = self.standing.rnd.n_scored(len(newcomer))
        if len(newcomer) < LEAST or scored < 2 or brought != shape:
            raise InputError(
                f"a newcomer brings at least {LEAST} samples of shape {shape}, "
                f"got {newcomer.x.shape}; two must be left to score"
            )
        names = [int(f) for f in np.unique(self.labels) if f != GONE]
        if not names:
            raise InputError("all clients have left; there is no federation to place a newcomer in")
        predictor, own, ledger = self._arrive(newcomer)
        rows = [own, *(self._federation(f) for f in names)]
        reports = Reports.of(rows, len(rows), np.arange(len(self.representatives)))
        test = profile_test(reports, criterion.min_effect)
        return replace(choose(test, names, criterion, ledger), predictor=predictor)

    def _arrive(self, newcomer: Client) -> tuple[Predictors, Report, Ledger]:
        """It trains and sends its predictor, scores the representatives and sends its report."""
        ledger, watch, standing = Ledger(), Stopwatch(), self.standing
        seed = int(numpy_rng(standing.seed, "newcomer").integers(2**31))
        only, rnd, target_seed = Clients((newcomer,), 0), standing.rnd, standing.seed
        own, [(x, wanted)] = fit(only, rnd, seed, ledger, target_seed=target_seed)
        representatives = standing.predictors.only(self.representatives.tolist())
        with watch.running():
            made = _without_novelty(squared_errors(representatives, x, wanted))
        r = len(self.representatives)
        ledger.add(
            "discovery/newcomer",
            0,
            bytes_up=made.n_bytes,
            bytes_down=r * own.bytes_each,
            multiply_adds=r * len(x) * standing.cost_each(),
            seconds=watch.seconds,
        )
        return own, made, ledger

    def _federation(self, name: int) -> Report:
        """All its members' held-out samples together."""
        members = np.flatnonzero(self.labels == name)
        errors = [self.standing.errors[i][self.representatives] for i in members]
        return _without_novelty(np.hstack(errors))


def _without_novelty(errors: np.ndarray) -> Report:
    return replace(report(errors, np.arange(len(errors))), novelty=NOTHING)
