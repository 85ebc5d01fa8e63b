"""Movements that a sensor with three axes would see: series drawn from a formula, not measured.

A class is a movement: how often it repeats, in which form, and how it is shared out over the axes.
Gravity lies on the first axis, as in a sensor that is worn upright.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rndcfl.common.seeding import numpy_rng
from rndcfl.data.dataset import Samples
from rndcfl.data.files import sha256

TITLE = "waves (synthetic movements, three axes, 64 steps)"
LICENCE = "MIT"
CITATION = "none: drawn by rndcfl.data.waves"
N_TRAIN, N_TEST, STEPS = 4000, 1000, 64
GRAVITY, NOISE = 1.0, 0.3
CYCLES = (2.0, 3.0, 5.0, 5.0)  # of each class within a series
SHARP = (1.0, 3.0, 1.0, 3.0)  # how steep its waves are
SHARES = ((0.6, 0.3, 0.1), (0.2, 0.7, 0.3), (0.3, 0.2, 0.6), (0.5, 0.5, 0.4))  # of the axes


def read(root: Path | None) -> Samples:
    """The series; `root` is not looked at.

    Returns
    -------
    Samples
        x float32 [n, 3, 64]; y one of four movements.
    """
    rng = numpy_rng(0, "waves")
    n = N_TRAIN + N_TEST
    y = rng.permutation(np.arange(n) % len(CYCLES))
    cycles = np.take(CYCLES, y) * rng.normal(1, 0.1, n)
    angle = 2 * np.pi * (np.arange(STEPS) / STEPS * cycles[:, None] + rng.random((n, 1)))
    sharp = np.take(SHARP, y)[:, None]
    wave = np.tanh(sharp * np.sin(angle)) * rng.normal(1, 0.2, (n, 1))
    x = np.take(SHARES, y, axis=0)[:, :, None] * wave[:, None]
    x += NOISE * rng.standard_normal(x.shape)
    x[:, 0] += GRAVITY
    parts = [x[:N_TRAIN], y[:N_TRAIN], x[N_TRAIN:], y[N_TRAIN:]]
    arrays = [a.astype(np.float32 if a.ndim > 1 else np.int64) for a in parts]
    for array in arrays:
        array.setflags(write=False)
    return Samples(arrays[0], arrays[1], arrays[2], arrays[3], len(CYCLES), sha256(arrays))
