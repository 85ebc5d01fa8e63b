"""Samples whose parts have names: which part is the input, which the label, and stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError, check_name
from rndcfl.data.pictures import alike, is_picture
from rndcfl.given.arrays import as_array, one_line, reading

INPUTS = ("image", "img", "images", "x", "pixel_values", "input", "inputs", "features", "signal")
LABELS = ("label", "labels", "y", "target", "targets", "class", "fine_label", "digit")


def label_column(who: str, columns: Sequence[str], y: str | None) -> str | None:
    """The column of labels: the one that is named, else one with a usual name."""
    if y is not None:
        return check_name(f"column of {who}", y, columns)
    return next((name for name in LABELS if name in columns), None)


def input_column(who: str, columns: Sequence[str], label: str | None, x: str | None) -> str:
    """The column of inputs: the one that is named, else one with a usual name or the only one."""
    if x is not None:
        return check_name(f"column of {who}", x, columns)
    rest = [name for name in columns if name != label]
    usual = next((name for name in INPUTS if name in rest), rest[0] if len(rest) == 1 else None)
    if usual is None:
        raise InputError(f"{who} has columns {named(columns)}; name the inputs with x=")
    return usual


def named(columns: Sequence[str]) -> str:
    """Columns for a sentence."""
    return ", ".join(map(one_line, columns))


def inputs_of(who: str, values: list[Any]) -> np.ndarray:
    """Inputs of samples as one array, Pillow's images among them."""
    if values and all(map(is_picture, values)):
        with reading(f"{who}: x"):
            values = alike(values)
    return stack(who, [as_array(f"{who}: x", value) for value in values])


def labels_of(who: str, values: list[Any]) -> Any:
    """Labels of samples, numbers and words as they are; None where no sample has one."""
    if all(value is None for value in values):
        return None
    arrays = [as_array(f"{who}: y", np.nan if v is None else v) for v in values]
    if all(a.size == 1 for a in arrays):
        return [a.item() for a in arrays]
    return stack(who, arrays, "y")


def stack(who: str, values: list[Any], name: str = "x") -> np.ndarray:
    """Samples as one array; :class:`InputError` where they have unlike shapes."""
    shapes = sorted({np.shape(value) for value in values}, key=str)
    if len(shapes) > 1:
        raise InputError(
            f"{who}: {name} has samples of shapes {shapes[0]} and {shapes[1]}; bring all to "
            "one, by a Resize among its transforms"
        )
    if not values:
        raise InputError(f"{who} has no samples in {name}; leave it out or give it data")
    return np.stack(values) if shapes[0] else np.array(values)
