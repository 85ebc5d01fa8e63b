"""RND: discover the federations before training (Domini et al., arXiv 2606.30499, Algorithm 2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria import Calibrated, Criterion
from rndcfl.discovery import PARAMETERS, Discoverer
from rndcfl.engine.local import State
from rndcfl.evolving.reported import Reported
from rndcfl.evolving.watching import Standing, same_names
from rndcfl.features import Features
from rndcfl.methods.base import Method
from rndcfl.methods.run import Run

DOUBT = 0.01  # once there is an alarm, a client whose p-value is below counts as changed, too


class RNDMethod(Method):
    """Federations discovered at round 0, and again every `recluster_every` rounds or on a signal.

    A federation keeps its name and model over a re-discovery (it is matched to the old one it
    shares most clients with); a client that moves takes over the model of where it goes.

    Parameters
    ----------
    criterion, tolerance, **params : as for :func:`rndcfl.discovery.discover`.
    recluster_every : the paper's tau; None (tau to infinity) discovers once.
    on_signal : discover again when fresh samples show that a client's data have changed, and send
        only what changed (:mod:`rndcfl.evolving.watching`). For data that change, see
        :class:`rndcfl.Drift`.
    signal_alpha : probability of a false alarm in a round, over all clients.
    signal_samples : fresh samples that a client looks at in each round.
    """

    def __init__(
        self,
        criterion: str | Criterion = "calibrated",
        tolerance: float | None = None,
        recluster_every: int | None = None,
        on_signal: bool = False,
        signal_alpha: float = 5e-4,
        signal_samples: int = 64,
        **params: Any,
    ) -> None:
        if recluster_every is not None:
            check_number("recluster_every", recluster_every, 1, whole=True)
        by_test = criterion == "calibrated" or isinstance(criterion, Calibrated)
        if on_signal and (recluster_every is not None or not by_test):
            raise InputError(
                "on_signal=True goes with criterion 'calibrated' and without recluster_every"
            )
        if on_signal and params.get("labels"):
            raise InputError("on_signal=True watches inputs only; leave out labels=True")
        if params.get("privacy") is not None and (on_signal or recluster_every is not None):
            raise InputError("privacy promises one discovery; leave out recluster_every, on_signal")
        check_number("signal_alpha", signal_alpha, 1e-12, 0.5)
        check_number("signal_samples", signal_samples, 2, whole=True)
        own = ("recluster_every", "on_signal", "signal_alpha", "signal_samples")
        for name in params:
            check_name("parameter of method 'rnd'", name, (*own, *PARAMETERS))
        self.how = Discoverer.of(criterion, tolerance, **params)
        self.standing: Standing | Reported
        self.seen: Clients | None = None
        self.every, self.on_signal = recluster_every, on_signal
        self.alarm, self.fresh = signal_alpha, signal_samples

    def check(self, clients: Clients) -> None:
        self.how.check(clients)
        for i, client in enumerate(clients if self.on_signal else []):
            self.how.criterion.check_samples(i, len(client), self.how.profile)

    def assign(self, round: int, run: Run) -> np.ndarray:
        ledger = Ledger()
        if self.on_signal:
            if run.tamper is not None:
                raise InputError("on_signal=True simulates no attacks; leave out tamper")
            labels = self._on_signal(round, run, ledger)
        elif round == 0 or (self.every is not None and round % self.every == 0):
            later = discovery_seed(run.seed, round)
            found = self.how.discover(run.clients, later, run.tamper)
            ledger, labels = found.ledger, found.labels
        else:
            return run.labels
        run.ledger.extend(ledger, round)
        return labels if round == 0 else same_names(run.labels, labels)

    def models(self, labels: np.ndarray, run: Run) -> dict[int, State]:
        return {f: run.models.get(f, model) for f, model in super().models(labels, run).items()}

    def _on_signal(self, round: int, run: Run, ledger: Ledger) -> np.ndarray:
        if round == 0:
            profile = self.how.profile
            self.standing = (
                Reported.start(run.clients, profile, run.seed, ledger)
                if isinstance(profile, Features)
                else Standing.start(run.clients, profile.rnd, run.seed, ledger)
            )
        elif run.clients is self.seen:  # nothing new has come in
            return run.labels
        else:
            p = self.standing.watch(run.clients, round, self.fresh, ledger)
            alarmed = p < self.alarm / len(p)
            if not alarmed.any():
                return run.labels
            again = self.standing.watch(run.clients, round, 5 * self.fresh, ledger)
            changed = alarmed | (again < DOUBT)
            self.standing.refresh(run.clients, np.flatnonzero(changed).tolist(), round, ledger)
        self.seen = run.clients
        return self.standing.discovery(self.how.criterion, ledger).labels


def discovery_seed(seed: int, round: int) -> int:
    """The first discovery is ``discover(clients, seed=seed)``; later ones draw afresh."""
    return int(numpy_rng(seed, "discovery", round).integers(2**31)) if round else seed
