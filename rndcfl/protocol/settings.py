"""What a run on Flower is asked to do: its run configuration, checked before any work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.criteria.robust import DEFENCES
from rndcfl.discovery import CRITERIA
from rndcfl.engine.local import LocalTraining
from rndcfl.engine.networks import MODELS
from rndcfl.fedavg import AGGREGATIONS
from rndcfl.predictors import RND

NODES_OWN = ("data", "dataset", "setting", "groups", "samples")  # keys that are for the nodes


@dataclass(frozen=True)
class Settings:
    """One run. In ``pyproject.toml`` and on the command line names have dashes for underscores.

    Attributes
    ----------
    output : folder for results and checkpoint, absolute or from where the SuperLink was started.
    seed, rounds : as for :func:`rndcfl.simulate`.
    recluster_every : the paper's tau; 0 discovers again only when somebody new has come.
    criterion, tolerance, alpha, min_effect, defence : as for :func:`rndcfl.discover`; the tolerance
        counts with criterion ``"paper"`` only.
    steps : of the predictors' optimiser; 0 is the default of :class:`~rndcfl.predictors.RND`.
    model, lr, local_epochs, batch_size, aggregation : as for :func:`rndcfl.simulate`; a batch_size
        of 0 is full batch.
    min_clients : with fewer the run waits, and then stops.
    timeout_hello, timeout_discovery, timeout_training, timeout_evaluation : seconds for the
        answers of one phase; who has not answered by then is left out of it.
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
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """From Flower's run configuration.

        Raises
        ------
        InputError
            For unknown keys, other types, or values out of range.
        """
        known = {f.name.replace("_", "-"): f for f in fields(cls)}
        given: dict[str, Any] = {}
        for key, value in config.items():
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
        check_name("criterion", self.criterion, CRITERIA)
        check_name("model", self.model, MODELS)
        check_name("defence", self.defence, DEFENCES)
        check_name("aggregation", self.aggregation, AGGREGATIONS)
        if self.defence == "robust" and self.criterion == "paper":
            raise InputError("defence 'robust' goes with criterion 'calibrated'")
        for name, low in (("seed", 0), ("rounds", 1), ("recluster_every", 0), ("min_clients", 1)):
            check_number(name, getattr(self, name), low, whole=True)
        check_number("tolerance", self.tolerance, -1e9, 1e9)
        if self.tolerance and self.criterion != "paper":
            raise InputError("tolerance goes with criterion 'paper'; 'calibrated' takes none")
        check_number("alpha", self.alpha, 1e-12, 0.5)
        check_number("min_effect", self.min_effect, 0.0, 100.0)
        for name in ("hello", "discovery", "training", "evaluation"):
            check_number(f"timeout_{name}", getattr(self, f"timeout_{name}"), 0.1, 1e6)
        self.rnd.check()
        _ = self.training

    @property
    def rnd(self) -> RND:
        """Networks and budget of the predictors."""
        rnd = RND(train_share=1.0) if self.criterion == "paper" else RND()
        return replace(rnd, steps=self.steps) if self.steps else rnd

    @property
    def training(self) -> LocalTraining:
        """What a client does in a round."""
        return LocalTraining(self.lr, self.local_epochs, None, self.batch_size or None)

    def discovers(self, round: int) -> bool:
        """Whether the clock asks for a discovery in this round."""
        return round == 0 or (self.recluster_every > 0 and round % self.recluster_every == 0)

    def same_run(self, other: Mapping[str, Any]) -> bool:
        """Whether a checkpoint of settings `other` can be gone on with: all but length and patience
        are the same."""
        free = ("rounds", "output", *(f.name for f in fields(self) if f.name[:7] == "timeout"))
        mine = {k: v for k, v in json.loads(json.dumps(asdict(self))).items() if k not in free}
        return mine == {k: v for k, v in other.items() if k not in free}
