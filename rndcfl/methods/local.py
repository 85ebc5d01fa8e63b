"""Local training: no client averages with another. The floor for all collaboration."""

from __future__ import annotations

import numpy as np

from rndcfl.methods.base import Method
from rndcfl.methods.run import Run


class Local(Method):
    """Every client is its own federation."""

    def assign(self, round: int, run: Run) -> np.ndarray:
        return np.arange(len(run.clients))
