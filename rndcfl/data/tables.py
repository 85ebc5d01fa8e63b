"""Tables with missing values: brought to one scale without any client showing a row.

A missing value becomes the mean, and a column of its own says where it was. Means and standard
deviations are agreed on from what each client may report: per column, how many values it has, their
sum and the sum of their squares.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name
from rndcfl.data.frames import agreed, aligned, as_frame, is_frame, numbers
from rndcfl.given import called, check_parts, listed, together
from rndcfl.given.arrays import LARGEST, as_array, as_numbers, one_line
from rndcfl.given.hints import of_columns

SMALL = 1e-3  # of its size, by which a column varies at least for sums of squares to be exact


@dataclass(frozen=True, eq=False)
class Scale:
    """What clients have agreed on.

    Attributes
    ----------
    mean, sd : of each column over all clients, missing values left out, float64 [d]; 0 and 1 for
        columns of zeros and ones, which stay as they are.
    marked : columns in which some client lacks a value, int64.
    """

    mean: np.ndarray
    sd: np.ndarray
    marked: np.ndarray

    @classmethod
    def agreed(cls, tables: Sequence[np.ndarray]) -> Scale:
        """From per client a table [n, d] with NaN for missing."""
        return cls.of_sums(np.stack([sums(x) for x in tables]))

    @classmethod
    def of_sums(cls, reported: np.ndarray) -> Scale:
        """From what clients report of their tables, :func:`sums` of each, [N, 5, d].

        A column in which no client has a value gets mean 0, one that never varies sd 1.
        """
        rows, count, total, squares, others = reported.sum(0)
        n, flags = np.maximum(count, 1), others == 0
        mean, square = total / n, squares / n
        variance = square - mean**2
        varies = variance > 1e-9 * square  # otherwise it is the rounding of the difference
        sd = np.sqrt(np.where(varies & ~flags, variance, 1.0))
        return cls(np.where(flags, 0.0, mean), sd, np.flatnonzero(count < rows))

    def fill(self, x: np.ndarray) -> np.ndarray:
        """[n, d] -> float32 [n, d + len(marked)]: scaled, 0 for missing, then 1 where it was."""
        missing = np.isnan(x)
        scaled = np.where(missing, 0.0, (x - self.mean) / self.sd)
        with np.errstate(over="ignore"):
            return np.hstack([scaled, missing[:, self.marked]]).astype(np.float32)


def sums(x: np.ndarray) -> np.ndarray:
    """What a client reports of each column of its table [n, d], NaN for missing: float64 [5, d].

    Rows, values, their sum, the sum of their squares, and how many are neither 0 nor 1.
    """
    there, flat = ~np.isnan(x), np.nan_to_num(x).astype(np.float64)
    others = there & (x != 0) & (x != 1)
    rows = np.full(x.shape[1], len(x))
    return np.stack([rows, there.sum(0), flat.sum(0), np.square(flat).sum(0), others.sum(0)])


def from_tables(
    tables: Iterable[Any] | Mapping[Any, Any],
    groups: Sequence[int] | None = None,
    dataset: str = "own data",
    *,
    target: str | None = None,
    drop: Sequence[str] = (),
    classes: Sequence[Hashable] | None = None,
) -> Clients:
    """Clients of your own tables, which may have missing values, words and columns of any scale.

    Parameters
    ----------
    tables : per client ``(x, y)``, ``(x, y, x_test, y_test)`` or a DataFrame alone; a list of them,
        or a dictionary whose keys name the clients. x is a DataFrame (pandas, Polars, Arrow), whose
        columns are matched by name, or an array [n, d] of numbers. Missing is NaN, None, pandas'
        NA, or masked. Test rows do not affect the scale.
    groups, dataset, classes : as for :meth:`~rndcfl.Clients.from_arrays`.
    target : the column that holds the labels, of frames that come without y.
    drop : columns to leave out.

    Returns
    -------
    Clients
        With columns of mean 0 and standard deviation 1 over all clients (those of zeros and ones as
        they are), one for each level of a column of words, and one more for each that has missing
        values; ``clients.columns`` names them.

    Raises
    ------
    InputError
        As for :meth:`~rndcfl.Clients.from_arrays`; for what is not a table; for columns that
        differ between clients, hold dates, or a word among numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> north = pd.DataFrame({"age": [61, 57, None], "sex": ["f", "m", "f"]})
    >>> south = pd.DataFrame({"sex": ["m", "m"], "age": [44, 39]})
    >>> from_tables({"north": north, "south": south}).columns
    ('age', 'sex=f', 'sex=m', 'age missing')
    """
    if is_frame(tables):
        raise InputError(
            "tables are a list with one table for each client, got a single "
            f"{type(tables).__name__}; groupby makes one for each"
        )
    names, rows = listed(tables)
    who = called(names)
    given = [_parts(w, row) for w, row in zip(who, rows, strict=True)]
    _choose(who, given, target, drop)
    every = [(w, own[k]) for w, own in zip(who, given, strict=True) for k in range(0, len(own), 2)]
    made, columns = _as_numbers([w for w, _ in every], [x for _, x in every])
    for own in given:
        own[::2] = [made.pop(0) for _ in own[::2]]
    offset = _recentre([own[0] for own in given], given)
    said = of_columns(columns, [own[0] for own in given], scaled=True)
    scale = Scale.agreed([own[0] for own in given])
    for own in given:
        own[::2] = [scale.fill(x) for x in own[::2]]
    _check_scaled(who, given)
    columns += [f"{columns[k]} missing" for k in scale.marked]
    marks = np.zeros(len(scale.marked))
    units = np.stack([np.append(scale.mean + offset, marks), np.append(scale.sd, marks + 1)])
    every_client = [tuple(own) for own in given]
    parts = dict(zip(names, every_client, strict=True)) if any(names) else every_client
    data = together(parts, kind="table", classes=classes, columns=columns, units=units, said=said)
    return Clients.of(data, groups, dataset)


def _parts(who: str, row: Any) -> list[Any]:
    """``[x, y]`` or ``[x, y, x_test, y_test]`` of one client, x frames or arrays."""
    parts = [row, None] if is_frame(row) else row
    check_parts(who, parts)
    parts = list(parts)
    for k in range(0, len(parts), 2):
        parts[k] = as_frame(who, parts[k]) if is_frame(parts[k]) else _positions(who, parts[k])
    return parts


def _choose(who: list[str], given: list[list[Any]], target: Any, drop: Any) -> None:
    """Take labels out of frames, and columns that somebody, not everybody, may have."""
    if isinstance(drop, str | int):
        drop = [drop]
    dropped = [one_line(name) for name in drop]
    if target is None and not dropped:
        return
    places = [(w, own, k) for w, own in zip(who, given, strict=True) for k in range(0, len(own), 2)]
    bare = next((w for w, own, k in places if not is_frame(own[k])), None)
    if bare:
        raise InputError(f"{bare}: target= and drop= name columns; give a DataFrame")
    known = list(dict.fromkeys(name for _, own, k in places for name in own[k].columns))
    for name in dropped:
        check_name("column to drop", name, known)
    for w, own, k in places:
        own[k] = own[k].drop(columns=[name for name in dropped if name in own[k]])
        if target is not None and own[k + 1] is None:
            column = check_name(f"column of {w}", one_line(target), own[k].columns)
            own[k + 1] = own[k].pop(column)


def _positions(who: str, given: Any) -> Any:
    """An array as it is, or with its words as a frame whose columns are called 0, 1, ..."""
    x = as_array(f"{who}: its table", given)
    if x.ndim != 2 or x.dtype.kind not in "OUS":
        return x
    return pd.DataFrame(x.astype(object), columns=list(map(str, range(x.shape[1])))).infer_objects()


def _as_numbers(who: list[str], tables: list[Any]) -> tuple[list[np.ndarray], list[str]]:
    """All tables as float64 [n, d], NaN for missing, and the names of their columns."""
    if any(map(is_frame, tables)):
        frames = [_framed(w, x) for w, x in zip(who, tables, strict=True)]
        frames = aligned(who, frames)
        columns = agreed(who, frames)
        made = [numbers(w, frame, columns) for w, frame in zip(who, frames, strict=True)]
        if not columns.made:
            raise InputError(f"{who[0]} has no column left to compare")
        return made, columns.made
    made = [as_table(w, x) for w, x in zip(who, tables, strict=True)]
    width = made[0].shape[1]
    for w, x in zip(who, made, strict=True):
        if x.shape[1] != width:
            raise InputError(
                f"{w} has a table of {x.shape[1]} columns, {who[0]} one of {width}; all must be "
                "alike"
            )
    return made, list(map(str, range(width)))


def _framed(who: str, given: Any) -> pd.DataFrame:
    return given if is_frame(given) else pd.DataFrame(as_table(who, given)).rename(columns=str)


def _recentre(train: list[np.ndarray], given: list[list[Any]]) -> np.ndarray:
    """Take a constant off columns that vary by little of their size, such as years or times; [d].

    The sum of squares would lose what varies; no result depends on where zero is.
    """
    pooled = np.concatenate(train)
    offset = np.zeros(pooled.shape[1])
    for k in range(pooled.shape[1]):
        values = pooled[~np.isnan(pooled[:, k]), k]
        if len(values) and 0 < np.ptp(values) < SMALL * np.abs(values).max():
            offset[k] = values[0]
    for own in given:
        for x in own[::2]:
            x -= offset
    return offset


def _check_scaled(who: list[str], given: list[list[Any]]) -> None:
    """Raise for test rows so far from all training rows that float32 does not hold them."""
    for w, own in zip(who, given, strict=True):
        if not all(np.isfinite(x).all() for x in own[2::2]):
            raise InputError(
                f"{w}: x_test holds values beyond {LARGEST:.0e} standard deviations of the "
                "training rows; leave these rows out"
            )


def as_table(who: str, given: Any) -> np.ndarray:
    """A client's table as float64 [n, d], NaN for missing, checked."""
    x = as_numbers(f"{who}: its table", given, missing=True).astype(np.float64)
    if x.ndim != 2 or not x.shape[1]:
        raise InputError(f"{who}: a table [n, d] is expected, got shape {x.shape}")
    return x
