"""Clients of your own files, one each: tables, arrays, and folders of images."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_number, notice
from rndcfl.data.delimited import MISSING, read_csv
from rndcfl.data.pictures import ENDINGS, read_pictures
from rndcfl.data.tables import from_tables
from rndcfl.given import listed, together
from rndcfl.given.arrays import one_line, reading

ARRAYS = ("x", "y", "x_test", "y_test")
TEXT = (".csv", ".tsv", ".txt", ".data", ".tab")
KINDS = {
    **dict.fromkeys(TEXT, "table"),
    **dict.fromkeys((".parquet", ".pq"), "table"),
    **dict.fromkeys((".npz", ".npy"), "arrays"),
}
USUAL = "y"  # the column of labels where none is named


def from_files(
    files: str | os.PathLike[str] | Iterable[Any] | Mapping[Any, Any],
    groups: Sequence[int] | None = None,
    dataset: str = "own data",
    *,
    target: str | None = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = MISSING,
    size: int | None = None,
    kind: str | None = None,
    classes: Sequence[Hashable] | None = None,
) -> Clients:
    """Clients of your own files, one file or one folder each.

    Parameters
    ----------
    files : a list of paths, or a dictionary whose keys name the clients; otherwise they are called
        as their files are. Or one folder that holds a file or a folder for each client. A client's
        is a table (``.csv``, ``.tsv``, ``.txt``, ``.data``, also gzipped, ``.parquet``), arrays
        (``.npz`` with x and, where you have them, y, x_test, y_test; ``.npy`` with x), or a folder
        of images, which may be in a folder for each class.
    groups, dataset, kind, classes : as for :meth:`~rndcfl.Clients.from_arrays`.
    target : the column of labels of a table; default ``y``, if there is one.
    drop : columns of a table to leave out.
    missing : what stands for a missing value in a text file.
    size : pixels of both sides that images are brought to; default as they are, and 64 where their
        sizes differ.

    Returns
    -------
    Clients
        Tables as by :func:`from_tables`, all else as by :meth:`~rndcfl.Clients.from_arrays`.

    Raises
    ------
    InputError
        For what is not there or cannot be read: which file and why.
    """
    paths = _listed(files)
    kinds = {name: _kind(path) for name, path in paths.items()}
    first = next(iter(kinds))
    for name in kinds:
        if kinds[name] != kinds[first]:
            raise InputError(
                f"{paths[name]} is read as {kinds[name]}, {paths[first]} as "
                f"{kinds[first]}; give files of one sort"
            )
    if size is not None:
        check_number("size", size, 4, 4096, whole=True)
    if kinds[first] == "table":
        marks = (missing,) if isinstance(missing, str) else tuple(map(str, missing))
        return _of_tables(paths, groups, dataset, target, drop, marks, classes)
    if target is not None or drop:
        raise InputError("target and drop are columns of tables; arrays and images have none")
    if kinds[first] == "arrays":
        parts: Any = {name: read_arrays(path) for name, path in paths.items()}
        said: list[str] = []
    else:
        found, said = read_pictures(list(paths.items()), size)
        parts, kind = dict(zip(paths, found, strict=True)), "images"
    return Clients.of(together(parts, kind=kind, classes=classes, said=said), groups, dataset)


def read_table(path: Path, missing: tuple[str, ...] = MISSING) -> tuple[pd.DataFrame, list[str]]:
    """The table in a text or Parquet file, and what was noticed about it."""
    if _ending(path) in TEXT:
        return read_csv(path, missing)
    with reading(f"{path} is no Parquet: it"):
        try:
            return pd.read_parquet(path), []
        except ImportError:
            raise InputError(
                f"{path}: Parquet is read by pyarrow; pip install 'rndcfl[data]'"
            ) from None


def read_arrays(path: Path) -> tuple[Any, ...]:
    """Arrays x, and y, x_test, y_test where they are there; no pickled objects."""
    if _ending(path) == ".npy":
        with reading(f"{path} is no array: it"):
            found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            raise InputError(f"{path} holds several arrays; call it .npz")
        return found, None
    arrays = arrays_in(path)
    if "x" not in arrays:
        raise InputError(f"{path} has no array x; save it with numpy.savez(path, x=..., y=...)")
    if "x_test" in arrays:
        return tuple(arrays.get(name) for name in ARRAYS)
    return arrays["x"], arrays.get("y")


def arrays_in(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file; :class:`InputError` for anything else, pickles among it."""

    with reading(f"{path} is no archive of arrays: it"):
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            raise InputError(f"{path} holds a single array; call it .npy")
        with found as file:
            return {name: np.asarray(file[name]) for name in file.files}


def _of_tables(
    paths: dict[str, Path],
    groups: Sequence[int] | None,
    dataset: str,
    target: str | None,
    drop: Sequence[str],
    missing: tuple[str, ...],
    classes: Sequence[Hashable] | None,
) -> Clients:
    said: list[str] = []
    frames = {}
    for name, path in paths.items():
        frames[name], lines = read_table(path, missing)
        said += lines
    if target is None and all(USUAL in frame for frame in frames.values()):
        target = USUAL
        said.append("column y is taken as the labels; target= names another")
    clients = from_tables(frames, groups, dataset, target=target, drop=drop, classes=classes)
    notice(said)
    return replace(clients, notices=(*said, *clients.notices))


def _listed(files: Any) -> dict[str, Path]:
    """Names of the clients and their paths, which are there."""
    if isinstance(files, str | os.PathLike):
        files = [files]
    try:
        paths = [Path(p) for p in (files.values() if isinstance(files, Mapping) else files)]
    except TypeError:
        given = one_line(repr(files))
        raise InputError(f"files are paths, one for each client, got {given}") from None
    if not paths:
        raise InputError("no clients given; give a list with one file or folder for each")
    for path in paths:
        with reading(repr(str(path))):
            there = path.exists()
        if not there:
            raise InputError(
                f"there is no {one_line(path)}; give the files of your clients, one each"
            )
    if isinstance(files, Mapping):
        return dict(zip(listed(files)[0], paths, strict=True))
    if len(paths) == 1 and paths[0].is_dir():
        paths = _inside(paths[0])
    return _called(paths)


def _inside(folder: Path) -> list[Path]:
    """One file or folder for each client, all of them in one folder."""
    shown = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    found = [p for p in shown if p.is_dir() or _ending(p) in KINDS]
    if not found and any(p.suffix.lower() in ENDINGS for p in shown):
        raise InputError(
            f"{folder} holds images itself; give a folder with one for each client, or of a single "
            "client {name: folder}"
        )
    if not found:
        raise InputError(f"{folder} holds neither tables, arrays nor folders, one for each client")
    return found


def _called(paths: list[Path]) -> dict[str, Path]:
    """Clients are called as their files, with the folder where two files have one name."""
    short = [one_line(path.name if path.is_dir() else _stem(path)) for path in paths]
    if len(set(short)) < len(short):
        short = [str(path) for path in paths]
    if len(set(short)) < len(short):
        twice = next(name for name in short if short.count(name) > 1)
        raise InputError(f"{twice} is given twice; a file is one client")
    return dict(zip(short, paths, strict=True))


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix == ".gz" else path.stem


def _ending(path: Path) -> str:
    return path.with_suffix("").suffix.lower() if path.suffix == ".gz" else path.suffix.lower()


def _kind(path: Path) -> str:
    if path.is_dir():
        return "images"
    if _ending(path) not in KINDS:
        raise InputError(
            f"{path} is of no sort that is read; give {', '.join(KINDS)} or folders of images"
        )
    return KINDS[_ending(path)]
