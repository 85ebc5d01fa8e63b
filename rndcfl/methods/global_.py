"""Global FedAvg (McMahan et al., arXiv 1602.05629): all clients average with each other."""

from __future__ import annotations

import numpy as np

from rndcfl.methods.base import Method
from rndcfl.methods.run import Run


class Global(Method):
    """One federation of all clients."""

    def assign(self, round: int, run: Run) -> np.ndarray:
        return np.zeros(len(run.clients), dtype=np.int64)
