"""The folder of a copy: it replaces no other folder, and is written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rndcfl.common.errors import InputError
from rndcfl.common.files import cannot_write, write_whole

MARKER = ".rndcfl-html"  # in a folder that this command has made, and may replace


def check(out: Path) -> None:
    """Raise unless `out` is new, empty, or a copy made before.

    Raises
    ------
    InputError
        If something else is there.
    """
    if not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / MARKER).is_file()):
        raise InputError(f"{out} exists; name another folder or remove it")


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """A new folder to write to, which takes the place of `out` at the end if all went well.

    Raises
    ------
    InputError
        If `out` holds anything but an earlier copy.
    WriteError
        If it cannot be written; what was there before is still there.
    """
    check(out)
    out = out.resolve()
    with _written(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        new = beside / "new"
        write_whole(new / MARKER, "Made by rndcfl html, which replaces this folder.\n")
        yield new
        check(out)  # once more: time has passed
        with _written(out):
            _swap(new, out, beside / "old")
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _swap(new: Path, out: Path, old: Path) -> None:
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise


@contextmanager
def _written(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise cannot_write(out, problem) from problem
