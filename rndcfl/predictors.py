"""The frozen target and the predictors that imitate it: random network distillation's networks.

Burda et al., arXiv 1810.12894. The predictors of all clients are one stack of parameters, trained
and run together; client i's result depends on its own data and ``(seed, i)`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import stack_module_state

from rndcfl.clients import Client
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.progress import progress
from rndcfl.common.seeding import numpy_rng, torch_seeded
from rndcfl.engine.inputs import readable, with_labels
from rndcfl.engine.networks import device, encoder
from rndcfl.engine.stacked import batches_from, forward

LARGEST = 1e3  # of a weight; trained ones stay below 10


@dataclass(frozen=True)
class RND:
    """Networks and budget of random network distillation.

    Attributes
    ----------
    predictor, target : widths of the two layers; authors' code: (2, 4) and (32, 64).
    embedding : outputs of both networks; authors: 64.
    downsample : ``"stride"`` or ``"pool"`` (authors), see :func:`rndcfl.engine.networks.encoder`.
    steps : optimiser steps per predictor, the same however much data a client has.
    batch_size : authors: 128.
    lr : of Adam; authors: 1e-3.
    train_share : share of a client's samples that train its predictor; the rest is kept to score
        with. 1 (authors) trains and scores on the same samples.
    max_samples : a client uses at most this many samples (None: all, as the authors do).
    max_side : images with longer sides (series of more steps than its square) are averaged down to
        it before any network of discovery reads them (None: never; authors: images of 32 x 32).
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
    max_side: int | None = 64

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
        return cls((2, 4), (32, 64), 64, "pool", steps, 128, 1e-3, 1.0, None, None)

    def check(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        check_name("downsample", self.downsample, ("stride", "pool"))
        for name in ("steps", "batch_size", "embedding"):
            check_number(name, getattr(self, name), 1, whole=True)
        check_number("lr", self.lr, 0.0)
        check_number("train_share", self.train_share, 0.0, 1.0)
        if self.max_samples is not None:
            check_number("max_samples", self.max_samples, 2, whole=True)
        if self.max_side is not None:
            check_number("max_side", self.max_side, 4, whole=True)
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
    """`n` predictors, number i drawn from ``(seed, i)`` alone; `who` are their numbers."""
    networks = []
    for i in range(n) if who is None else who:
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

    def each(self, change: Callable[[Tensor], Tensor]) -> Predictors:
        """The predictors with every parameter [N, ...] changed."""
        return replace(self, parameters={k: change(v) for k, v in self.parameters.items()})

    def only(self, who: list[int]) -> Predictors:
        """The predictors of some clients."""
        return self.each(lambda p: p[who])

    def forward(self, x: Tensor) -> Tensor:
        """All predictors on one batch or each on its own: :func:`rndcfl.engine.stacked.forward`."""
        return forward(self.network, self.parameters, x)

    def packed(self) -> np.ndarray:
        """All parameters of each predictor in a row, float32 [N, P]."""
        return torch.cat([p.flatten(1) for p in self.parameters.values()], 1).cpu().numpy()

    def refused(self) -> dict[int, str]:
        """Clients whose predictor no training yields, and why."""
        usable = (np.abs(self.packed()) <= LARGEST).all(1)  # NaN fails the comparison as well
        reason = f"predictors hold NaN, infinite or weights beyond {LARGEST:g}"
        return {int(i): reason for i in np.flatnonzero(~usable)}

    def without(self, refused: Iterable[int]) -> Predictors:
        """The predictors, those of the clients `refused` set to zero."""
        who = torch.tensor(list(refused), dtype=torch.long)
        return self.each(lambda p: p.index_fill(0, who.to(p.device), 0.0)) if len(who) else self


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
    Client i's batches are :func:`batches_of` ``(seed, i)``: none depends on the others.
    """
    x, t = torch.cat(inputs), torch.cat(wanted)
    first = np.cumsum([0, *map(len, inputs[:-1])])
    numbers = range(len(inputs)) if who is None else who
    picks = [
        batches_of(i, len(own), rnd, seed) + start
        for i, own, start in zip(numbers, inputs, first, strict=True)
    ]
    batches = torch.from_numpy(np.stack(picks)).to(x.device)
    stack = predictors.each(lambda p: p.clone().requires_grad_())
    optimiser = torch.optim.Adam(list(stack.parameters.values()), lr=rnd.lr, fused=True)
    draw = batches_from(x)
    for step in progress(range(rnd.steps), "predictors"):
        index = batches[:, step]
        # Adam works element by element: the sum over clients trains each as if it were alone.
        loss = (stack.forward(draw(index)) - t[index]).square().mean((1, 2)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return stack.each(Tensor.detach)


def batches_of(i: int, n: int, rnd: RND, seed: int) -> np.ndarray:
    """Which of its `n` samples client i trains with in each step, int64 [steps, batch_size]: one
    reshuffled pass after another, cut into batches."""
    rng, total = numpy_rng(seed, "batches", i), rnd.steps * rnd.batch_size
    passes = [rng.permutation(n) for _ in range(-(-total // n))]
    return np.concatenate(passes)[:total].reshape(rnd.steps, rnd.batch_size)


def squared_errors(
    predictors: Predictors, x: Tensor, wanted: Tensor, chunk: int = 64
) -> np.ndarray:
    """|| f_j(x) - f(x) ||^2, summed over the embedding, for every predictor j and sample x.

    Returns
    -------
    float64 [N, n]
    """
    if not len(x):
        return np.empty((len(predictors), 0))
    with torch.inference_mode():
        parts = [
            (predictors.forward(x[k : k + chunk]) - wanted[k : k + chunk]).square().sum(-1)
            for k in range(0, len(x), chunk)
        ]
    return torch.cat(parts, 1).double().cpu().numpy()


def used_order(n: int, i: int, rnd: RND, seed: int) -> np.ndarray:
    """Which of client i's `n` samples are used, in this order, int64."""
    return numpy_rng(seed, "samples", i).permutation(n)[: rnd.n_used(n)]


def used_samples(
    client: Client,
    i: int,
    rnd: RND,
    seed: int,
    n_classes: int | None = None,
    target_seed: int | None = None,
) -> Tensor:
    """Client i's samples, with labels if `n_classes` is given, in the order in which they are used:
    first to train, then to score; `target_seed` is that of the target."""
    order = used_order(len(client), i, rnd, seed)
    shared = seed if target_seed is None else target_seed
    chosen = readable(client.x[order], shared, rnd.max_side)
    if n_classes is not None:
        assert client.y is not None
        chosen = with_labels(chosen, client.y[order], n_classes)
    used = torch.from_numpy(chosen).to(device())
    return used.contiguous(memory_format=torch.channels_last) if used.ndim == 4 else used


def embed(target: nn.Module, x: Tensor, chunk: int = 64) -> Tensor:
    """The target's outputs on samples [n, \\*shape], [n, embedding]."""
    with torch.no_grad():
        return torch.cat([target(x[k : k + chunk]) for k in range(0, len(x), chunk)])
