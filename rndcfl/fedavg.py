"""Averages of models: federated averaging, and two that a few bad updates cannot move.

FedAvg: McMahan et al., arXiv 1602.05629. Coordinate-wise median and trimmed mean: Yin, Chen,
Ramchandran, Bartlett: *Byzantine-Robust Distributed Learning*, arXiv 1803.01498; each client counts
once, whatever number of samples it claims. Both hold up as long as fewer than half of a
federation's members (for the trimmed mean: than the trimmed share) are hostile; of two members it
cannot be decided which one is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rndcfl.common.errors import InputError
from rndcfl.engine.local import State


def average(states: Sequence[State], weights: Sequence[float]) -> State:
    """Weighted average of models, buffers included.

    Parameters
    ----------
    states : at least one model, all of the same names and shapes.
    weights : not negative, not all zero; FedAvg takes the numbers of samples.

    Returns
    -------
    State
        Sums in float64, results in each tensor's own type; whole-number buffers (BatchNorm's count
        of batches) are rounded.

    Raises
    ------
    InputError
        If there is nothing to average, or the weights are unusable.
    """
    shares = np.asarray(weights, dtype=np.float64)
    if not len(states) or len(shares) != len(states):
        raise InputError(
            f"{len(states)} models and {len(shares)} weights; give as many, at least one"
        )
    if not (shares >= 0).all() or not shares.sum() > 0:
        raise InputError(f"weights must not be negative and not all zero, got {shares.tolist()}")
    shares = shares / shares.sum()
    result = {}
    for name, first in states[0].items():
        total = torch.zeros_like(first, dtype=torch.float64)
        for share, state in zip(shares, states, strict=True):
            total.add_(state[name], alpha=share)  # float64 without a copy: models are large
        result[name] = (total if first.is_floating_point() else total.round()).to(first.dtype)
    return result


TRIMMED = 1 / 3  # share of the values left out at each end by the trimmed mean


def median(states: Sequence[State], weights: Sequence[float]) -> State:
    """Coordinate-wise median of models; `weights` are ignored."""
    return _each(states, lambda sorted_: _middle(sorted_, (len(sorted_) - 1) // 2))


def trimmed_mean(states: Sequence[State], weights: Sequence[float]) -> State:
    """Coordinate-wise mean without the :data:`TRIMMED` smallest and largest values.

    Of three to five models one is left out at each end; `weights` are ignored.
    """
    return _each(states, lambda sorted_: _middle(sorted_, int(TRIMMED * len(sorted_))))


AGGREGATIONS: dict[str, Callable[[Sequence[State], Sequence[float]], State]] = {
    "mean": average,
    "median": median,
    "trimmed": trimmed_mean,
}


def _each(states: Sequence[State], reduce: Callable[[Tensor], Tensor]) -> State:
    """Reduce sorted float64 values [models, ...] of each tensor; models with NaN are left out."""
    finite = [s for s in states if all(bool(p.isfinite().all()) for p in s.values())]
    result = {}
    for name, first in states[0].items():
        values = torch.stack([state[name].double() for state in finite or states]).sort(0).values
        found = reduce(values)
        result[name] = (found if first.is_floating_point() else found.round()).to(first.dtype)
    return result


def _middle(values: Tensor, trimmed: int) -> Tensor:
    return values[trimmed : len(values) - trimmed].mean(0)
