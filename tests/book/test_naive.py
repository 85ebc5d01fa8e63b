"""The authors' evaluation order finds what ours finds."""

import numpy as np
import pytest

from rndcfl import RND, Ledger, make_clients
from rndcfl.book.bench import works
from rndcfl.book.bench.naive import Skewed, naive_novelty
from rndcfl.common.seeding import numpy_rng
from rndcfl.novelty import Novelty, exchange
from rndcfl.settings.transforms import equidistant_patterns


@pytest.mark.parametrize("seed", [0, 1])
def test_the_naive_order_finds_the_novelty_of_the_exchange(tiny_dataset, seed):
    def clients(rms):
        return make_clients(tiny_dataset, "pattern", 3, 3, seed, 37, 1, rms=rms)

    rnd = RND((2, 4), (4, 8), 8, "pool", steps=7, batch_size=16, train_share=1.0, max_samples=None)
    patterns = equidistant_patterns(3, (1, 8, 8), 0.15, numpy_rng(seed, "patterns"))
    naive = naive_novelty(clients(0.0), patterns, rnd, seed, progress=False)
    ours = exchange(clients(0.15), Novelty(rnd), seed, Ledger()).novelty
    np.testing.assert_allclose(naive, ours, rtol=1e-5)
    other = exchange(clients(0.15), Novelty(rnd), seed + 1, Ledger()).novelty
    assert np.abs(naive / other - 1).max() > 0.01  # the tolerance would tell


def test_the_pattern_added_at_each_reading_is_that_of_the_setting(tiny_dataset):
    plain = make_clients(tiny_dataset, "pattern", 4, 4, 0, 20, 1, rms=0.0)
    skewed = make_clients(tiny_dataset, "pattern", 4, 4, 0, 20, 1)
    patterns = equidistant_patterns(4, (1, 8, 8), works.RMS, numpy_rng(0, "patterns"))
    for i in range(4):
        own = Skewed(plain[i].x, patterns[i])
        assert len(own) == 20
        assert np.array_equal(np.stack([own[k].numpy() for k in range(20)]), skewed[i].x)
