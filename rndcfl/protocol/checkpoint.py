"""What a run knows after a round, in one file of plain arrays: written whole, never pickled, so
that a server that was stopped resumes where it was."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rndcfl.common.errors import InputError
from rndcfl.common.files import write_whole
from rndcfl.data.own_files import arrays_in
from rndcfl.engine.inputs import read_shape
from rndcfl.engine.local import State
from rndcfl.engine.networks import device
from rndcfl.protocol.config import Config

NAME = "checkpoint.npz"


@dataclass
class Progress:
    """How far a run has come.

    Attributes
    ----------
    round : the next one to run.
    about : kind and shape of the data, and number of classes; empty before a site has come.
    scale : of tables, mean, standard deviation and whether gaps are marked [3, d]; else None.
    labels : client -> its federation.
    models, versions : federation -> its model, and its name: ``""`` is the one drawn from the seed.
    history, mail : rows of the tables that are written beside the checkpoint.
    discoveries : per discovery its round, clients, labels, novelty and seconds.
    """

    round: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    scale: np.ndarray | None = None
    labels: dict[int, int] = field(default_factory=dict)
    models: dict[int, State] = field(default_factory=dict)
    versions: dict[int, str] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    mail: list[dict[str, Any]] = field(default_factory=list)
    discoveries: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample as models read it: tables have a column more for each with gaps."""
        shape = tuple(self.about["shape"])
        return shape if self.scale is None else (shape[0] + int(self.scale[2].sum()),)

    @property
    def read_shape(self) -> tuple[int, ...]:
        """The same as target and predictors read it: text as vectors of its characters."""
        return read_shape(self.sample_shape, self.about["kind"])


PLAIN = ("round", "about", "history", "mail", "discoveries")


def save(folder: Path, config: Config, progress: Progress) -> None:
    """Write the checkpoint of a run to its folder."""
    plain: dict[str, Any] = {name: getattr(progress, name) for name in PLAIN}
    plain |= dict(
        settings=asdict(config),
        labels=list(progress.labels.items()),
        versions=list(progress.versions.items()),
    )
    arrays: dict[str, Any] = {"json": np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8)}
    if progress.scale is not None:
        arrays["scale"] = progress.scale
    for federation, state in progress.models.items():
        arrays |= {f"model/{federation}/{k}": v.cpu().numpy() for k, v in state.items()}
    file = io.BytesIO()
    np.savez(file, **arrays)
    write_whole(folder / NAME, file.getvalue())


def load(folder: Path, config: Config) -> Progress:
    """The progress that a folder holds; none where it holds no checkpoint.

    Raises
    ------
    InputError
        For a file that is no checkpoint, or one of a run with other settings.
    """
    path = folder / NAME
    if not path.exists():
        return Progress()
    try:
        arrays = arrays_in(path)
        plain = json.loads(arrays.pop("json").tobytes())
        scale = arrays.pop("scale", None)
        progress = Progress(**{name: plain[name] for name in PLAIN}, scale=scale)
        progress.labels = {int(client): int(label) for client, label in plain["labels"]}
        progress.versions = {int(federation): str(name) for federation, name in plain["versions"]}
        before = plain["settings"]
    except (ValueError, KeyError):
        raise InputError(f"{path} is no checkpoint of rndcfl; give another output folder") from None
    if not config.same_run(before):
        raise InputError(f"{folder} holds a run with other settings; give another output folder")
    for name, values in arrays.items():
        _, federation, parameter = name.split("/", 2)
        model = progress.models.setdefault(int(federation), {})
        model[parameter] = torch.from_numpy(values).to(device())
    return progress
