"""Fingerprints of what a result depends on: notebook, package, data, versions."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from rndcfl.book.provenance.computing import computing
from rndcfl.book.provenance.definitions import table
from rndcfl.data.catalogue import data_files

NO_RESULT = {"parameters", "interactive", "starter", "solution", "check"}  # tags of cells
PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "torch", "matplotlib", "papermill")


def digest(value: Any) -> str:
    """Short sha256 of anything JSON can hold, or of text."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def source_hash() -> str:
    """Fingerprint of all that the package defines."""
    return digest(table())


def notebook_code(path: Path) -> str:
    """A notebook's code that computes results.

    The parameters' values count on their own; no result depends on exercises or on pictures to
    play with.
    """
    import nbformat  # takes a second, which a kernel that only writes results can do without

    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    counting = [c.source for c in code if not NO_RESULT & set(c.metadata.get("tags", []))]
    return ast.unparse(computing(ast.parse("\n".join(counting))))


def notebook_hash(path: Path) -> str:
    """Fingerprint of :func:`notebook_code`."""
    return digest(notebook_code(path))


def data_hash(datasets: list[str]) -> str | None:
    """Fingerprint of the datasets' files; None without any, or where one's files are not here."""
    found = [data_files(name) for name in datasets]
    if not found or not all(found):
        return None
    files = [path for paths in found for path in paths]
    sums = []
    for path in files:
        with path.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digest(sums)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute."""
    return {"python": platform.python_version(), **{p: metadata.version(p) for p in PACKAGES}}


def machine() -> str:
    """The kind of processor: two of a kind, with the same versions, compute the same bits."""
    processor = {}
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
        pairs = (line.partition(":") for line in lines)
        processor = {name.strip(): value.strip() for name, _, value in pairs}
    names = ("model name", "cpu family", "model", "stepping")
    parts = [processor[name] for name in names if name in processor] or [platform.processor()]
    return " ".join([platform.machine(), *parts, torch.backends.cpu.get_cpu_capability()])


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The commit of the checkout, with a plus where package or notebooks differ from it.

    None outside a checkout, or without git.
    """

    def git(*arguments: str) -> str:
        at = ["git", "-C", str(Path(__file__).parents[3]), *arguments]
        return subprocess.run(at, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # It may be installed within the checkout of another project.
        git("ls-files", "--error-unmatch", "rndcfl/__init__.py")
        changed = git("status", "--porcelain", "--", "rndcfl", "notebooks")
        return git("rev-parse", "HEAD") + "+" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return None
