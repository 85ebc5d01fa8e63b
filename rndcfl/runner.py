"""Execute the notebooks with papermill: strict, resumable, nothing finished lost.

A finished run is a folder ``papermill_runs/<profile>/<notebook>/`` with the executed notebook, its
parameters, its results and ``run.json``. It is worked on under the name ``.partial`` and renamed
when it is done; a failed one is kept as ``.failed``; one that is no longer up to date is put aside
as ``.stale-<time>`` before its place is taken.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml

from rndcfl import paths
from rndcfl.datasets import named
from rndcfl.errors import check_name
from rndcfl.fingerprint import data_hash, digest, notebook_hash, source_hash, versions
from rndcfl.networks import MODELS
from rndcfl.parameters import parameters_for
from rndcfl.results import write_whole
from rndcfl.settings import SETTINGS

CELL_TIMEOUT = 3600  # seconds


@dataclass(frozen=True)
class Job:
    """One notebook to execute, and all that its results depend on."""

    name: str
    profile: str
    parameters: dict[str, Any]
    folder: Path
    inputs: dict[str, Any]

    @property
    def published(self) -> bool:
        """Whether its figures belong in ``figures/``."""
        return self.profile == "paper" and self.folder.name == self.name


def plan(profile: str, names: list[str], changes: dict[str, dict[str, Any]]) -> list[Job]:
    """Check everything that was asked for and return the jobs; no work is done yet."""
    jobs = []
    for name in names:
        parameters = parameters_for(name, profile, changes.get(name, {}))
        for what, allowed in (("setting", SETTINGS), ("model", MODELS)):
            if what in parameters:
                check_name(what, parameters[what], allowed)
        folder = paths.runs(profile) / name
        if parameters != parameters_for(name, profile, {}):  # a sweep gets a folder of its own
            folder = folder.with_name(f"{name}-{digest(parameters)[:8]}")
        inputs = {
            "parameters": digest(parameters),
            "notebook": notebook_hash(paths.notebooks()[name]),
            "package": source_hash(),
            "data": data_hash(named(parameters)),
        }
        jobs.append(Job(name, profile, parameters, folder, inputs))
    return jobs


def state(job: Job) -> str:
    """``fresh``, ``stale (what changed)``, ``failed`` or ``missing``."""
    record = _record(job.folder)
    if record is None:
        return "failed" if _record(_beside(job.folder, "failed")) else "missing"
    before = record["inputs"]
    # Data that are not on this machine cannot be compared: take the record's word.
    changed = [
        name for name, now in job.inputs.items()
        if before.get(name) != now and not (name == "data" and now is None)
    ]  # fmt: skip
    return f"stale ({', '.join(changed)} changed)" if changed else "fresh"


def reproduce(jobs: list[Job], workers: int = 2, force: bool = False) -> Iterator[tuple[Job, dict]]:
    """Execute all jobs that are not done; yield each with its record as it ends.

    Notebooks run side by side in processes of their own, each with one thread, so that results do
    not depend on how many run at once. Yields ``(job, record)`` with ``record["status"]`` one of
    ``fresh`` (nothing to do), ``ok``, ``failed``, ``timeout``, ``kernel_died``.
    """
    todo = []
    for job in jobs:
        record = _record(job.folder)
        if not force and record and state(job) == "fresh" and record["versions"] == versions():
            yield job, {**record, "status": "fresh"}
        else:
            todo.append(job)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        running: dict[Future, Job] = {}
        while todo or running:
            # Nothing waits inside the pool, so that an interrupt leaves nothing to be begun.
            while todo and len(running) < workers:
                job = todo.pop(0)
                running[pool.submit(execute, job, force)] = job
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()


def execute(job: Job, force: bool = False) -> dict[str, Any]:
    """Execute one notebook in this process and put its folder in place; return its record."""
    import papermill
    from traitlets.config import Config

    partial = _start(job)
    os.environ.update({
        paths.OUTPUT_VARIABLE: str(partial),
        paths.PROFILE_VARIABLE: job.profile,
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
    })  # fmt: skip
    started = time.time()
    try:
        executed = papermill.execute_notebook(
            str(paths.notebooks()[job.name]),
            str(partial / "notebook.ipynb"),
            job.parameters,
            kernel_name="python3",
            cwd=str(partial),
            progress_bar=False,
            execution_timeout=CELL_TIMEOUT,
            config=Config({"KernelManager": {"transport_encryption": "auto"}}),
        )
        error = _exit(executed)  # papermill takes sys.exit(0) for success
        status = "failed" if error else "ok"
    except Exception as problem:  # papermill's own record is wrong for time-outs and dead kernels
        kinds = {"CellTimeoutError": "timeout", "DeadKernelError": "kernel_died"}
        status = kinds.get(type(problem).__name__, "failed")
        error = _told(problem, first=status == "timeout")
    _without_paths(partial / "notebook.ipynb")
    record = {
        "notebook": job.name,
        "profile": job.profile,
        "status": status,
        "error": error,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(started)),
        "seconds": round(time.time() - started, 1),
        "parameters": job.parameters,
        "inputs": job.inputs,
        "versions": versions(),
    }
    write_whole(partial / "run.json", json.dumps(record, indent=1) + "\n")
    _put_in_place(job, partial, status == "ok", force)
    return record


def manifest(profile: str) -> Path:
    """Write ``manifest.json``: one entry per finished run of the profile; return its path."""
    folders = sorted(paths.runs(profile).glob("[0-9][0-9]_*"))
    records = {f.name: _record(f) for f in folders if "." not in f.name and _record(f)}
    path = paths.runs(profile) / "manifest.json"
    write_whole(path, json.dumps(records, indent=1) + "\n")
    return path


def _start(job: Job) -> Path:
    """The folder to work in; an interrupted run's, if it began with the same inputs."""
    partial = _beside(job.folder, "partial")
    began = {**job.inputs, "versions": versions()}
    note = partial / "inputs.json"
    if partial.exists() and not (note.exists() and json.loads(note.read_text()) == began):
        shutil.rmtree(partial)
    write_whole(note, json.dumps(began))
    write_whole(partial / "params.yaml", yaml.safe_dump(job.parameters, sort_keys=False))
    return partial


def _put_in_place(job: Job, partial: Path, ok: bool, force: bool) -> None:
    (partial / "inputs.json").unlink()
    failed = _beside(job.folder, "failed")
    if failed.exists():
        shutil.rmtree(failed)
    if not ok:
        partial.rename(failed)
        return
    aside = _beside(job.folder, time.strftime("stale-%Y%m%d-%H%M%S"))
    if job.folder.exists():
        job.folder.rename(aside)
    partial.rename(job.folder)
    if force and aside.exists():
        shutil.rmtree(aside)
    if job.published:
        paths.figures().mkdir(exist_ok=True)
        for path in sorted(job.folder.glob("*_*.*")):
            if path.name.startswith(("fig_", "tab_")):
                write_whole(paths.figures() / path.name, path.read_bytes())


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{folder.name}.{suffix}")


def _record(folder: Path) -> dict[str, Any] | None:
    path = folder / "run.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _told(problem: Exception, first: bool) -> str:
    """The line of an error's text that says most: the first of a time-out, else the last."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(problem)).strip().splitlines()
    return lines[0 if first else -1] if lines else type(problem).__name__


def _exit(notebook: nbformat.NotebookNode) -> str | None:
    """The error in an executed notebook, if one of its cells ended in one."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"{output.ename}: {output.evalue}"
    return None


def _without_paths(path: Path) -> None:
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
