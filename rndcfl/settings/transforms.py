"""What settings do to samples: the authors' equidistant patterns, rotation, and turned axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from rndcfl.common.errors import InputError

Transform = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], tuple[Any, Any]]


def unchanged(x: np.ndarray, y: np.ndarray, group: int, rng: np.random.Generator) -> Any:
    """The transform that does nothing."""
    return x, y


def equidistant_patterns(
    n_groups: int, shape: tuple[int, ...], rms: float, rng: np.random.Generator
) -> np.ndarray:
    """`n_groups` smooth random images at equal distance from each other.

    Returns
    -------
    float32 [n_groups, C, H, W], each of root mean square `rms`, summing to zero.
    """
    if n_groups == 1:
        return np.zeros((1, *shape), dtype=np.float32)
    # Corners of a regular simplex: the standard basis seen from its centre.
    corners = np.eye(n_groups) - 1 / n_groups
    coordinates = np.linalg.svd(corners)[0][:, : n_groups - 1]  # unit-spaced, in k - 1 dimensions
    basis = rng.standard_normal((n_groups - 1, *shape))
    basis = ndimage.uniform_filter(basis, size=(1, 1, 7, 7), mode="constant")
    flat = basis.reshape(n_groups - 1, -1)
    orthonormal = np.linalg.qr((flat - flat.mean(1, keepdims=True)).T)[0]
    patterns = coordinates @ orthonormal.T
    patterns *= rms / np.sqrt((patterns**2).mean(1, keepdims=True))
    return patterns.reshape(n_groups, *shape).astype(np.float32)


def rotate(x: np.ndarray, angle: float) -> np.ndarray:
    """Images [n, C, H, W] turned by `angle` degrees; exact for quarter turns, else bilinear."""
    if angle % 90 == 0:
        return np.rot90(x, int(angle // 90), axes=(2, 3))
    return ndimage.rotate(x, angle, axes=(2, 3), reshape=False, order=1, mode="constant")


def turned(x: np.ndarray, angle: float) -> np.ndarray:
    """Series [n, C, T] whose first two channels are axes turned by `angle` degrees."""
    if x.shape[1] < 2:
        raise InputError("mounting turns two axes; these series have one channel")
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    out = x.copy()
    out[:, 0], out[:, 1] = c * x[:, 0] - s * x[:, 1], s * x[:, 0] + c * x[:, 1]
    return out
