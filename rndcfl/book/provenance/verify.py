"""Does this machine compute what was published? A stated sample, computed again and compared.

``notebooks/verify.yaml`` states the sample: for each notebook the parameters with which its
published run is repeated in small, the tables to compare, and by how much each of their columns may
differ on another kind of machine. On the same kind, with the same versions, nothing may differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from rndcfl.book import paths
from rndcfl.book.provenance.fingerprint import machine, versions
from rndcfl.book.run.planning import Job, apart, plan, record_of, state
from rndcfl.common.errors import InputError, check_name

UNREPEATABLE = ("seconds", "peak_mb")  # how columns begin that no run repeats


@dataclass(frozen=True)
class Sample:
    """What to compute again of one notebook.

    Parameters
    ----------
    notebook : its name.
    parameters : what to change of the published run's parameters.
    tables : table -> column -> the most it may differ on another kind of machine. Every other
        column, but for those of :data:`UNREPEATABLE`, identifies the row.
    rows : table -> which of its rows to compare, as a query; not named: all.
    """

    notebook: str
    parameters: dict[str, Any]
    tables: dict[str, dict[str, float]]
    rows: dict[str, str] = field(default_factory=dict)


def samples() -> dict[str, Sample]:
    """Name of the notebook -> its sample."""
    text = (paths.sources() / "verify.yaml").read_text(encoding="utf-8")
    return {name: Sample(name, **about) for name, about in yaml.safe_load(text).items()}


def planned(names: Iterable[str] = ()) -> tuple[list[Job], list[Job]]:
    """The published runs of some notebooks (default: all with a sample), and their samples' jobs.

    Raises
    ------
    InputError
        For a notebook without a sample, or without a published run.
    """
    known = samples()
    names = sorted(set(names) or known)
    for name in names:
        check_name("notebook with a sample", name, known)
    published = plan("paper", names, {})
    for job in published:
        if state(job) in ("missing", "failed"):
            where = paths.shown(job.folder)
            raise InputError(f"notebook {job.name} has no published run in {where}")
    changes = {name: known[name].parameters for name in names}
    return published, [apart(job, "verify") for job in plan("paper", names, changes)]


def compare_all(published: Iterable[Job], again: Iterable[Job]) -> pd.DataFrame:
    """Compare each sample that was computed again with the published run of its notebook.

    Returns
    -------
    One row per column: ``notebook``, then as in :func:`compare`, then what is ``wanted`` on this
    machine ("the same bits" on the kind that computed the published run, otherwise "within
    bounds") and whether it ``passed``.
    """
    known, runs = samples(), {job.name: job.folder for job in published}
    compared = []
    for job in again:
        exactly = _computed_on_this_kind(runs[job.name])
        found = compare(known[job.name], runs[job.name], job.folder)
        found.insert(0, "notebook", job.name)
        wanted = "the same bits" if exactly else "within bounds"
        compared.append(found.assign(wanted=wanted, passed=passed(found, exactly)))
    return pd.concat(compared)


def _computed_on_this_kind(run: Path) -> bool:
    """Whether a run was computed with the versions and on the kind of machine that are here."""
    record = record_of(run) or {}
    return (record.get("machine"), record.get("versions")) == (machine(), versions())


def compare(sample: Sample, published: Path, again: Path) -> pd.DataFrame:
    """Compare the tables of a sample in two folders, row by row.

    Returns
    -------
    One row per column: ``table``, ``column``, ``numbers`` compared, how many are ``identical``, the
    ``largest`` difference (absolute; relative for numbers above one; infinite where one is missing
    or a row is not among the published ones) and its ``bound``.
    """
    compared = []
    for table, bounds in sample.tables.items():
        whole, small = (_read(folder / f"{table}.csv") for folder in (published, again))
        if table in sample.rows:
            small = small.query(sample.rows[table]).reset_index(drop=True)
        pairs = _paired(whole, small, bounds)
        for column, bound in bounds.items():
            before, now = (pairs[f"{column}_{side}"].to_numpy(float) for side in ("before", "now"))
            neither = np.isnan(before) & np.isnan(now) & (pairs["_merge"] == "both").to_numpy()
            same = (before == now) | neither
            apart = np.abs(before - now) / np.maximum(np.abs(before), 1)
            apart = np.where(same, 0, np.nan_to_num(apart, nan=np.inf))
            compared.append(
                dict(
                    table=table,
                    column=column,
                    numbers=len(same),
                    identical=int(same.sum()),
                    largest=apart.max(initial=0),
                    bound=float(bound),
                )
            )
    return pd.DataFrame(compared)


def passed(compared: pd.DataFrame, exactly: bool) -> pd.Series:
    """Whether each column is as published: to the bit, or within its bound."""
    near = compared["largest"] <= compared["bound"]
    same = compared["identical"] == compared["numbers"]
    return (compared["numbers"] > 0) & (same if exactly else near)


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


def _paired(before: pd.DataFrame, now: pd.DataFrame, bounds: dict[str, float]) -> pd.DataFrame:
    """Each row of `now` beside that of `before` with the same name, the first with the first."""
    names = [c for c in map(str, now) if c not in bounds and not c.startswith(UNREPEATABLE)]
    frames = []
    for frame in (before, now):
        named = frame[names].astype(object).where(frame[names].notna(), "")  # NaN names a row too
        which = named.groupby(names).cumcount() if names else pd.Series(range(len(frame)))
        frames.append(named.assign(which=which).join(frame[list(bounds)]))
    on = [*names, "which"]
    return frames[1].merge(
        frames[0], "left", on, suffixes=("_now", "_before"), indicator=True, validate="1:1"
    )


def figures(run: Path) -> dict[str, str]:
    """Figure or table of a published run -> whether ``figures/`` has it ``as in the run``."""
    states = {}
    for about in sorted([*run.glob("fig_*.json"), *run.glob("tab_*.json")]):
        copies = [(p, paths.figures() / p.name) for p in run.glob(f"{about.stem}.*")]
        missing = [copy.name for _, copy in copies if not copy.is_file()]
        there = [(p, copy) for p, copy in copies if copy.is_file()]
        other = [p.name for p, copy in there if copy.read_bytes() != p.read_bytes()]
        states[about.stem] = "as in the run"
        if missing:
            states[about.stem] = f"missing: {', '.join(missing)}"
        elif other:
            states[about.stem] = f"not as in the run: {', '.join(other)}"
    return states
