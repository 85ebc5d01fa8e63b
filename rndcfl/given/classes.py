"""Labels of all clients: whole numbers of any value, words, truth values or one-hot rows, numbered
0, 1, ... over all clients; their names are kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED
from rndcfl.given.arrays import as_array, one_line, reading

PLAIN = (str, bytes, int, float, np.number, np.bool_, pd.Interval)  # what may name a class
MANY = 50  # different labels, from which on they may be measurements


@dataclass(frozen=True)
class Labels:
    """Labels as they are used.

    Attributes
    ----------
    arrays : int64 [n] for each that was given, or None.
    names : of the classes, in their order; empty where classes are the numbers from 0.
    n_classes : how many.
    said : what a reader should know about them.
    absent : why there are none, where they were given and are no classes; else empty.
    """

    arrays: list[np.ndarray | None]
    names: tuple[Any, ...]
    n_classes: int
    said: list[str]
    absent: str = ""


def numbered(
    names: Sequence[str],
    given: Sequence[Any],
    sizes: Sequence[int],
    classes: Sequence[Hashable] | None = None,
) -> Labels:
    """Labels as they were given, numbered over all clients.

    Parameters
    ----------
    names : of each, for errors, such as ``"client 0: y"``.
    given : labels [n], [n, 1] or one-hot [n, K], or None.
    sizes : how many samples each belongs to.
    classes : names of the classes where they are known beforehand; default those that occur.

    Raises
    ------
    InputError
        For labels that do not match their samples, are missing, or are none of `classes`.
    """
    kept = [
        None if y is None else _flat(name, y, n)
        for name, y, n in zip(names, given, sizes, strict=True)
    ]
    there = [(name, y) for name, y in zip(names, kept, strict=True) if y is not None]
    _check_one_sort(there)
    real = next((name for name, y in there if y[0].dtype.kind == "f"), "")
    if real:
        absent = f"{real} holds real numbers, which are no classes"
        line = f"{absent}: federations are found without them; to train, cut them into classes"
        return Labels([None] * len(kept), (), 0, [line], absent)
    found = {value: None for _, y in there for value in y[1]}
    if classes is None:
        order, said = sorted(found, key=_rank), _said(there, len(found))
    else:
        order, said = _order(classes), []
        strange = next(((n, v) for n, y in there for v in y[1] if v not in order), None)
        if strange:
            raise InputError(
                f"{strange[0]} has the label {strange[1]!r}, which is none of classes {order}"
            )
    number = {value: k for k, value in enumerate(order)}
    arrays: list[np.ndarray | None] = [
        None if y is None else np.array([number[v] for v in y[1]], dtype=np.int64)[y[0]]
        for y in kept
    ]
    plain = order == list(range(len(order))) and not any(isinstance(v, bool) for v in order)
    return Labels(arrays, () if plain else tuple(order), len(order), said)


Coded = tuple[np.ndarray, list[Any]]  # which of the values each label is, and the values; or
# real targets, and none


def _flat(name: str, given: Any, n: int) -> Coded:
    """One client's labels as numbers of their own values; real targets as they are."""
    y = as_array(name, given)
    if y.dtype.kind in "MmcV":
        raise InputError(f"{name} of type {y.dtype} holds no classes; give numbers or words")
    if y.ndim == 2 and y.shape[1] == 1 and len(y) == n:
        y = y[:, 0]
    if y.ndim == 2 and len(y) == n:
        named = isinstance(given, pd.DataFrame)
        return _one_hot(name, y), list(given.columns if named else range(y.shape[1]))
    if y.shape != (n,):
        raise InputError(f"{name} has shape {y.shape}, expected ({n},) to match its x")
    with reading(name):
        gone = int(pd.isna(y).sum())
    if gone:
        raise InputError(
            f"{name} lacks {gone} of {n} labels; leave these samples out, or give y=None"
        )
    if y.dtype == object and all(isinstance(v, int | float | np.number | Decimal) for v in y):
        with reading(name):
            y = np.array([float(v) if isinstance(v, Decimal) else v for v in y])
    if y.dtype.kind == "f":
        with np.errstate(all="ignore"):
            y = y.astype(np.float64)
        if not np.isfinite(y).all() or (y != np.round(y)).any() or np.abs(y).max() > 2**53:
            return y, []
        y = y.astype(np.int64)
    if y.dtype == object:
        strange = next((v for v in y if not isinstance(v, PLAIN)), None)
        if strange is not None:
            raise InputError(
                f"{name} holds {type(strange).__name__}; give one number or word per sample"
            )
    codes, values = pd.factorize(y)
    return codes, [_plain(v) for v in values]


def _plain(value: Any) -> Any:
    """A label as a number or a word of Python's own."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, int | float | str) else str(value)


def _check_one_sort(there: list[tuple[str, Coded]]) -> None:
    """Raise where labels are words here and numbers there: nobody knows which mean the same."""
    sorts = [(n, v) for n, (_, values) in there for v in values]
    word = next(((n, v) for n, v in sorts if isinstance(v, str)), None)
    number = next(((n, v) for n, v in sorts if not isinstance(v, str)), None)
    if word and number:
        raise InputError(
            f"{word[0]} holds the word {word[1]!r}, {number[0]} the number {number[1]!r}; give "
            "words or numbers at all clients"
        )


def _order(classes: Any) -> list[Any]:
    """Names of classes that were given beforehand, checked."""
    if isinstance(classes, Iterable) and not isinstance(classes, str | bytes):
        order = [_plain(v) if isinstance(v, PLAIN) else v for v in classes]
        if all(isinstance(v, Hashable) for v in order) and len(set(order)) == len(order):
            return order
    raise InputError(
        f"classes are a list of different names in their order, got {one_line(repr(classes))}"
    )


def _one_hot(name: str, y: np.ndarray) -> np.ndarray:
    try:
        y = y.astype(np.float64)
    except (TypeError, ValueError):
        y = np.full(y.shape, np.nan)
    if not (np.isin(y, (0, 1)).all() and (y.sum(1) == 1).all()):
        raise InputError(
            f"{name} has shape {y.shape}; give one label per sample, or rows of zeros with a "
            "single one"
        )
    return y.argmax(1)


def _rank(value: Any) -> tuple[bool, Any]:
    """Numbers first, by value; then words."""
    number = isinstance(value, int | float)
    return not number, value if number else str(value)


def _said(there: list[tuple[str, Coded]], n_classes: int) -> list[str]:
    n = sum(len(codes) for _, (codes, _) in there)
    if n_classes > MANY and n_classes > n / 10:
        return [
            f"y holds {n_classes} different values in {n} samples; if they are measurements, cut "
            "them into classes"
        ]
    return []


def per_place(name: str, given: Any, x: np.ndarray) -> np.ndarray:
    """Labels of text, int64 [n, length]: a label for each place, ``IGNORED`` where there is none.

    Raises
    ------
    InputError
        For other shapes and for what is no class number from 0.
    """
    y = as_array(name, given)
    if y.shape != x.shape:
        raise InputError(f"{name} has shape {y.shape}, expected {x.shape}, one for each place")
    if y.dtype.kind not in "ui":
        raise InputError(f"{name} must hold whole class numbers from 0, got {y.dtype}")
    asked = y[y != IGNORED]
    if not asked.size:
        raise InputError(f"{name} asks for nothing; all its labels are {IGNORED}")
    if asked.min() < 0:
        raise InputError(f"{name} must hold whole class numbers from 0, got {asked.min()}")
    return y.astype(np.int64)
