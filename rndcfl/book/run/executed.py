"""What papermill leaves: an executed notebook, or the error it raised."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat

from rndcfl.book import paths
from rndcfl.common.files import write_whole


def kernel_arguments() -> list[str]:
    """How this process starts a kernel: quiet, and not if this process has gone meanwhile.

    A kernel follows its parent from early on, but takes whichever it then has for it.
    """
    # A kernel is ended by an interrupt; one that is still busy would print that as an error.
    arguments = ["--IPKernelApp.log_level=50"]
    if sys.platform != "win32":
        gone = f"if __import__('os').getppid() != {os.getpid()}: __import__('os')._exit(1)"
        arguments.append(f"--IPKernelApp.exec_lines={gone}")
    return arguments


def error_line(problem: Exception, first: bool) -> str:
    """The line of an error's text that explains most: the first of a time-out, else the last."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(problem)).strip().splitlines()
    return lines[0 if first else -1] if lines else type(problem).__name__


def error_in(notebook: nbformat.NotebookNode) -> str | None:
    """The error in an executed notebook, if one of its cells ended in one."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"{output.ename}: {output.evalue}"
    return None


def remove_paths(path: Path) -> None:
    """Take this machine's paths out of an executed notebook."""
    if not path.is_file():
        return
    notebook = nbformat.read(path, as_version=4)
    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    folders = [(f, n) for f, n in ((paths.root(), "."), (Path.home(), "~")) if len(f.parts) > 1]

    def clean(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return type(value)({k: clean(v, k) for k, v in value.items()})
        if isinstance(value, list):
            return [clean(v, key) for v in value]
        if isinstance(value, str) and not key.startswith("image/"):
            for folder, name in folders:
                value = re.sub(rf"(?<!\w){re.escape(str(folder))}(?![\w-])", name, value)
        return value

    write_whole(path, nbformat.writes(nbformat.from_dict(clean(notebook))) + "\n")
