"""False predictors: what a client may send in place of one trained on its own data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import check_name
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.local import State
from rndcfl.novelty import Novelty, fit
from rndcfl.predictors import Predictors


@dataclass(frozen=True)
class Scene:
    """A discovery as an attacker sees it: the honest predictors, and all there is to know."""

    trained: Predictors
    clients: Clients
    profile: Novelty
    seed: int
    shared: dict[str, State] = field(default_factory=dict)  # what attackers pass on to each other

    def train(self, i: int, data: Client | None = None, seed: int | None = None) -> State:
        """A predictor like client i's, on other data or from another seed (of the target too)."""
        members = list(self.clients)
        members[i] = members[i] if data is None else data
        rnd = self.profile.rnd
        if data is not None:
            rnd = replace(rnd, train_share=1.0, max_samples=None)
        found, _ = fit(
            replace(self.clients, members=tuple(members)),
            rnd,
            self.seed if seed is None else seed,
            Ledger(),
            self.profile.labels,
            only=[i],
        )
        return {name: p[0] for name, p in found.parameters.items()}


class PredictorAttack(Protocol):
    """What client i sends as its predictor."""

    def predictor(self, i: int, scene: Scene) -> State:
        """Parameters by name, without the stack's first dimension."""


@dataclass(frozen=True)
class Garbage(PredictorAttack):
    """Weights that are no predictor: ``"random"``, ``"zeros"``, ``"huge"`` or ``"nan"``."""

    kind: str = "random"

    def __post_init__(self) -> None:
        check_name("kind of garbage", self.kind, ("random", "zeros", "huge", "nan"))

    def predictor(self, i: int, scene: Scene) -> State:
        rng = numpy_rng(scene.seed, "garbage", i)
        factor = {"random": 1.0, "zeros": 0.0, "huge": 1e12, "nan": np.nan}[self.kind]
        return {
            name: torch.from_numpy(factor * rng.standard_normal(p.shape[1:])).to(p)
            for name, p in scene.trained.parameters.items()
        }


@dataclass(frozen=True)
class Copy(PredictorAttack):
    """Another client's predictor, with noise of standard deviation `noise` to hide it."""

    victim: int
    noise: float = 0.0

    def predictor(self, i: int, scene: Scene) -> State:
        rng = numpy_rng(scene.seed, "copy", i)
        return {
            name: p[self.victim]
            + torch.from_numpy(self.noise * rng.standard_normal(p.shape[1:])).to(p)
            for name, p in scene.trained.parameters.items()
        }


@dataclass(frozen=True)
class Universal(PredictorAttack):
    """A predictor that is good everywhere: trained on ``"everything"`` or on ``"noise"``.

    Several attackers send the same one.
    """

    on: str = "everything"

    def __post_init__(self) -> None:
        check_name("data of a universal predictor", self.on, ("everything", "noise"))

    def predictor(self, i: int, scene: Scene) -> State:
        if self.on not in scene.shared:
            scene.shared[self.on] = self._trained(i, scene)
        return scene.shared[self.on]

    def _trained(self, i: int, scene: Scene) -> State:
        own = scene.clients[i]
        x, y = np.concatenate([client.x for client in scene.clients]), own.y
        if scene.profile.labels:
            y = np.concatenate([client.y for client in scene.clients if client.y is not None])
        if self.on == "noise":
            drawn = numpy_rng(scene.seed, "noise", i).random((len(own), *x.shape[1:]))
            x, y = drawn.astype(np.float32), own.y
        return scene.train(i, Client(x, y))


@dataclass(frozen=True)
class Replay(PredictorAttack):
    """A predictor of an earlier discovery (the victim's, or one's own), for an earlier target."""

    victim: int | None = None

    def predictor(self, i: int, scene: Scene) -> State:
        return scene.train(i if self.victim is None else self.victim, seed=scene.seed + 1)
