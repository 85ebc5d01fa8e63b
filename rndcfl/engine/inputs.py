"""Inputs as target and predictors read them.

Large images are averaged down, series are images one pixel high, text is read as random vectors of
its characters, and labels as further channels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from rndcfl.common.errors import InputError
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


def read_shape(shape: tuple[int, ...], kind: str) -> tuple[int, ...]:
    """The shape of a sample as target and predictors read it: series and text as lines."""
    if kind == "text":
        return (CHANNELS, 1, *shape)
    return (shape[0], 1, *shape[1:]) if kind == "series" else shape


def smaller(shape: tuple[int, ...], side: int | None) -> tuple[int, ...]:
    """The shape of an image [C, H, W] whose sides are at most `side`, in proportion.

    Of images one pixel high (series) `side` squared is the longest.
    """
    if side is None or len(shape) != 3:
        return shape
    most = side**2 if shape[1] == 1 else side
    longest = max(shape[1:])
    if longest <= most:
        return shape
    return (shape[0], *(max(1, round(length * most / longest)) for length in shape[1:]))


def averaged(shape: tuple[int, ...], kind: str, side: int | None) -> list[str]:
    """The line that says what :func:`readable` averages down, or none."""
    before = read_shape(shape, kind)
    after = smaller(before, side)
    if after == before:
        return []
    sizes = [" x ".join(map(str, size)) for size in (before, after)]
    return [
        f"{kind} of {sizes[0]} are averaged to {sizes[1]} before they are compared; max_side= sets "
        "another size"
    ]


def readable(x: np.ndarray, seed: int, side: int | None = None) -> np.ndarray:
    """Inputs as target and predictors read them.

    Parameters
    ----------
    x : images, averaged to sides of at most `side`; series [n, C, T], as images one pixel high;
        text, :func:`spelled`; or a table, as it is.
    seed : of the characters.
    side : largest side of an image, or None.
    """
    if x.dtype == np.int64:
        return spelled(x, seed)
    x = x[:, :, None] if x.ndim == 3 else x
    small = smaller(x.shape[1:], side)
    if small == x.shape[1:]:
        return x
    return F.adaptive_avg_pool2d(torch.from_numpy(x), (small[1], small[2])).numpy()
