"""One run at a time per results folder.

The lock belongs to one notebook's folder in one profile, so that two commands may execute
different notebooks side by side. The operating system holds it for the process and lets go of it
however that ends; the empty file it hangs on stays and means nothing. A notebook opened in
JupyterLab takes none: its results go elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from rndcfl.book import paths
from rndcfl.common.errors import InputError
from rndcfl.common.files import cannot_write


def lock(folder: Path) -> FileLock:
    """Take the lock of a job's folder, or raise :class:`InputError` if another process has it."""
    path = paths.lock(folder)
    taken = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        taken.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"another rndcfl reproduce is working in {paths.shown(folder)}; "
            "wait until it has ended, or choose other notebooks with --only"
        ) from None
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    return taken
