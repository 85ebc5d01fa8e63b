"""Which definitions of the package did a run execute?

Where the environment variable ``RNDCFL_REACHED`` names a file, each process that imports the
package adds to it the functions and methods that it executes, one a line, each once: kernels,
worker processes and whatever these start. The runner sets it for the notebooks that it executes.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.abc
import os
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar

VARIABLE = "RNDCFL_REACHED"  # set by the runner; read by the package's __init__
Function = TypeVar("Function", bound=Callable[..., Any])
_seen: set[str] = set()
_paused = 0


def hit(name: str) -> None:
    """Note that a definition is being executed; every function of a recording module begins so."""
    if name in _seen or _paused:
        return
    with contextlib.suppress(OSError):  # a full disk: noted the next time, or the run fails
        with open(os.environ[VARIABLE], "a") as file:  # at once, for a process may be killed
            file.write(f"{name}\n")
        _seen.add(name)


def unrecorded(function: Function) -> Function:
    """Mark a function that only describes or places a result: no result depends on it."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        global _paused
        _paused += 1
        try:
            return function(*args, **kwargs)
        finally:
            _paused -= 1

    return run  # type: ignore[return-value]


def names(path: Path) -> list[str]:
    """The definitions noted in a file, sorted."""
    return sorted(set(path.read_text(encoding="utf-8").split())) if path.is_file() else []


def record() -> None:
    """From here on modules of the package are imported as ones that note what they execute."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("rndcfl."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Recording(spec.loader.name, spec.loader.path)
        return spec


class _Recording(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:  # never the cached one, which notes nothing
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path))
        marked = list(_marked(tree.body, f"{fullname}:"))
        if marked:
            noting = ast.parse(f"from {__name__} import hit as __reached__").body
            at = _start(tree.body)
            tree.body[at:at] = noting
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


def _marked(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    """Let each function and method in `body` begin with a note; yield their names."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _marked(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            at = _start(node.body)
            node.body[at:at] = ast.parse(f"__reached__({prefix + node.name!r})").body
            yield prefix + node.name


def _start(body: list[ast.stmt]) -> int:
    """Where a body's statements begin, after docstring and imports from the future."""
    for at, node in enumerate(body):
        words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (words or future):
            return at
    return len(body)
