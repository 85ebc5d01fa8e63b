"""Execute the notebooks with papermill: strict, resumable, nothing finished lost.

A finished run is a folder ``papermill_runs/<profile>/<notebook>/`` with the executed notebook, its
parameters, its results and ``run.json``. It is worked on under the name ``.partial`` and renamed
when it is done; a failed one is kept as ``.failed``; one that is no longer up to date is put aside
as ``.stale-<time>`` before its place is taken. Each step leaves whole files behind, so that the
same command resumes a run that was killed, whatever the moment.

A run locks its folder, so that two commands may execute different notebooks side by side. The
operating system holds the lock for the process and releases it however the process ends; the empty
file that it needs stays and means nothing. A notebook opened in JupyterLab takes no lock: its
results are written elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from rndcfl.book import paths
from rndcfl.book.provenance import definitions, reached
from rndcfl.book.provenance.fingerprint import commit, machine, notebook_code, versions
from rndcfl.book.run import executed
from rndcfl.book.run.planning import Job, beside, record_of, state
from rndcfl.book.run.workers import side_by_side
from rndcfl.common.errors import InputError
from rndcfl.common.files import WriteError, cannot_write, remove_leftovers, write_whole

REACHED = "reached.txt"  # definitions that a run has executed so far
CELL_TIMEOUT = 3600  # seconds
KILLED = {"status": "killed", "error": "its process was killed, perhaps for want of memory"}
LINGER = 2  # seconds; a kernel looks once a second whether the process that started it lives


def reproduce(jobs: list[Job], workers: int = 2, force: bool = False) -> Iterator[tuple[Job, dict]]:
    """Execute all jobs that are not done; yield each with its record as it ends.

    Notebooks run side by side in processes of their own, each with one thread, so that results do
    not depend on how many run at once. Yields ``(job, record)`` with ``record["status"]`` one of
    ``fresh`` (nothing to do), ``ok``, ``failed``, ``timeout``, ``kernel_died``, ``killed``.

    Raises
    ------
    InputError
        If another process works in one of the folders; nothing has been done.
    WriteError
        If a result cannot be written; what is finished and what had begun is kept.
    """
    with ExitStack() as stack:
        locks = {job.folder: stack.enter_context(lock(job.folder)) for job in jobs}
        todo = []
        for job in jobs:
            record = record_of(job.folder)
            if not force and record and state(job) == "fresh" and record["versions"] == versions():
                locks[job.folder].release(force=True)  # it is held twice
                yield job, {**record, "status": "fresh"}
            else:
                todo.append(job)
        for job, record in side_by_side(partial(execute, force=force), todo, workers):
            locks[job.folder].release(force=True)  # it is held twice
            yield job, record or KILLED


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


def execute(job: Job, force: bool = False) -> dict[str, Any]:
    """Execute one notebook in this process and put its folder in place; return its record."""
    try:
        folder = _start(job, force)
        record = _executed(job, folder)
        _put_in_place(job, folder, record["status"] == "ok", force)
    except WriteError:
        raise
    except OSError as problem:  # of papermill, or of moving folders
        raise cannot_write(Path(problem.filename or job.folder), problem) from problem
    return record


def _executed(job: Job, folder: Path) -> dict[str, Any]:
    """Execute a notebook with its results in `folder`; write its record there and return it."""
    import papermill
    from traitlets.config import Config

    os.environ.update(
        {
            paths.OUTPUT_VARIABLE: str(folder),
            paths.PROFILE_VARIABLE: job.profile,
            reached.VARIABLE: str(folder / REACHED),
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",  # what is timed on all cores must not spin against others
            "TQDM_DISABLE": "1",
        }
    )
    started = time.time()
    try:
        notebook = papermill.execute_notebook(
            str(paths.notebooks()[job.name]),
            str(folder / "notebook.ipynb"),
            job.parameters,
            kernel_name="python3",
            cwd=str(folder),
            progress_bar=False,
            execution_timeout=CELL_TIMEOUT,
            extra_arguments=executed.kernel_arguments(),
            config=Config({"KernelManager": {"transport_encryption": "auto"}}),
        )
        error = executed.error_in(notebook)  # papermill takes sys.exit(0) for success
        status = "failed" if error else "ok"
    except Exception as problem:  # papermill's own record is wrong for time-outs and dead kernels
        if getattr(problem, "ename", "") == WriteError.__name__:  # raised in the kernel
            raise WriteError(problem.evalue) from None  # type: ignore[attr-defined]
        if isinstance(problem, OSError) and not isinstance(problem, TimeoutError):
            raise  # papermill could not write
        kinds = {"CellTimeoutError": "timeout", "DeadKernelError": "kernel_died"}
        status = kinds.get(type(problem).__name__, "failed")
        error = executed.error_line(problem, first=status == "timeout")
    executed.remove_paths(folder / "notebook.ipynb")
    record = {
        "notebook": job.name,
        "profile": job.profile,
        "status": status,
        "error": error,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(started)),
        "seconds": round(time.time() - started, 1),
        "parameters": job.parameters,
        "commit": commit(),
        "machine": machine(),
        **_begun(job),
        "definitions": _rests_on(job, folder / REACHED),
    }
    (folder / REACHED).unlink(missing_ok=True)
    write_whole(folder / "run.json", json.dumps(record, indent=1) + "\n")
    return record


def _rests_on(job: Job, path: Path) -> dict[str, str]:
    """The definitions that the run's result rests on, with their hashes."""
    code = notebook_code(paths.notebooks()[job.name])
    return definitions.rests_on(reached.names(path), definitions.names_in(code))


def _begun(job: Job) -> dict[str, Any]:
    return {"inputs": job.inputs, "versions": versions()}


def _start(job: Job, force: bool) -> Path:
    """The folder to work in; that of an interrupted run, if it began with the same inputs."""
    folder = beside(job.folder, "partial")
    if folder.exists():
        time.sleep(LINGER)  # until the kernel of a run that has just been killed has ended
        before = record_of(folder)
        begun = _begun(job)
        if force or before is None or {key: before.get(key) for key in begun} != begun:
            shutil.rmtree(folder)
        else:
            for path in filter(Path.is_file, folder.glob(".*")):  # they were being written
                path.unlink()
    write_whole(folder / "run.json", json.dumps({"status": "begun", **_begun(job)}))
    write_whole(folder / "params.yaml", yaml.safe_dump(job.parameters, sort_keys=False))
    return folder


def _put_in_place(job: Job, folder: Path, ok: bool, force: bool) -> None:
    failed = beside(job.folder, "failed")
    if failed.exists():
        shutil.rmtree(failed)
    if not ok:
        folder.rename(failed)
        return
    if job.published:  # before the run counts as done, so that every done run is published
        _publish(folder)
    aside = beside(job.folder, time.strftime("stale-%Y%m%d-%H%M%S"))
    if job.folder.exists():
        job.folder.rename(aside)
    folder.rename(job.folder)
    if force and aside.exists():
        shutil.rmtree(aside)


def _publish(folder: Path) -> None:
    for path in sorted(folder.glob("*_*.*")):
        if path.name.startswith(("fig_", "tab_")):
            remove_leftovers(paths.figures() / path.name)
            write_whole(paths.figures() / path.name, path.read_bytes())
