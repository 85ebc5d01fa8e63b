"""A notebook's results: tables and figures with their provenance, written whole or not at all."""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from rndcfl.book import paths
from rndcfl.book.figures import style
from rndcfl.book.provenance.fingerprint import commit, source_hash, versions
from rndcfl.book.provenance.reached import unrecorded
from rndcfl.common.files import write_whole
from rndcfl.data.catalogue import Dataset, load_dataset, named


@dataclass
class Results:
    """The results folder of one notebook.

    Parameters
    ----------
    notebook : its name, e.g. ``"02_discovery"``.
    parameters : its parameters, for the provenance of figures; ``dataset`` and ``seeds`` among them
        are named there on their own.
    """

    notebook: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the results go; made if it is not there."""
        return paths.output(self.notebook)

    def table(self, name: str, compute: Callable[[], pd.DataFrame] | pd.DataFrame) -> pd.DataFrame:
        """Write a table to ``<name>.csv`` and read it back.

        Under the runner, a table that an interrupted run of the same notebook with the same
        parameters, code and data has finished is read instead of computed again.
        """
        path = self.folder / f"{name}.csv"
        if not (paths.under_runner() and path.exists()):
            frame = compute() if callable(compute) else compute
            write_whole(path, frame.to_csv(index=False, lineterminator="\n"))
        return pd.read_csv(path)

    def numbers(self, name: str, values: dict[str, Any]) -> None:
        """Write a few numbers to ``<name>.json``."""
        write_whole(
            self.folder / f"{name}.json", json.dumps(values, indent=1, default=_plain) + "\n"
        )

    def figure(self, id: str, figure: Figure, data: pd.DataFrame, caption: str, alt: str) -> None:
        """Save a figure as pdf, png, csv (the numbers drawn) and json (provenance), and show it."""
        folder = self.folder
        for suffix, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
            picture = io.BytesIO()
            with mpl.rc_context(style.STYLE):
                figure.savefig(picture, format=suffix, metadata=metadata)
            write_whole(folder / f"{id}.{suffix}", picture.getvalue())
        self._data_and_provenance(id, data, caption, alt)
        style.show(figure, caption, alt)

    def publish_table(
        self, id: str, data: pd.DataFrame, caption: str, shown: pd.DataFrame | None = None
    ) -> None:
        """Save a table as csv, tex and json (provenance), and show it, or what is `shown` of it."""
        tex = (data if shown is None else shown).to_latex(
            index=False, float_format="%.3g", escape=True, caption=caption, label=id
        )
        write_whole(self.folder / f"{id}.tex", tex)
        self._data_and_provenance(id, data, caption, alt=None)
        style.show_table(data if shown is None else shown, caption)

    def _data_and_provenance(
        self, id: str, data: pd.DataFrame, caption: str, alt: str | None
    ) -> None:
        write_whole(self.folder / f"{id}.csv", data.to_csv(index=False, lineterminator="\n"))
        about = {"id": id, "caption": caption, "alt": alt, **self.provenance()}
        text = json.dumps(
            {k: v for k, v in about.items() if v is not None}, indent=1, default=_plain
        )
        write_whole(self.folder / f"{id}.json", text + "\n")

    @unrecorded
    def provenance(self) -> dict[str, Any]:
        """Where a result comes from: notebook, parameters, data, code, versions, device, date."""
        about: dict[str, Any] = {
            "notebook": self.notebook,
            "profile": paths.profile(),
            "parameters": self.parameters,
            "seeds": self.parameters.get("seeds"),
            "commit": commit(),
            "source_hash": source_hash(),
            "versions": versions(),
            "device": _device(),
            "date": date.today().isoformat(),
        }
        described = [dataset_provenance(load_dataset(name)) for name in named(self.parameters)]
        if described:
            about["dataset"] = described[0] if len(described) == 1 else described
        return about


def dataset_provenance(dataset: Dataset) -> dict[str, str]:
    """Name, title, checksum, licence and citation of a dataset."""
    names = ("name", "title", "sha256", "licence", "citation")
    return {name: getattr(dataset, name) for name in names}


def _plain(value: Any) -> Any:
    """NumPy numbers and arrays as JSON knows them."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"
