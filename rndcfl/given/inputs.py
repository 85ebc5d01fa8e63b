"""Inputs of all clients, brought to one kind: images, series, a table or text.

A kind is guessed from the shape where it is not given; whatever was turned or scaled is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rndcfl.common.errors import InputError, check_name
from rndcfl.given.arrays import as_numbers, no_samples

KINDS = ("images", "series", "table", "text")
SHAPES = (
    "images [n, C, H, W] or gray [n, H, W], series [n, C, T], tables [n, d] and, with kind='text', "
    "text [n, length]"
)
CHANNELS = (1, 3, 4)  # of pictures, where they may come last
SIDE = 8  # pixels of a gray image, at least
FAR = 16.0  # a pixel beyond this is on another scale than [0, 1], or than mean 0 and deviation 1
PIXELS = (255, 1023, 4095, 16383, 65535)  # largest value of a pixel, by bits


@dataclass(frozen=True)
class Inputs:
    """Inputs as they are used, and what was done to them.

    Attributes
    ----------
    kind : one of :data:`KINDS`.
    arrays : one for each that was given; float32, int64 for text.
    said : what a reader should know about it.
    """

    kind: str
    arrays: list[np.ndarray]
    said: list[str]


def read(names: Sequence[str], given: Sequence[object], kind: str | None = None) -> Inputs:
    """Inputs as they were given, brought to one kind.

    Parameters
    ----------
    names : of each, for errors, such as ``"client 0: x"``.
    given : arrays, tensors, lists, of all clients.
    kind : what they are, or None to see it from them.

    Raises
    ------
    InputError
        For what cannot be read, or has another number of dimensions than the first.
    """
    if kind is not None:
        check_name("kind", kind, KINDS)
    _check_columns(names, given)
    arrays = [as_numbers(name, one) for name, one in zip(names, given, strict=True)]
    for name, x in zip(names, arrays, strict=True):
        if x.size == 0:
            raise no_samples(name)
        if x.ndim not in (2, 3, 4):
            more = "; for one column x[:, None]" if x.ndim == 1 else ""
            raise InputError(f"{name} has shape {x.shape}; allowed are {SHAPES}{more}")
        if x.ndim != arrays[0].ndim:
            raise InputError(
                f"{name} has shape {x.shape}, {names[0]} {arrays[0].shape}; all must be alike"
            )
    said: list[str] = []
    kind = kind or _kind(arrays, said)
    _check_alike(names, arrays)
    if kind == "text":
        arrays = [_text(name, x) for name, x in zip(names, arrays, strict=True)]
    elif kind == "table":
        _check_dimensions(names[0], arrays[0], kind, (2,))
    elif kind == "series":
        _check_dimensions(names[0], arrays[0], kind, (2, 3))
        arrays = [x[:, None] if x.ndim == 2 else x for x in arrays]
    else:
        _check_dimensions(names[0], arrays[0], kind, (3, 4))
        arrays = _unit(names, _channels_first(arrays, said), said)
    wanted = np.int64 if kind == "text" else np.float32
    return Inputs(kind, [np.ascontiguousarray(x, dtype=wanted) for x in arrays], said)


def _check_dimensions(name: str, x: np.ndarray, kind: str, allowed: tuple[int, ...]) -> None:
    if x.ndim not in allowed:
        raise InputError(f"{name} has shape {x.shape}, which is not of kind {kind!r}: {SHAPES}")


def _check_columns(names: Sequence[str], given: Sequence[object]) -> None:
    """Raise where frames have other columns, or the same in another order."""
    frames = [
        (name, list(x.columns))
        for name, x in zip(names, given, strict=True)
        if isinstance(x, pd.DataFrame)
    ]
    for name, columns in frames:
        if columns != frames[0][1]:
            raise InputError(
                f"{name} has other columns than {frames[0][0]}, or in another order; from_tables "
                "matches columns by name"
            )


def _check_alike(names: Sequence[str], arrays: list[np.ndarray]) -> None:
    first = arrays[0].shape[1:]
    for name, x in zip(names, arrays, strict=True):
        if x.shape[1:] != first:
            raise InputError(
                f"{name} has samples of shape {x.shape[1:]}, {names[0]} of shape {first}; all must "
                "be alike"
            )


def _kind(arrays: list[np.ndarray], said: list[str]) -> str:
    """What arrays of 2, 3 or 4 dimensions are, by their shape and values."""
    x = arrays[0]
    if x.ndim != 3:
        return "table" if x.ndim == 2 else "images"
    sides = sorted(x.shape[1:])
    picture = sides[0] >= SIDE and sides[1] <= 2 * sides[0]
    pixels = all(y.min() >= 0 and (y.max() <= 1 or y.dtype == np.uint8) for y in arrays)
    whole = all(y.dtype.kind in "ui" and y.min() >= 0 for y in arrays)
    if picture and (pixels or whole):
        said.append(
            f"inputs of shape {list(x.shape)} are taken as gray images {list(x.shape[1:])}; if "
            f"they are series of {x.shape[1]} channels, give kind='series'"
        )
        return "images"
    if picture:
        said.append(
            f"inputs of shape {list(x.shape)} are taken as series of {x.shape[1]} channels and "
            f"{x.shape[2]} steps; if they are gray images, give kind='images'"
        )
    return "series"


def _text(name: str, x: np.ndarray) -> np.ndarray:
    if x.ndim != 2 or x.dtype.kind not in "ui":
        raise InputError(
            f"{name} is declared as text, which is whole numbers [n, length], one for each "
            f"character; got {x.dtype} {x.shape}"
        )
    return x


def _channels_first(arrays: list[np.ndarray], said: list[str]) -> list[np.ndarray]:
    """Images [n, C, H, W], from gray ones without channel and from those with channels last."""
    if arrays[0].ndim == 3:
        return [x[:, None] for x in arrays]
    n, first, height, last = arrays[0].shape
    if last in CHANNELS and first not in CHANNELS and max(first, height) <= 4 * min(first, height):
        said.append(
            f"images of shape {[n, first, height, last]} have their channels last; they are taken "
            f"as [n, C, H, W] = {[n, last, first, height]}"
        )
        return [x.transpose(0, 3, 1, 2) for x in arrays]
    if first == height > last and last not in CHANNELS:
        said.append(
            f"images of shape {[n, first, height, last]} are taken as {first} channels of "
            f"{height} x {last} pixels; if channels come last, x.transpose(0, 3, 1, 2) turns them"
        )
    return arrays


def _unit(names: Sequence[str], arrays: list[np.ndarray], said: list[str]) -> list[np.ndarray]:
    """Pixels in [0, 1], where they come as whole numbers or as floats up to 255."""
    named = list(zip(names, arrays, strict=True))
    whole = [(name, x) for name, x in named if x.dtype.kind in "ui"]
    real = [(name, x) for name, x in named if x.dtype.kind == "f"]
    of_whole = _scale_of_whole(whole, said) if whole else 1
    scales = {"u": of_whole, "i": of_whole, "f": _scale_of_real(real, said) if real else 1, "b": 1}
    found = [(x, scales[x.dtype.kind]) for x in arrays]
    return [x if scale == 1 else x.astype(np.float32) / np.float32(scale) for x, scale in found]


def _scale_of_whole(whole: list[tuple[str, np.ndarray]], said: list[str]) -> int:
    """The largest value that whole pixels can have: of 8, 10, 12, 14 or 16 bits."""
    lowest, most = min(int(x.min()) for _, x in whole), max(int(x.max()) for _, x in whole)
    scale = next((value for value in (1, *PIXELS) if most <= value), 0)
    if lowest < 0 or not scale:
        raise InputError(
            f"{whole[0][0]} and others hold pixels from {lowest} to {most}; bring them to [0, 1] "
            "first"
        )
    if scale > 1:
        said.append(f"pixels of whole numbers are divided by {scale}, so that they are in [0, 1]")
    return scale


def _scale_of_real(real: list[tuple[str, np.ndarray]], said: list[str]) -> int:
    """255 where floats are pixels up to 255, else 1."""
    tops = [float(x.max()) for _, x in real]
    lowest, most = min(float(x.min()) for _, x in real), max(tops)
    if lowest < 0 or most <= FAR or most > 255:
        if most > FAR or lowest < -FAR:
            said.append(
                f"images hold values from {lowest:.4g} to {most:.4g}; networks want them in [0, 1]"
            )
        return 1
    for (name, x), top in zip(real, tops, strict=True):
        if 0 < top <= 1 and (x != np.round(x)).any():
            other = real[int(np.argmax(tops))][0]
            raise InputError(
                f"{name} holds pixels up to {top:.3g}, {other} up to {most:.4g}; bring all to "
                "[0, 1]"
            )
    said.append("pixels up to 255 are divided by 255, so that they are in [0, 1]")
    return 255
