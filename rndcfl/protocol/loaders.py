"""A site's own data: one line of the node's configuration says where they are.

``data`` is a CSV file, an npz file, or a Python function as ``module:function``. It is read on the
site and stays there.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from rndcfl.common.errors import InputError, check_name
from rndcfl.settings.partition import make_clients

ARRAYS = ("x", "y", "x_test", "y_test")


def number_of(node: Mapping[str, Any]) -> int:
    """The client's number, that names all its random draws; every site has its own."""
    number = node.get("client", node.get("partition-id"))
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise InputError(
            f"--node-config must name this site's number, client=0 or 1 or ..., got {number!r}"
        )
    return number


def load(number: int, node: Mapping[str, Any], run: Mapping[str, Any]) -> tuple[Any, ...]:
    """The site's ``(x, y)`` or ``(x, y, x_test, y_test)``.

    Parameters
    ----------
    number : of the client.
    node : the node's configuration; its ``data`` says where, ``label`` names a CSV's label column.
    run : the run's configuration; its ``data`` counts in simulations only, where nodes cannot be
        configured and are numbered by ``partition-id``: otherwise only the site says what it
        reads. A function gets both, the node's before the run's.

    Raises
    ------
    InputError
        If there is no ``data``, or it names nothing that can be read.
    """
    where = node.get("data", run.get("data") if "partition-id" in node else None)
    if not isinstance(where, str) or not where:
        raise InputError(
            "--node-config must say where this site's data are, e.g. data='/path/to/site.csv'"
        )
    if where.endswith(".csv"):
        return read_csv(where, node.get("label"))
    if where.endswith(".npz"):
        return read_npz(where)
    if ":" in where:
        return tuple(_function(where)(number, {**run, **node}))
    raise InputError(f"data must be a .csv, a .npz or module:function, got {where!r}")


def read_csv(path: str, label: object = None) -> tuple[np.ndarray, np.ndarray | None]:
    """A table of numbers with a header, empty cells for missing values.

    Its label column is `label`, or the one called ``y``; without one there are no labels.
    """
    file = _there(path)
    try:
        table = pd.read_csv(file)
    except (ValueError, OSError) as problem:
        raise InputError(f"{path} cannot be read as CSV: {problem}") from None
    column = label if label is not None else "y" if "y" in table else None
    y = None
    if column is not None:
        y = table.pop(check_name(f"column of {path}", column, map(str, table.columns)))
        if not pd.api.types.is_integer_dtype(y):
            raise InputError(f"{path}: labels in {column} must be whole numbers from 0")
    for name in table:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise InputError(f"{path}: column {name} is not numeric; make categories one-hot")
    return table.to_numpy(dtype=np.float64), None if y is None else y.to_numpy()


def read_npz(path: str) -> tuple[Any, ...]:
    """Arrays x, and y, x_test, y_test where they are there; no pickled objects."""
    arrays = {k: v for k, v in arrays_in(_there(path)).items() if k in ARRAYS}
    if "x" not in arrays:
        raise InputError(f"{path} has no array x; save it with numpy.savez(path, x=..., y=...)")
    if "x_test" in arrays:
        return tuple(arrays.get(name) for name in ARRAYS)
    return arrays["x"], arrays.get("y")


def arrays_in(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file; :class:`InputError` for anything else, pickles among it."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (ValueError, TypeError, OSError, EOFError, BadZipFile, zlib.error) as problem:
        raise InputError(f"{path} cannot be read as npz: {problem}") from None


def drawn(number: int, config: Mapping[str, Any]) -> tuple[Any, ...]:
    """A stand-in for a site's data: one of the clients of :func:`rndcfl.make_clients`.

    From `config`: ``dataset``, ``setting``, ``clients``, ``groups``, ``samples`` and ``data-seed``.
    """
    samples = int(config.get("samples", 0))
    clients = make_clients(
        str(config.get("dataset", "fashion-mnist-mini")),
        str(config.get("setting", "rotation")),
        int(config.get("clients", config.get("num-partitions", 2))),
        int(config.get("groups", 2)),
        seed=int(config.get("data-seed", 0)),
        samples_per_client=samples or None,
        test_per_client=max(1, samples // 4) if samples else None,
    )
    if number >= len(clients):
        raise InputError(f"client {number} of only {len(clients)}; raise clients in --node-config")
    own = clients[number]
    return own.x, own.y, own.x_test, own.y_test


def _function(where: str) -> Any:
    module, _, name = where.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as problem:
        raise InputError(f"data={where!r} cannot be imported: {problem}") from None


def _there(path: str) -> Path:
    if not Path(path).is_file():
        raise InputError(f"no file {path}; give an absolute path in --node-config")
    return Path(path)
