"""What there is to read of a notebook: its run in a profile, otherwise its source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import nbformat
from nbformat import NotebookNode

from rndcfl.book import paths
from rndcfl.book.provenance.fingerprint import NO_RESULT

DECIDED = {"injected-parameters", *NO_RESULT}


@dataclass(frozen=True)
class Reading:
    """A notebook for reading.

    Parameters
    ----------
    name : its name, e.g. ``"02_discovery"``.
    notebook : its cells, with outputs where there is a run.
    run : the record of the run, ``run.json``; None without one.
    changed : whether the notebook's code has changed since; then `notebook` is as it was run.
    """

    name: str
    notebook: NotebookNode
    run: dict[str, Any] | None = None
    changed: bool = False

    @property
    def day(self) -> str:
        """When it was run, e.g. ``"22 November 2026"``."""
        started = datetime.fromisoformat(self.run["started"]) if self.run else datetime.min
        return f"{started.day} {started:%B %Y}"

    @property
    def took(self) -> str:
        """How long the run took."""
        seconds = round(self.run["seconds"]) if self.run else 0
        minutes = round(seconds / 60)
        return f"{minutes} minutes" if minutes > 1 else f"{seconds} seconds"


def find(name: str, profile: str) -> Reading:
    """The run of notebook `name` in a profile, with today's prose, or the source without one."""
    source = nbformat.read(paths.notebooks()[name], as_version=4)
    folder = paths.runs(profile) / name
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        executed = nbformat.read(folder / "notebook.ipynb", as_version=4)
    except FileNotFoundError:
        return Reading(name, source)
    if run["status"] != "ok":
        return Reading(name, source)
    if _code(source) == _code(executed):
        return Reading(name, _with_outputs(source, executed), run)
    return Reading(name, _with_metadata(executed, source), run, changed=True)


def tags(cell: NotebookNode) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def _code(notebook: NotebookNode) -> list[tuple[str, str]]:
    """What the outputs depend on: code, neither parameters nor exercises."""
    return [
        (cell.id, cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code" and not tags(cell) & DECIDED
    ]


def _with_outputs(source: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """The source, its code with outputs and with the parameters of the run."""
    ran = {cell.id: cell for cell in executed.cells if cell.cell_type == "code"}
    injected = [cell for cell in executed.cells if "injected-parameters" in tags(cell)]
    cells = []
    for cell in source.cells:
        before = ran.get(cell.id)
        if before is not None and (before.source == cell.source or "parameters" in tags(cell)):
            cell = NotebookNode(before, metadata=cell.metadata)
        cells += [cell, *(injected if "parameters" in tags(cell) else [])]
    return NotebookNode(source, cells=cells)


def _with_metadata(executed: NotebookNode, source: NotebookNode) -> NotebookNode:
    """The executed notebook, its cells with the tags and slides of today's source."""
    today = {cell.id: cell.metadata for cell in source.cells}
    cells = [NotebookNode(c, metadata=today.get(c.id, c.metadata)) for c in executed.cells]
    return NotebookNode(executed, cells=cells)
