"""What a run among sites is asked to do: its run configuration, checked before any work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.discovery import Discoverer
from rndcfl.engine.local import LocalTraining
from rndcfl.engine.networks import MODELS
from rndcfl.fedavg import AGGREGATIONS

NODES_OWN = ("data", "dataset", "setting", "groups", "samples")  # keys that are for the nodes


@dataclass(frozen=True)
class Config:
    """One run's configuration. In files and on the command line its names have dashes.

    Attributes
    ----------
    output : folder for results and checkpoint, absolute or from where the server was started.
    seed, rounds : as for :func:`rndcfl.simulate`.
    recluster_every : the paper's tau; 0 discovers again only when a new site has come.
    criterion, tolerance, alpha, min_effect, defence : as for :func:`rndcfl.discover`; the tolerance
        counts with criterion ``"paper"`` only.
    steps : of the predictors' optimiser; 0 is the default of :class:`~rndcfl.predictors.RND`.
    model, lr, local_epochs, batch_size, aggregation : as for :func:`rndcfl.simulate`; a batch_size
        of 0 is full batch.
    min_clients : with fewer the run waits, and then stops.
    timeout_hello, timeout_discovery, timeout_training, timeout_evaluation : seconds for the
        answers of one phase; a site that has not answered by then is left out of it.
    """

    output: str = "rndcfl-flower"
    seed: int = 0
    rounds: int = 3
    recluster_every: int = 0
    criterion: str = "calibrated"
    tolerance: float = 0.0
    alpha: float = 0.01
    min_effect: float = 0.1
    defence: str = "checked"
    steps: int = 0
    model: str = "mlp"
    lr: float = 0.1
    local_epochs: int = 1
    batch_size: int = 32
    aggregation: str = "mean"
    min_clients: int = 2
    timeout_hello: float = 60.0
    timeout_discovery: float = 300.0
    timeout_training: float = 600.0
    timeout_evaluation: float = 300.0

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Config:
        """From an engine's run configuration; keys that are for the nodes are passed over.

        Raises
        ------
        InputError
            For unknown keys, other types, or values out of range.
        """
        known = {f.name.replace("_", "-"): f for f in fields(cls)}
        given: dict[str, Any] = {}
        for key, value in table.items():
            if key in NODES_OWN:
                continue
            field = known[check_name("key of the run configuration", key, [*known, *NODES_OWN])]
            kind = type(field.default)
            if kind is float and type(value) is int:
                value = float(value)
            if type(value) is not kind:
                raise InputError(f"{key} must be of type {kind.__name__}, got {value!r}")
            given[field.name] = value
        return cls(**given)

    def __post_init__(self) -> None:
        check_name("model", self.model, MODELS)
        check_name("aggregation", self.aggregation, AGGREGATIONS)
        for name, low in (("seed", 0), ("rounds", 1), ("recluster_every", 0), ("min_clients", 1)):
            check_number(name, getattr(self, name), low, whole=True)
        check_number("tolerance", self.tolerance, -1e9, 1e9)
        if self.tolerance and self.criterion != "paper":
            raise InputError("tolerance goes with criterion 'paper'; 'calibrated' takes none")
        for name in ("hello", "discovery", "training", "evaluation"):
            check_number(f"timeout_{name}", getattr(self, f"timeout_{name}"), 0.1, 1e6)
        _ = self.how, self.training

    def table(self) -> dict[str, Any]:
        """The configuration as :meth:`from_table` reads it."""
        return {name.replace("_", "-"): value for name, value in asdict(self).items()}

    @property
    def how(self) -> Discoverer:
        """How to discover: criterion and budget."""
        tolerance = self.tolerance if self.criterion == "paper" else None
        budget: dict[str, Any] = {"steps": self.steps} if self.steps else {}
        return Discoverer.of(
            self.criterion,
            tolerance,
            alpha=self.alpha,
            min_effect=self.min_effect,
            defence=self.defence,
            **budget,
        )

    @property
    def training(self) -> LocalTraining:
        """What a client does in a round."""
        return LocalTraining(self.lr, self.local_epochs, None, self.batch_size or None)

    def discovers(self, round: int) -> bool:
        """Whether the clock asks for a discovery in this round."""
        return round == 0 or (self.recluster_every > 0 and round % self.recluster_every == 0)

    def same_run(self, other: Mapping[str, Any]) -> bool:
        """Whether a run of configuration `other` can be resumed: only length and patience may
        differ."""
        free = ("rounds", "output", *(f.name for f in fields(self) if f.name[:7] == "timeout"))
        mine = {k: v for k, v in json.loads(json.dumps(asdict(self))).items() if k not in free}
        return mine == {k: v for k, v in other.items() if k not in free}
