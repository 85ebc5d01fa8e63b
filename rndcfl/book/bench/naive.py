"""The evaluation order of the authors' public code, to measure against; used nowhere else.

Networks, weights, batches and arithmetic are those of :func:`rndcfl.novelty.exchange`; what differs
is how often and in which order things are computed, as in the repository
`domm99/experiments-2026-uncertainty-based-clustered-fl` (commit cb8335c):

- the target is evaluated anew for each batch, in each epoch and for each peer;
- peers are scored one after the other, each with a :class:`torch.utils.data.DataLoader` of its own;
- the skew is added to a sample each time that the sample is read.

The novelty matrix is the same but for rounding: a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from rndcfl.clients import Clients
from rndcfl.common.seeding import numpy_rng, torch_seeded
from rndcfl.engine.networks import device, encoder
from rndcfl.predictors import RND, batches_of, frozen_target


class Skewed(Dataset[Tensor]):
    """One client's images [n, C, H, W]; its group's pattern is added to each when it is read."""

    def __init__(self, images: np.ndarray, pattern: np.ndarray) -> None:
        self.images, self.pattern = torch.from_numpy(images), torch.from_numpy(pattern)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> Tensor:
        return (self.images[k] + self.pattern).clamp(0, 1)


def naive_novelty(
    plain: Clients, patterns: np.ndarray, rnd: RND, seed: int, progress: bool = True
) -> np.ndarray:
    """Novelty s_ij in the authors' evaluation order.

    Parameters
    ----------
    plain : N clients with images to which no pattern has been added.
    patterns : of each client's group, float32 [N, C, H, W].
    rnd : networks and budget, with ``train_share=1``.
    seed : as for :func:`rndcfl.novelty.exchange`.

    Returns
    -------
    float64 [N, N]
    """
    target = frozen_target(plain.input_shape, rnd, seed)
    data, predictors = [], []
    n = len(plain)
    # Only where it must be silent: given, `disable` overrules the variable TQDM_DISABLE.
    silent: dict[str, Any] = {} if progress else {"disable": True}
    with tqdm(total=n + n * n, desc="naive", leave=False, delay=2, **silent) as bar:
        for i, client in enumerate(plain):
            order = numpy_rng(seed, "samples", i).permutation(len(client))
            data.append(Skewed(client.x[order], patterns[i]))
            batches = batches_of(i, len(client), rnd, seed).tolist()
            with torch_seeded(seed, "predictor", i):
                network = encoder(plain.input_shape, rnd.predictor, rnd.embedding, rnd.downsample)
            predictors.append(network.to(device()))
            _train(network, target, DataLoader(data[i], batch_sampler=batches), rnd)
            bar.update()
        novelty = np.empty((n, n))
        for i in range(n):
            for j in range(n):
                novelty[i, j] = _score(predictors[j], target, DataLoader(data[i], rnd.batch_size))
                bar.update()
    return novelty


def _train(network: nn.Module, target: nn.Module, batches: Iterable[Tensor], rnd: RND) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=rnd.lr)
    for batch in batches:
        x = batch.to(device())
        with torch.no_grad():
            wanted = target(x)
        loss = (network(x) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def _score(network: nn.Module, target: nn.Module, batches: Iterable[Tensor]) -> float:
    total, n = 0.0, 0
    with torch.no_grad():
        for batch in batches:
            x = batch.to(device())
            total += float((network(x) - target(x)).square().sum())
            n += len(x)
    return total / n
