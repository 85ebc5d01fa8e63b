"""A site's own data: one line of the node's configuration says where they are.

``data`` is a table (CSV in any dialect, Parquet), an npz file, or a Python function as
``module:function``. It is read on the site and stays there.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rndcfl.common.errors import InputError, check_name
from rndcfl.data.own_files import TEXT, USUAL, read_arrays, read_table
from rndcfl.settings.partition import make_clients


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
    node : the node's configuration; its ``data`` says where, ``label`` names a table's column of
        labels.
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
    if where.endswith((*TEXT, ".gz", ".parquet", ".pq")):
        return labelled(where, node.get("label"))
    if where.endswith((".npz", ".npy")):
        return read_arrays(_there(where))
    if ":" in where:
        return tuple(_function(where)(number, {**run, **node}))
    raise InputError(f"data must be a .csv, a .parquet, a .npz or module:function, got {where!r}")


def labelled(path: str, label: object = None) -> tuple[pd.DataFrame, np.ndarray | None]:
    """A table of numbers in a file, NaN for missing values.

    Its label column is `label`, or the one called ``y``; without one there are no labels. Words
    are refused: which levels other sites have, a site cannot know.
    """
    table, _ = read_table(_there(path))
    column = label if label is not None else USUAL if USUAL in table else None
    y = None
    if column is not None:
        y = table.pop(check_name(f"column of {path}", column, map(str, table.columns)))
        if not pd.api.types.is_integer_dtype(y):
            raise InputError(f"{path}: labels in {column} must be whole numbers from 0")
    for name in table:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise InputError(f"{path}: column {name} is not numeric; make categories one-hot")
    return table.astype(np.float64), None if y is None else y.to_numpy()


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
