"""Run a copy of a notebook and collect the check of each exercise."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from rndcfl.book import paths
from rndcfl.book.course.copies import tagged
from rndcfl.book.run.executed import error_in, kernel_arguments
from rndcfl.book.run.parameters import parameters_for
from rndcfl.common.errors import InputError

CELL_TIMEOUT = 600  # seconds; a cell that takes longer is interrupted
OF_AN_EXERCISE = ("starter", "solution", "check")


@dataclass(frozen=True)
class Answer:
    """A check's verdict on an answer: right, or what is wrong with it."""

    exercise: str
    right: bool
    message: str


def check(path: Path, profile: str = "smoke") -> list[Answer]:
    """Execute a student's copy to its end and collect the verdicts of its checks.

    A cell that takes longer than ten minutes is interrupted, and the next one begins.
    It runs the student's code, as opening the notebook would, with results in a folder that is
    thrown away. The exercises have sizes of their own, so the smallest profile will do.

    Parameters
    ----------
    path : the notebook; the parameters are those of the notebook of its name.
    profile : scale of the rest of the notebook.

    Raises
    ------
    InputError
        If the file is no notebook of the course, or one of its cells before the exercises fails.
    """
    executed = _executed(read(path), path.stem, profile)
    for cell in executed.cells:
        if cell.cell_type == "code" and not any(tagged(cell, tag) for tag in OF_AN_EXERCISE):
            error = error_in(nbformat.from_dict({"cells": [cell]}))
            if error:
                raise InputError(f"{path}: a cell that is not of an exercise fails: {error}")
    return list(_answers(executed))


def read(path: Path) -> NotebookNode:
    """The notebook at `path`, if it is one of the course."""
    from papermill.iorw import load_notebook_node

    if path.stem not in paths.notebooks():
        raise InputError(
            f"{path} is no notebook of the course; its name must be one of: "
            + ", ".join(paths.notebooks())
        )
    try:
        return load_notebook_node(str(path))
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    except (ValueError, AttributeError, KeyError, nbformat.reader.NotJSONError):
        raise InputError(f"{path} is no notebook") from None


def _executed(notebook: NotebookNode, name: str, profile: str) -> NotebookNode:
    from nbclient import NotebookClient
    from papermill.parameterize import parameterize_notebook

    ready = parameterize_notebook(notebook, parameters_for(name, profile, {}))
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, paths.OUTPUT_VARIABLE: folder, "TQDM_DISABLE": "1"}
        client = NotebookClient(
            ready,
            timeout=CELL_TIMEOUT,
            interrupt_on_timeout=True,
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            extra_arguments=kernel_arguments(),
        )
        return client.execute(env=env)


def _answers(executed: NotebookNode) -> Iterator[Answer]:
    errors: dict[str, str] = {}  # exercise -> what its answer ended in
    for cell in executed.cells:
        error = error_in(nbformat.from_dict({"cells": [cell]}))
        if error and tagged(cell, "starter"):
            errors[exercise(cell)] = error.rstrip(": ")
        if tagged(cell, "check"):
            printed = "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
            message = re.sub(r"^AssertionError: ", "", error) if error else printed.strip()
            if error and exercise(cell) in errors:
                message = f"the answer's cell ended: {errors[exercise(cell)]}"
            yield Answer(exercise(cell), error is None, message)


def exercise(cell: NotebookNode) -> str:
    """The exercise that a cell is part of: ``"00-e1"`` of ``"00-e1-check"``."""
    return cell.id.rsplit("-", 1)[0]
