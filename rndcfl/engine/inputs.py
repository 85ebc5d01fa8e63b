"""Inputs: checked as they are given, and as networks read them.

Text is read as random vectors of its characters, labels as further channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED
from rndcfl.common.seeding import numpy_rng

CHARACTERS, CHANNELS = 2**14, 8  # that text may use, and numbers that stand for each


def with_labels(x: np.ndarray, y: np.ndarray, n_classes: int) -> np.ndarray:
    """Inputs with their labels as further channels: random network distillation of P(x, y).

    A label becomes `n_classes` constant planes beside the image's channels, or as many columns
    beside a table's, one of them 1 and the others 0.

    Parameters
    ----------
    x : images [n, C, H, W] or tables [n, d].
    y : labels [n].

    Returns
    -------
    float32 [n, C + n_classes, H, W] or [n, d + n_classes]
    """
    one_hot = np.eye(n_classes, dtype=np.float32)[y]
    planes = one_hot.reshape(*one_hot.shape, *(1,) * (x.ndim - 2))
    return np.concatenate([x, np.broadcast_to(planes, (*one_hot.shape, *x.shape[2:]))], axis=1)


def spelled(x: np.ndarray, seed: int) -> np.ndarray:
    """Text as images one pixel high: a fixed random vector for each character.

    The vectors belong to the frozen target; like it they are drawn from a seed that all share.

    Parameters
    ----------
    x : int64 [n, length], below :data:`CHARACTERS`.

    Returns
    -------
    float32 [n, CHANNELS, 1, length]
    """
    vectors = numpy_rng(seed, "characters").standard_normal((CHARACTERS, CHANNELS))
    return vectors.astype(np.float32)[x].transpose(0, 2, 1)[:, :, None]


def check_characters(i: int, x: np.ndarray) -> None:
    """Raise :class:`InputError` unless client i's text can be :func:`spelled`."""
    if x.min() < 0 or x.max() >= CHARACTERS:
        raise InputError(
            f"client {i}: text must be numbers from 0 to {CHARACTERS - 1}, "
            f"got {x.min()} to {x.max()}"
        )


def readable(x: np.ndarray, seed: int) -> np.ndarray:
    """Inputs as target and predictors read them: text :func:`spelled`, all else as it is."""
    return spelled(x, seed) if x.dtype == np.int64 else x


def _array(i: int, given: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(given)
    except ValueError:
        raise InputError(f"client {i}: {name} is not a rectangular array of numbers") from None


def checked_inputs(i: int, given: Any, name: str) -> np.ndarray:
    """Client i's inputs `name`, checked and brought to float32 (int64 for text)."""
    x = _array(i, given, name)
    if x.ndim == 0 or len(x) == 0:
        raise InputError(f"client {i} has no samples in {name}; leave it out or give it data")
    if np.issubdtype(x.dtype, np.integer):
        if x.ndim == 2 and x.dtype != np.uint8:
            return x.astype(np.int64)  # text
        raise InputError(
            f"client {i}: {name} is {x.dtype}; give floats in [0, 1], e.g. {name} / 255"
        )
    if x.ndim not in (2, 4):
        raise InputError(
            f"client {i}: {name} has shape {x.shape}; allowed are images [n, C, H, W], "
            "tables [n, d] and text [n, length]"
        )
    try:
        x = np.ascontiguousarray(x, dtype=np.float32)
    except (TypeError, ValueError):
        raise InputError(
            f"client {i}: {name} of dtype {x.dtype} cannot be read as numbers"
        ) from None
    if not np.isfinite(x).all():
        count = int((~np.isfinite(x)).sum())
        raise InputError(
            f"client {i}: {name} holds {count} NaN or infinite values; remove or impute them"
        )
    return x


def checked_labels(i: int, given: Any, x: np.ndarray, name: str) -> np.ndarray:
    """Client i's labels `name` of its inputs `x`, checked and brought to int64."""
    y = _array(i, given, name)
    per_place = x.dtype == np.int64 and y.shape == x.shape
    if y.shape != (len(x),) and not per_place:
        raise InputError(
            f"client {i}: {name} has shape {y.shape}, expected ({len(x)},) to match its x"
            + (f" or {x.shape}, one for each place" if x.dtype == np.int64 else "")
        )
    if not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"client {i}: {name} must hold whole class numbers from 0, got {y.dtype}")
    lowest = y[y != IGNORED].min(initial=0) if per_place else y.min()
    if per_place and (y == IGNORED).all():
        raise InputError(f"client {i}: {name} asks for nothing; all its labels are {IGNORED}")
    if lowest < 0:
        raise InputError(f"client {i}: {name} must hold whole class numbers from 0, got {lowest}")
    return y.astype(np.int64)
