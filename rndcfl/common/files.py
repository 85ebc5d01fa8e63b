"""Files that exist whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class WriteError(OSError):
    """Something could not be written (no space, no permission); the message is one line."""


def cannot_write(path: Path, problem: OSError) -> WriteError:
    """The error that states in one line what could not be written and why."""
    return WriteError(f"cannot write {path}: {problem.strerror or problem}")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under another name and rename it, so that it exists whole or not at all.

    Raises
    ------
    WriteError
        Naming the file and the reason; what was there before is still there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing is to be removed
            partial.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what writers of the file `path` left behind when they were killed."""
    for partial in path.parent.glob(f".{path.name}.*"):
        partial.unlink()
