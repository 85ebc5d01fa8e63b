"""Data of all clients, read together: what they are is seen, and numbered, over all of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError
from rndcfl.given import hints
from rndcfl.given.arrays import one_line
from rndcfl.given.classes import Labels, numbered, per_place
from rndcfl.given.inputs import Inputs, read

Parts = tuple[np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True)
class Together:
    """Data of all clients as they are used.

    Attributes
    ----------
    names : of the clients, empty where they have none.
    parts : of each x, y, x_test, y_test.
    n_classes, classes : how many there are, and their names where they are not the numbers.
    unlabelled : why there are no labels although some were given, or empty.
    said : what a reader should know.
    columns : names of a table's columns, where they are known.
    units : mean and standard deviation that each column was brought to 0 and 1 by, [2, d].
    """

    names: list[str]
    parts: list[Parts]
    n_classes: int
    classes: tuple[Any, ...]
    unlabelled: str
    said: list[str]
    columns: tuple[str, ...] = ()
    units: np.ndarray | None = None


def check_parts(who: str, parts: Any) -> None:
    """Raise unless a client's data are ``(x, y)`` or ``(x, y, x_test, y_test)``."""
    if not isinstance(parts, tuple | list) or len(parts) not in (2, 4):
        raise InputError(
            f"{who}: give (x, y) or (x, y, x_test, y_test), got {type(parts).__name__}; datasets "
            "are read by from_datasets, files by from_files"
        )


def listed(given: Any) -> tuple[list[str], list[Any]]:
    """Names of the clients, empty where they have none, and what was given for each.

    Raises
    ------
    InputError
        If nothing was given, or what cannot be gone through.
    """
    try:
        named = isinstance(given, Mapping)
        rows = list(given.values() if named else given)
        names = [one_line(name) for name in given] if named else [""] * len(rows)
    except (TypeError, AttributeError):
        raise InputError(
            f"clients are a list with one (x, y) each, or a dictionary, got {type(given).__name__}"
        ) from None
    if not rows:
        raise InputError("no clients given; give a list with one (x, y) per client")
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice:
        raise InputError(f"two clients are called {twice}; give each a name of its own")
    return names, rows


def called(names: Sequence[str]) -> list[str]:
    """What clients are called in sentences: by name, or by number where they have none."""
    return [f"client {name or i}" for i, name in enumerate(names)]


def together(
    given: Any,
    *,
    kind: str | None = None,
    classes: Sequence[Hashable] | None = None,
    columns: Sequence[str] | None = None,
    units: np.ndarray | None = None,
    said: Sequence[str] = (),
) -> Together:
    """Data as people give them, ``(x, y)`` or ``(x, y, x_test, y_test)`` of each client.

    Parameters
    ----------
    given : a list, or a dictionary whose keys name the clients.
    kind, classes : as for :meth:`rndcfl.Clients.from_arrays`.
    columns, units : of a table where somebody has already looked at it and scaled it.
    said : what that somebody has to say.

    Raises
    ------
    InputError
        For data that cannot be used.
    """
    names, rows = listed(given)
    who = called(names)
    for name, row in zip(who, rows, strict=True):
        check_parts(name, row)
    halves = [(i, "") for i in range(len(rows))]
    halves += [(i, "_test") for i, row in enumerate(rows) if len(row) == 4]
    inputs = read(
        [f"{who[i]}: x{test}" for i, test in halves],
        [rows[i][2 if test else 0] for i, test in halves],
        kind,
    )
    labels = _labels(
        [f"{who[i]}: y{test}" for i, test in halves],
        [rows[i][3 if test else 1] for i, test in halves],
        inputs,
        classes,
    )
    found = dict(zip(halves, zip(inputs.arrays, labels.arrays, strict=True), strict=True))
    for (i, test), (_, y) in found.items():
        if test and y is None and not labels.absent:
            raise InputError(f"{who[i]}: y_test is missing; give (x, y, x_test, y_test) or (x, y)")
    parts = [(*found[i, ""], *found.get((i, "_test"), (None, None))) for i in range(len(rows))]
    train = [x for x, *_ in parts]
    lines = [*said, *inputs.said, *labels.said, *hints.of_samples(who, train, inputs.kind)]
    if inputs.kind == "table" and columns is None:
        numbers = list(map(str, range(train[0].shape[1])))
        lines += hints.of_columns(numbers, [x.astype(np.float64) for x in train], scaled=False)
    about = labels.n_classes, labels.names, labels.absent
    return Together(names, parts, *about, lines, tuple(columns or ()), units)


def _labels(
    names: list[str], given: list[Any], inputs: Inputs, classes: Sequence[Hashable] | None
) -> Labels:
    """Labels of all clients; of text they may be one for each place."""
    if inputs.kind != "text" or not any(np.ndim(y) == 2 for y in given if y is not None):
        return numbered(names, given, list(map(len, inputs.arrays)), classes)
    arrays = [
        None if y is None else per_place(name, y, x)
        for name, y, x in zip(names, given, inputs.arrays, strict=True)
    ]
    largest = max(int(a.max()) for a in (*arrays, *inputs.arrays) if a is not None)
    return Labels(arrays, (), largest + 1, [])  # the next of the same characters
