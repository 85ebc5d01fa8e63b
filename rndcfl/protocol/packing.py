"""Predictors as they travel: plain numbers, checked before anything uses them.

A receiver knows the architecture and the target's seed beforehand, so that a predictor is its
weights and nothing else: no names, no code, no pickle.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import numpy as np
import torch

from rndcfl.common.errors import WireError
from rndcfl.engine.networks import device
from rndcfl.predictors import LARGEST, RND, Predictors, untrained_predictors


def architecture(shape: tuple[int, ...], rnd: RND) -> str:
    """What sender and receiver must agree on, as 16 hexadecimal digits.

    The shape of a sample, the networks and their budget: novelties of other values do not compare.
    """
    return hashlib.sha256(repr((shape, asdict(rnd))).encode()).hexdigest()[:16]


def unpack(packed: np.ndarray, shape: tuple[int, ...], rnd: RND) -> Predictors:
    """The stack of predictors in `packed`, checked.

    Parameters
    ----------
    packed : float32 [N, P], of :meth:`~rndcfl.predictors.Predictors.packed`.
    shape : of one sample as the networks read it.
    rnd : the networks.

    Raises
    ------
    WireError
        For another type or shape, NaN, infinite or absurdly large weights.
    """
    stack = untrained_predictors(shape, 1, rnd, seed=0)
    sizes = [p[0].numel() for p in stack.parameters.values()]
    check_packed(packed, sum(sizes))
    parts = torch.from_numpy(np.array(packed)).to(device()).split(sizes, dim=1)
    named = zip(stack.parameters.items(), parts, strict=True)
    return Predictors({k: part.reshape(-1, *p.shape[1:]) for (k, p), part in named}, stack.network)


def packed_width(shape: tuple[int, ...], rnd: RND) -> int:
    """Number of parameters P of a predictor for samples of `shape`."""
    return untrained_predictors(shape, 1, rnd, seed=0).bytes_each // 4


def check_packed(packed: np.ndarray, width: int) -> None:
    """Raise :class:`WireError` unless these are predictors of `width` parameters each."""
    if packed.dtype != np.float32:
        raise WireError(f"predictors are float32, got {packed.dtype}")
    if packed.ndim != 2 or packed.shape[1] != width or not len(packed):
        raise WireError(f"predictors have shape [N, {width}], got {list(packed.shape)}")
    if not (np.abs(packed) <= LARGEST).all():  # NaN fails the comparison as well
        raise WireError(f"predictors hold NaN, infinite or weights beyond {LARGEST:g}")
