"""Features made private: mean and covariance of clipped outputs under Gaussian noise.

No predictor is trained, so that no gradient needs noise: the report is all that a client sends, and
the whole promise is spent on it. A sample x enters it as one vector, made of the frozen network's
outputs in units that are public, because everybody can evaluate the network on a blank input,

    v = (f(x) - f(blank)) / (||f(1)|| / 4),    scaled down to norm 1 at most,

where `blank` is one half everywhere for images, which lie in [0, 1], and zero for all else. The
rest is :func:`rndcfl.privacy.reports.private_report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rndcfl.clients import Client
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.features import Features, Frozen
from rndcfl.predictors import RND
from rndcfl.privacy.reports import private_report
from rndcfl.reports import Report, Reports

# Noise has a share in each output: fewer of them drown in less. Of 8, 16, 32 and 64 these served
# best at epsilon 0.5 to 4, and units of a tenth to two fifths of ||f(1)|| were alike.
FEW = RND(embedding=16, max_samples=None)
UNIT = 0.25


@dataclass(frozen=True)
class PrivateFeatures:
    """As :class:`rndcfl.features.Features`, with private reports.

    Parameters
    ----------
    features : what is made private.
    epsilon, delta : the promise.
    secret : seed of the noise, which must not be known.
    """

    features: Features
    epsilon: float
    delta: float
    secret: int

    @property
    def held_out(self) -> bool:
        """No sample has trained the network."""
        return True

    def scored(self, n: int) -> int:
        """How many of a client's `n` samples it looks at."""
        return self.features.scored(n)

    def prepare(self, clients: Sequence[Client], seed: int, ledger: Ledger) -> tuple[Frozen, Any]:
        """The functions that all share, and the clients."""
        return self.features.prepare(clients, seed, ledger)

    def reports(
        self, shared: Frozen, held_out: Sequence[Client], seed: int, ledger: Ledger
    ) -> Reports:
        """Everybody's mean and covariance of v, with noise."""
        kind = held_out[0].kind
        blank = shared.at(0.5 if kind == "images" else 0.0)
        unit = UNIT * float(np.linalg.norm(shared.at(1.0))) or 1.0
        rows = []
        for i, client in enumerate(held_out):
            make = partial(self._private, blank=blank, unit=unit, i=i)
            rows.append(shared.report(client, i, ledger, make=make))
        return Reports.of(rows, len(rows), shared.peers)

    def _private(self, outputs: np.ndarray, blank: np.ndarray, unit: float, i: int) -> Report:
        v = (outputs - blank[:, None]) / unit
        v /= np.maximum(1.0, np.linalg.norm(v, axis=0))
        rng = numpy_rng(self.secret, "private row", i)
        return private_report(v, self.epsilon, self.delta, rng)
