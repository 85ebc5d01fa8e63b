"""The frozen target and the predictors that imitate it: random network distillation's networks.

Burda et al., arXiv 1810.12894. The predictors of all clients are one stack of parameters, trained
and run together; client i's result depends on its own data and ``(seed, i)`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import stack_module_state
from tqdm import tqdm

from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.seeding import numpy_rng, torch_seeded
from rndcfl.engine.networks import device, encoder
from rndcfl.engine.stacked import forward, side_by_side


@dataclass(frozen=True)
class RND:
    """Networks and budget of random network distillation.

    Attributes
    ----------
    predictor, target : widths of the two layers; authors' code: (2, 4) and (32, 64).
    embedding : outputs of both networks; authors: 64.
    downsample : ``"stride"`` or ``"pool"`` (authors), see :func:`rndcfl.engine.networks.encoder`.
    steps : optimiser steps per predictor; the same for every client, however much data it has.
    batch_size : authors: 128.
    lr : of Adam; authors: 1e-3.
    train_share : share of a client's samples that train its predictor; the rest is kept to score
        with. 1 (authors) trains and scores on the same samples.
    max_samples : a client uses at most this many samples (None: all, as the authors do).
    """

    predictor: tuple[int, int] = (4, 8)
    target: tuple[int, int] = (32, 64)
    embedding: int = 64
    downsample: str = "stride"
    steps: int = 150
    batch_size: int = 32
    lr: float = 1e-3
    train_share: float = 0.2
    max_samples: int | None = 1200

    def n_train(self, n: int) -> int:
        """How many of a client's `n` samples train its predictor."""
        return max(1, round(self.train_share * self.n_used(n)))

    def n_used(self, n: int) -> int:
        """How many of a client's `n` samples are used at all."""
        return n if self.max_samples is None else min(n, self.max_samples)

    def n_scored(self, n: int) -> int:
        """How many of a client's `n` samples it scores with."""
        return self.n_used(n) - (0 if self.train_share == 1 else self.n_train(n))

    @classmethod
    def authors(cls, n_samples: int, epochs: int = 10) -> RND:
        """The authors' values for clients of `n_samples` samples: 10 epochs in batches of 128."""
        steps = int(np.ceil(epochs * n_samples / 128))
        return cls((2, 4), (32, 64), 64, "pool", steps, 128, 1e-3, 1.0, None)

    def check(self) -> None:
        """Raise :class:`InputError` for values that cannot be meant."""
        check_name("downsample", self.downsample, ("stride", "pool"))
        for name in ("steps", "batch_size", "embedding"):
            check_number(name, getattr(self, name), 1, whole=True)
        check_number("lr", self.lr, 0.0)
        check_number("train_share", self.train_share, 0.0, 1.0)
        if self.max_samples is not None:
            check_number("max_samples", self.max_samples, 2, whole=True)
        for name in ("predictor", "target"):
            if not isinstance(getattr(self, name), tuple | list) or len(getattr(self, name)) != 2:
                raise InputError(f"{name} must be two widths, got {getattr(self, name)!r}")
            for width in getattr(self, name):
                check_number(f"each width of {name}", width, 1, whole=True)


def frozen_target(shape: tuple[int, ...], rnd: RND, seed: int) -> nn.Module:
    """The shared random network f; a client rebuilds it from `seed`, it is never sent."""
    with torch_seeded(seed, "target"):
        network = encoder(shape, rnd.target, rnd.embedding, rnd.downsample)
    return network.requires_grad_(False).eval().to(device())


def untrained_predictors(
    shape: tuple[int, ...], n: int, rnd: RND, seed: int, who: Sequence[int] | None = None
) -> Predictors:
    """`n` predictors, number i drawn from ``(seed, i)`` alone; `who` says which (0, 1, ...)."""
    networks = []
    for i in who or range(n):
        with torch_seeded(seed, "predictor", i):
            networks.append(encoder(shape, rnd.predictor, rnd.embedding, rnd.downsample))
    stacked, _ = stack_module_state(networks)
    return Predictors({k: v.detach().to(device()) for k, v in stacked.items()}, networks[0])


