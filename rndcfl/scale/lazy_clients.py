"""Many clients of few images: each draws its samples when they are asked for, and keeps none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rndcfl.clients import Client
from rndcfl.common.seeding import numpy_rng


@dataclass(frozen=True, eq=False)
class Drawn(Sequence[Client]):
    """Clients that draw with replacement, client i from the samples of group ``i % k``.

    Attributes
    ----------
    kinds : per group the samples to draw from, float32 [n_k, \\*shape].
    n_clients : how many clients there are.
    samples : of each client.
    seed : a client's draw depends on ``(seed, i)`` only, and is the same each time.
    """

    kinds: Sequence[np.ndarray]
    n_clients: int
    samples: int
    seed: int = 0

    def __len__(self) -> int:
        return self.n_clients

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        if not 0 <= i < len(self):
            raise IndexError(f"client {i} of {len(self)}")
        group = int(i) % len(self.kinds)
        own = self.kinds[group]
        picked = numpy_rng(self.seed, "drawn", int(i)).integers(len(own), size=self.samples)
        return Client(own[picked], group=group)

    @property
    def groups(self) -> np.ndarray:
        """True groups, int64 [N]."""
        return np.arange(self.n_clients) % len(self.kinds)


class Images(Protocol):
    """A data set of images, such as :class:`rndcfl.Dataset`."""

    @property
    def x_train(self) -> np.ndarray:
        """Images float32 [n, C, H, W]."""


def symmetries(dataset: Images, pool: int = 4) -> list[np.ndarray]:
    """The training images in all eight orientations: four quarter turns, mirrored or not.

    Parameters
    ----------
    dataset : of square images whose side is a multiple of `pool`.
    pool : images are averaged over squares of this many pixels, into the columns of a table.

    Returns
    -------
    Eight tables, float32 [n, C (side / pool)^2]
    """
    x = dataset.x_train
    n, channels, height, width = x.shape
    small = x.reshape(n, channels, height // pool, pool, width // pool, pool).mean((3, 5))
    turned = [np.rot90(small, k, (2, 3)) for k in range(4)]
    both = [version for t in turned for version in (t, t[..., ::-1])]
    return [np.ascontiguousarray(v.reshape(n, -1), dtype=np.float32) for v in both]
