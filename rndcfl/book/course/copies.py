"""Copies of the notebooks for a course, made from the one master that holds both.

An exercise is a few cells of a notebook: the question (Markdown), a cell tagged ``starter`` with
the blank that students fill in, cells tagged ``solution``, and a cell tagged ``check`` that
explains what is wrong with an answer. A student's copy is the notebook without its solutions:
nothing is rewritten, so nothing can be left behind.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode

from rndcfl.book import paths
from rndcfl.common.errors import InputError
from rndcfl.common.files import write_whole

QUESTION = re.compile(r"\*\*Question\.\*\*\s+(.+?)(?=\n\s*\n|\Z)", re.DOTALL)
SETUP = """\
# On Colab or another machine without rndcfl this installs it; elsewhere it does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("rndcfl") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "{source}"], check=True)"""


@dataclass(frozen=True)
class Home:
    """Where the copies will lie on GitHub: ``owner/name`` and the folder in it; or nowhere."""

    repository: str | None
    folder: str

    def __post_init__(self) -> None:
        if self.repository and not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repository):
            raise InputError(f"--repository wants OWNER/NAME, got {self.repository!r}")

    @property
    def source(self) -> str:
        """What pip installs where rndcfl is missing."""
        return f"rndcfl @ git+https://github.com/{self.repository}" if self.repository else "rndcfl"

    def badges(self, file: str) -> str:
        """Links that open a copy on Binder and on Colab."""
        path = f"{self.folder}/{file}"
        binder = f"https://mybinder.org/v2/gh/{self.repository}/HEAD?labpath={quote(path, safe='')}"
        colab = f"https://colab.research.google.com/github/{self.repository}/blob/HEAD/{path}"
        return f"[Binder]({binder}), [Colab]({colab})"


def tagged(cell: NotebookNode, tag: str) -> bool:
    """Whether a cell has a tag."""
    return tag in cell.metadata.get("tags", [])


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """The notebook as students get it: every cell but those tagged ``solution``."""
    cells = [cell for cell in notebook.cells if not tagged(cell, "solution")]
    return nbformat.from_dict({**notebook, "cells": cells})


def with_setup(notebook: NotebookNode, source: str) -> NotebookNode:
    """The notebook with a first code cell that installs rndcfl where it is missing."""
    first = next(k for k, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    setup = nbformat.v4.new_code_cell(SETUP.format(source=source), id="setup")
    cells = [*notebook.cells[:first], setup, *notebook.cells[first:]]
    return nbformat.from_dict({**notebook, "cells": cells})


def question(notebook: NotebookNode) -> str:
    """The question that a notebook opens with, Markdown on one line."""
    found = QUESTION.search(notebook.cells[0].source)
    return " ".join(found[1].split()) if found else ""


def build(out: Path, repository: str | None = None) -> list[Path]:
    """Write ``out/student/`` and ``out/solutions/``: a copy of every notebook, and a list of them.

    Parameters
    ----------
    out : folder to write to; made if it is not there.
    repository : ``owner/name`` on GitHub from which Binder and Colab shall open the copies.

    Returns
    -------
    The two folders.

    Raises
    ------
    InputError
        If one of the two folders is there already (students may have worked in it), or for a
        repository that is none; nothing has been written.
    """
    sets = {out / "student": without_solutions, out / "solutions": lambda notebook: notebook}
    for folder in sets:
        if folder.exists():
            raise InputError(f"{folder} exists; name another folder or move it away")
    inside = out.resolve().is_relative_to(paths.root())
    place = out.resolve().relative_to(paths.root()) if inside else Path(out.resolve().name)
    for folder, copy in sets.items():
        _write(folder, copy, Home(repository, (place / folder.name).as_posix()))
    return list(sets)


def _write(folder: Path, copy: Callable[[NotebookNode], NotebookNode], home: Home) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    lines = [f"# Notebooks: {folder.name}", ""]
    for name, path in paths.notebooks().items():
        notebook = nbformat.read(path, as_version=4)
        made = with_setup(copy(notebook), home.source)
        write_whole(partial / path.name, nbformat.writes(made) + "\n")
        badges = f" ({home.badges(path.name)})" if home.repository else ""
        lines.append(f"- [{name}]({path.name}){badges}: {question(notebook)}")
    write_whole(partial / "README.md", "\n".join(lines) + "\n")
    partial.rename(folder)
