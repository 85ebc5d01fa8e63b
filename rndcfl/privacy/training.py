"""Differentially private predictors: what a predictor gives away hardly depends on any one sample.

DP-SGD (Abadi et al., arXiv 1607.00133), with Adam to follow the noisy gradients. In every step each
of a client's n training samples takes part with probability q; every sample's gradient is scaled
down to norm C at most; the sum gets Gaussian noise of standard deviation z C,

    g = ( sum over x taken of  grad_x min(1, C / |grad_x|)  +  N(0, (z C)^2) ) / (q n),

and z is the least noise with which all steps together are (epsilon, delta)-differentially private
(:mod:`rndcfl.privacy.accountant`). The predictors of all clients are trained together. Opacus, the
usual library, wraps one module, optimiser and loader at a time; a stack of N would need N of each.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from rndcfl.common.errors import InputError
from rndcfl.common.progress import progress
from rndcfl.common.seeding import numpy_rng
from rndcfl.predictors import RND, Predictors


def train_privately(
    inputs: list[Tensor],
    wanted: list[Tensor],
    predictors: Predictors,
    rnd: RND,
    secret: int,
    *,
    noise: float,
    clip: float,
    rate: float,
) -> Predictors:
    """Train predictor i on client i's samples with differential privacy, all at once.

    Parameters
    ----------
    inputs, wanted, predictors : as for :func:`rndcfl.predictors.train_predictors`.
    rnd : `steps` and `lr` are read.
    secret : seed of batches and noise; client i's derive from ``(secret, i)`` alone.
    noise : z; with 0, for comparison, nothing is promised.
    clip : C.
    rate : q.

    Raises
    ------
    InputError
        If a sample's gradient is not finite, see :func:`clipped_sums`.
    """
    x, t, sizes = torch.cat(inputs), torch.cat(wanted), [len(own) for own in inputs]
    first = np.cumsum([0, *sizes[:-1]])
    rngs = [numpy_rng(secret, "private training", i) for i in range(len(inputs))]
    stack = predictors.each(Tensor.clone)
    optimiser = torch.optim.Adam(list(stack.parameters.values()), lr=rnd.lr)
    expected = rate * torch.tensor(sizes, device=x.device)
    for _ in progress(range(rnd.steps), "private predictors"):
        taken = [np.flatnonzero(rng.random(n) < rate) for rng, n in zip(rngs, sizes, strict=True)]
        index, there = _side_by_side([k + f for k, f in zip(taken, first, strict=True)])
        index, there = index.to(x.device), there.to(x.device)
        sums = clipped_sums(stack, x[index], t[index], there, clip)
        for k, parameter in stack.parameters.items():
            drawn = np.stack(
                [rng.standard_normal(parameter.shape[1:], dtype=np.float32) for rng in rngs]
            )
            noisy = sums[k] + noise * clip * torch.from_numpy(drawn).to(x.device)
            parameter.grad = noisy / expected.view(-1, *[1] * (parameter.ndim - 1))
        optimiser.step()
    return stack.each(Tensor.detach)


def clipped_sums(
    predictors: Predictors, x: Tensor, wanted: Tensor, there: Tensor, clip: float
) -> dict[str, Tensor]:
    """Sums of per-sample gradients, each scaled down to norm `clip` at most.

    Parameters
    ----------
    predictors : a stack of N.
    x, wanted : a batch per client, [N, n, \\*shape] and [N, n, embedding].
    there : which places of the batch hold a sample, bool [N, n]; batches differ in size.

    Returns
    -------
    name -> [N, ...], as the parameters.

    Raises
    ------
    InputError
        If a sample's gradient is not finite.
    """

    def loss(parameters: dict[str, Tensor], sample: Tensor, target: Tensor) -> Tensor:
        made = functional_call(predictors.network, parameters, (sample[None],))[0]
        return (made - target).square().mean()

    each = vmap(vmap(grad(loss), (None, 0, 0)))(predictors.parameters, x, wanted)
    norms = torch.stack([g.flatten(2).square().sum(2) for g in each.values()]).sum(0).sqrt()
    if not torch.isfinite(norms).all():  # one such sample would leave the sum unbounded
        raise InputError("a training sample's gradient is not finite; scale the inputs down")
    scale = there * (clip / norms.clamp(min=1e-12)).clamp(max=1.0)
    return {k: torch.einsum("nb,nb...->n...", scale, g) for k, g in each.items()}


def _side_by_side(taken: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Batches of different size as one array [N, n] of indices, and which of them count."""
    widest = max(1, *map(len, taken))
    index = np.stack([np.pad(k, (0, widest - len(k))) for k in taken])
    there = np.stack([np.arange(widest) < len(k) for k in taken])
    return torch.from_numpy(index), torch.from_numpy(there)
