"""Who attacks, and how: the hook that :func:`discover` and :func:`simulate` take as `tamper`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.engine.local import State
from rndcfl.hostile.predictors import PredictorAttack, Scene
from rndcfl.hostile.rows import RowAttack
from rndcfl.hostile.updates import UpdateAttack
from rndcfl.novelty import Novelty
from rndcfl.predictors import Predictors
from rndcfl.reports import Reports


@dataclass(frozen=True)
class Attack:
    """What one client does; it is honest in whatever is None.

    Attributes
    ----------
    predictor : in place of its predictor.
    row : in place of its row of the reports.
    update : in place of its trained model, in every round.
    """

    predictor: PredictorAttack | None = None
    row: RowAttack | None = None
    update: UpdateAttack | None = None


@dataclass(frozen=True, eq=False)
class Attackers:
    """Attacks among clients.

    Parameters
    ----------
    clients : all of them, honest ones included; their true groups are known to the attackers.
    attacks : who attacks, by position. The same attack at several positions is one party with many
        clients (Sybils).

    Raises
    ------
    InputError
        For a position where there is no client.
    """

    clients: Clients
    attacks: Mapping[int, Attack]

    def __post_init__(self) -> None:
        for i in self.attacks:
            if not 0 <= i < len(self.clients):
                raise InputError(f"no client {i} to attack with; there are {len(self.clients)}")

    @property
    def honest(self) -> np.ndarray:
        """Positions of all others, int64."""
        return np.array([i for i in range(len(self.clients)) if i not in self.attacks], np.int64)

    def predictors(
        self, trained: Predictors, clients: Clients, profile: Novelty, seed: int
    ) -> Predictors:
        """The predictors that are sent in place of those `trained`."""
        scene = Scene(trained, clients, profile, seed)
        sent = trained.each(Tensor.clone)
        for i, attack in self.attacks.items():
            if attack.predictor is not None:
                for name, p in attack.predictor.predictor(i, scene).items():
                    sent.parameters[name][i] = p
        return sent

    def reports(self, true: Reports) -> Reports:
        """What is reported in place of what is `true`."""
        groups = self.clients.groups
        known = np.zeros(len(self.clients), np.int64) if groups is None else groups
        lies = {i: a.row.row(i, true, known) for i, a in self.attacks.items() if a.row is not None}
        return true.replaced(lies)

    def update(self, i: int, start: State, trained: State) -> State:
        """The model that client i sends in place of the one it has `trained` from `start`."""
        attack = self.attacks.get(i, Attack()).update
        if attack is None:
            return trained
        return {name: attack.update(start[name], p) for name, p in trained.items()}


def one_party(clients: Clients, party: Sequence[int]) -> Clients:
    """The clients, those of `party` all with the data (and group) of its first: Sybils."""
    members = list(clients)
    for i in party:
        members[i] = members[party[0]]
    return replace(clients, members=tuple(members))
