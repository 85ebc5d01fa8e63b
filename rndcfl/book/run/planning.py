"""Jobs: a notebook with its parameters, what its results depend on, and whether these are fresh."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rndcfl.book import paths
from rndcfl.book.provenance import definitions
from rndcfl.book.provenance.fingerprint import data_hash, digest, notebook_hash, source_hash
from rndcfl.book.run.parameters import parameters_for
from rndcfl.common.errors import check_name
from rndcfl.common.files import write_whole
from rndcfl.data.catalogue import named
from rndcfl.engine.networks import MODELS
from rndcfl.settings.catalogue import SETTINGS

SHOWN = 5  # changed definitions that the state of a run names


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


def apart(job: Job, where: str) -> Job:
    """The same job with its results in ``papermill_runs/<where>/``, nothing of it published."""
    return replace(job, profile=where, folder=paths.runs(where) / job.name)


def state(job: Job) -> str:
    """``fresh``, ``stale (what changed)``, ``failed`` or ``missing``."""
    record = record_of(job.folder)
    if record is None:
        return "failed" if record_of(beside(job.folder, "failed")) else "missing"
    if "definitions" not in record:
        return "stale (it does not list the definitions it rests on)"
    before = record["inputs"]
    # Data that are not on this machine cannot be compared: trust the record.
    changed = [
        name
        for name, now in job.inputs.items()
        if name != "package" and before.get(name) != now and not (name == "data" and now is None)
    ]
    changed += definitions.changed(record["definitions"])
    if not changed:
        return "fresh"
    more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    return f"stale ({', '.join(changed[:SHOWN])}{more} changed)"


def manifest(profile: str) -> Path:
    """Write ``manifest.json``: one entry per finished run of the profile; return its path."""
    folders = sorted(paths.runs(profile).glob("[0-9][0-9]_*"))
    found = {f.name: record_of(f) for f in folders if "." not in f.name}
    records = {
        name: {key: value for key, value in record.items() if key != "definitions"}
        for name, record in found.items()
        if record
    }
    path = paths.runs(profile) / "manifest.json"
    write_whole(path, json.dumps(records, indent=1) + "\n")
    return path


def beside(folder: Path, suffix: str) -> Path:
    """The folder of a run that is not the finished one: partial, failed or stale."""
    return folder.with_name(f"{folder.name}.{suffix}")


def record_of(folder: Path) -> dict[str, Any] | None:
    """The record of the run in a folder; None where there is none."""
    path = folder / "run.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
