"""Where notebooks, runs and published figures lie. No other module contains these paths."""

from __future__ import annotations

import os
from pathlib import Path

from rndcfl.common.errors import InputError, check_name

OUTPUT_VARIABLE = "RNDCFL_OUTPUT"  # set by the runner for the notebook it executes
PROFILE_VARIABLE = "RNDCFL_PROFILE"


def root() -> Path:
    """Where runs and figures go: the checkout, or the current folder where there is none."""
    for folder in (Path(__file__).resolve().parents[2], Path.cwd()):
        if _has_notebooks(folder):
            return folder
    return Path.cwd()


def sources() -> Path:
    """Folder of the notebooks: the checkout's, or the copy that was installed with the package."""
    for folder in (root(), Path(__file__).resolve().parent):
        if _has_notebooks(folder):
            return folder / "notebooks"
    raise InputError("no notebooks/ found, neither in a checkout nor in the installed package")


def _has_notebooks(folder: Path) -> bool:
    return (folder / "notebooks" / "profiles.yaml").is_file()


def notebooks() -> dict[str, Path]:
    """Name -> path of the numbered notebooks, in order."""
    return {path.stem: path for path in sorted(sources().glob("[0-9][0-9]_*.ipynb"))}


def notebook_name(given: str) -> str:
    """The full name of a notebook given by name or number (``"03"`` or ``"3"``)."""
    names = list(notebooks())
    by_number = {name[:2]: name for name in names}
    if given.isdigit() and given.zfill(2) in by_number:
        return by_number[given.zfill(2)]
    return check_name("notebook", given.removesuffix(".ipynb"), names)


def runs(profile: str) -> Path:
    """Folder of the executed notebooks of a profile."""
    return root() / "papermill_runs" / profile


def lock(folder: Path) -> Path:
    """The lock file of a run's folder; it lies apart, so that no list of runs shows it."""
    return root() / "papermill_runs" / ".locks" / f"{folder.parent.name}-{folder.name}"


def figures() -> Path:
    """Folder of the published run's figures and tables."""
    return root() / "figures"


def output(name: str) -> Path:
    """Folder for the results of notebook `name`; made if it is not there.

    The runner's, where the runner executes the notebook; otherwise (opened in JupyterLab, or
    papermill by hand) ``papermill_runs/interactive/<name>``.
    """
    given = os.environ.get(OUTPUT_VARIABLE)
    folder = Path(given) if given else root() / "papermill_runs" / "interactive" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def profile() -> str:
    """The profile the runner executes, or ``"interactive"``."""
    return os.environ.get(PROFILE_VARIABLE) or "interactive"


def shown(path: Path) -> Path:
    """A path as a reader wants it: relative to the current folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def under_runner() -> bool:
    """Whether the runner executes this notebook; only then may it reuse tables in its folder."""
    return bool(os.environ.get(OUTPUT_VARIABLE))
