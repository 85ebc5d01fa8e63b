"""Reports by hand, for criteria to judge."""

import numpy as np
import pytest

from rndcfl.reports import Reports


@pytest.fixture(scope="session")
def reports():
    """Factory of clients with profiles of three equal entries and errors that scatter by 1."""

    def make(means=(0.0, 0.0, 0.0, 0.0), samples=100):
        n = len(means)
        return Reports(
            np.full(n, samples),
            np.outer(means, np.ones(3)),
            np.broadcast_to(np.eye(3), (n, 3, 3)).copy(),
            np.arange(3),
            np.ones((n, n)),
        )

    return make
