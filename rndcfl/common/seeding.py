"""Random generators derived from one seed, never a global one.

A draw is named by a key, such as ``(seed, "batches", round, client)``. The key alone fixes the
stream, so a client's draws depend neither on how many clients there are nor on who came first.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

import numpy as np
import torch


def _sequence(seed: int, key: tuple[str | int, ...]) -> np.random.SeedSequence:
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else int(part) for part in key]
    return np.random.SeedSequence(entropy=int(seed), spawn_key=tuple(words))


def numpy_rng(seed: int, *key: str | int) -> np.random.Generator:
    """NumPy generator of the stream named by `seed` and `key`."""
    return np.random.default_rng(_sequence(seed, key))


@contextlib.contextmanager
def torch_seeded(seed: int, *key: str | int) -> Iterator[None]:
    """Run a block whose code knows only PyTorch's global generator (layer initialisation, dropout).

    The global generators are put back afterwards, so nothing outside the block changes.
    """
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    number = int(_sequence(seed, key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    with torch.random.fork_rng(devices=devices):
        # Not torch.manual_seed, which also notes the seed, with a traceback, for each kind of
        # device that is not there: a fifth of the time that training a small model takes.
        torch.default_generator.manual_seed(number)
        if devices:
            torch.cuda.manual_seed_all(number)
        yield
