"""Tables with missing values: brought to one scale without any client showing a row.

A missing value becomes the mean, and a column of its own says where it was. Means and standard
deviations are agreed on from what each client may report: per column, how many values it has, their
sum and the sum of their squares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rndcfl.clients import Clients, check_parts
from rndcfl.common.errors import InputError


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
    tables: Iterable[tuple[Any, ...]],
    groups: Sequence[int] | None = None,
    dataset: str = "own data",
) -> Clients:
    """Clients of your own tables, which may have missing values and columns of any scale.

    Parameters
    ----------
    tables : per client ``(x, y)`` or ``(x, y, x_test, y_test)`` with x [n, d] of numbers, NaN for
        missing; categories one-hot. Test rows do not affect the scale.
    groups, dataset : as for :meth:`~rndcfl.Clients.from_arrays`.

    Returns
    -------
    Clients
        With d columns of mean 0 and standard deviation 1 over all clients (those of zeros and ones
        as they are), and one more for each that has missing values.

    Raises
    ------
    InputError
        As for :meth:`~rndcfl.Clients.from_arrays`, and for what is not a table.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(70, 10, (60, 5))
    >>> x[::7, 2] = np.nan
    >>> from_tables([(x[:30], None), (x[30:], None)]).input_shape
    (6,)
    """
    given: list[list[Any]] = []
    for i, parts in enumerate(tables):
        check_parts(i, parts)
        own = list(parts)
        own[::2] = [as_table(i, x) for x in own[::2]]
        given.append(own)
        width = given[0][0].shape[1]
        for x in own[::2]:
            if x.shape[1] != width:
                raise InputError(
                    f"client {i} has a table of {x.shape[1]} columns, client 0 one of {width}; "
                    "all must be alike"
                )
    if given:
        scale = Scale.agreed([own[0] for own in given])
        for own in given:
            own[::2] = [scale.fill(x) for x in own[::2]]
    return Clients.from_arrays([tuple(own) for own in given], groups, dataset)


def as_table(i: int, given: Any) -> np.ndarray:
    """Client i's table as float64 [n, d], checked."""
    try:
        x = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"client {i}: its table cannot be read as numbers; make categories one-hot"
        ) from None
    if x.ndim != 2:
        raise InputError(f"client {i}: a table [n, d] is expected, got shape {x.shape}")
    if np.isinf(x).any():
        raise InputError(f"client {i}: its table holds infinite values; give NaN for missing ones")
    return x
