"""Does this machine compute what was published? A stated sample, computed again and compared.

``notebooks/verify.yaml`` states the sample: for each notebook the parameters with which its
published run is repeated in small, the tables to compare, and by how much each of their columns may
differ on another kind of machine. On the same kind, with the same versions, nothing may differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from rndcfl.book import paths

UNREPEATABLE = ("seconds", "peak_mb")  # how columns begin that no run repeats


@dataclass(frozen=True)
class Sample:
    """What to compute again of one notebook.

    Parameters
    ----------
    notebook : its name.
    parameters : what to change of the published run's parameters.
    tables : table -> column -> the most it may differ on another kind of machine. Every other
        column, but for those of :data:`UNREPEATABLE`, says which row it is.
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
    told = {}
    for about in sorted([*run.glob("fig_*.json"), *run.glob("tab_*.json")]):
        copies = [(p, paths.figures() / p.name) for p in run.glob(f"{about.stem}.*")]
        missing = [copy.name for _, copy in copies if not copy.is_file()]
        other = [
            p.name for p, copy in copies if copy.is_file() and copy.read_bytes() != p.read_bytes()
        ]
        told[about.stem] = (
            f"missing: {', '.join(missing)}"
            if missing
            else f"not as in the run: {', '.join(other)}"
            if other
            else "as in the run"
        )
    return told