@dataclass(frozen=True, eq=False)
class Predictors:
    """A stack of predictors.

    Attributes
    ----------
    parameters : name -> tensor [N, ...].
    network : one network of that architecture; its own weights are not used.
    """

    parameters: dict[str, Tensor]
    network: nn.Module

    def __len__(self) -> int:
        return len(next(iter(self.parameters.values())))

    @property
    def bytes_each(self) -> int:
        """Bytes of one predictor as it is sent (float32)."""
        return sum(p[0].numel() * p.element_size() for p in self.parameters.values())

    def only(self, who: list[int]) -> Predictors:
        """The predictors of some clients."""
        return replace(self, parameters={k: v[who] for k, v in self.parameters.items()})

    def own(self, x: Tensor) -> Tensor:
        """Each predictor on its own batch: [N, n, *shape] -> [N, n, embedding]."""
        return self.forward(side_by_side(list(x)) if x.ndim == 5 else x)

    def all_on(self, x: Tensor) -> Tensor:
        """All predictors on the same batch: [n, *shape] -> [N, n, embedding]."""
        return self.forward(x)

    def forward(self, x: Tensor) -> Tensor:
        """See :func:`rndcfl.engine.stacked.forward`."""
        return forward(self.network, self.parameters, x)


def train_predictors(
    inputs: list[Tensor],
    wanted: list[Tensor],
    predictors: Predictors,
    rnd: RND,
    seed: int,
    who: Sequence[int] | None = None,
) -> Predictors:
    """Train predictor i on client i's samples, all at once (Algorithm 1, line 1).

    Parameters
    ----------
    inputs : per client, its training samples [n_i, *shape].
    wanted : per client, the target's outputs on them [n_i, embedding].
    who : the clients' numbers; default 0, 1, ...

    Notes
    -----
    Client i's batches are :func:`batches_of` ``(seed, i)``, so that every client takes the same
    number of steps and none depends on the others.
    """
    x, t = torch.cat(inputs), torch.cat(wanted)
    first = np.cumsum([0, *map(len, inputs[:-1])])
    numbers = who or range(len(inputs))
    picks = [
        batches_of(i, len(own), rnd, seed) + start
        for i, own, start in zip(numbers, inputs, first, strict=True)
    ]
    batches = torch.from_numpy(np.stack(picks)).to(x.device)
    parameters = {k: v.clone().requires_grad_() for k, v in predictors.parameters.items()}
    stack = replace(predictors, parameters=parameters)
    optimiser = torch.optim.Adam(list(parameters.values()), lr=rnd.lr, fused=True)
    draw = _drawing(x)
    for step in tqdm(range(rnd.steps), desc="predictors", leave=False, delay=2):
        index = batches[:, step]
        # Adam works element by element: the sum over clients trains each as if it were alone.
        loss = (stack.forward(draw(index)) - t[index]).square().mean((1, 2)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return replace(stack, parameters={k: v.detach() for k, v in parameters.items()})


def batches_of(i: int, n: int, rnd: RND, seed: int) -> np.ndarray:
    """Which of its `n` samples client i trains with in each step, int64 [steps, batch_size]: one
    reshuffled pass after another, cut into batches."""
    rng, total = numpy_rng(seed, "batches", i), rnd.steps * rnd.batch_size
    passes = [rng.permutation(n) for _ in range(-(-total // n))]
    return np.concatenate(passes)[:total].reshape(rnd.steps, rnd.batch_size)


def _drawing(x: Tensor) -> Callable[[Tensor], Tensor]:
    """A function from indices [N, n] of samples to the batches that :meth:`Predictors.forward`
    reads. Images are picked as rows of pixels: whole rows are copied at the speed of memory."""
    if x.ndim == 2:
        return lambda index: x[index]
    _, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).flatten(1)

    def draw(index: Tensor) -> Tensor:
        picked = (rows.index_select(0, own).view(-1, height, width, channels) for own in index)
        return side_by_side([batch.permute(0, 3, 1, 2) for batch in picked])

    return draw


def squared_errors(
    predictors: Predictors, x: Tensor, wanted: Tensor, chunk: int = 64
) -> np.ndarray:
    """|| f_j(x) - f(x) ||^2, summed over the embedding, for every predictor j and sample x.

    Returns
    -------
    float64 [N, n]
    """
    with torch.inference_mode():
        parts = [
            (predictors.all_on(x[k : k + chunk]) - wanted[k : k + chunk]).square().sum(-1)
            for k in range(0, len(x), chunk)
        ]
    return torch.cat(parts, 1).double().cpu().numpy()
