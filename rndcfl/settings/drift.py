"""Clients whose distributions change over the rounds, with the true groups of every round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.settings.partition import make_clients

KINDS = ("none", "move", "merge", "split", "gradual")


@dataclass(frozen=True)
class Drift:
    """A stream: in every round each client holds fresh samples of its distribution at that time.

    Give it to :func:`rndcfl.simulate` in place of clients.

    Attributes
    ----------
    dataset, setting, n_groups, seed : as for :func:`rndcfl.make_clients`.
    stages : first round -> true group of each client from then on; one begins at round 0.
    samples_per_client, test_per_client : how many fresh samples a client has in each round.
    params : of the setting.
    per_round : parameter of the setting -> what is added to it in every round.
    """

    dataset: str
    setting: str
    n_groups: int
    seed: int
    stages: Mapping[int, tuple[int, ...]]
    samples_per_client: int = 300
    test_per_client: int = 100
    params: Mapping[str, Any] = field(default_factory=dict)
    per_round: Mapping[str, float] = field(default_factory=dict)

    def groups(self, round: int) -> np.ndarray:
        """True group of each client in a round, int64 [N]."""
        began = max(first for first in self.stages if first <= round)
        return np.array(self.stages[began], dtype=np.int64)

    def clients(self, round: int) -> Clients:
        """The clients with their data of a round; the same call gives the same data."""
        moved = {
            name: self.params.get(name, 0.0) + round * by for name, by in self.per_round.items()
        }
        return make_clients(
            self.dataset,
            self.setting,
            n_groups=self.n_groups,
            seed=self.seed,
            samples_per_client=self.samples_per_client,
            test_per_client=self.test_per_client,
            groups=self.groups(round).tolist(),
            draw=round,
            **{**self.params, **moved},
        )


def make_drift(
    dataset: str,
    setting: str,
    kind: str,
    at: int = 10,
    n_clients: int = 12,
    n_groups: int = 4,
    seed: int = 0,
    movers: int = 2,
    degrees_per_round: float = 3.0,
    **params: Any,
) -> Drift:
    """A drift of one of five kinds.

    Parameters
    ----------
    dataset, setting, n_clients, n_groups, seed : as for :func:`rndcfl.make_clients`; all settings
        but iid and quantity.
    kind : ``"none"``; ``"move"``: the first `movers` clients join the next group; ``"merge"``: the
        last group becomes like group 0; ``"split"``: the last group was like group 0 until then;
        ``"gradual"``: all groups of setting rotation turn, by `degrees_per_round`, from the start.
    at : the round of the change.
    movers : how many clients move.
    degrees_per_round : of ``"gradual"``.
    **params : `samples_per_client` and `test_per_client` as for :class:`Drift`, and parameters of
        the setting.

    Returns
    -------
    Drift

    Raises
    ------
    InputError
        For an unknown kind, numbers out of range, or ``"gradual"`` with a setting but rotation.
    """
    check_name("kind of drift", kind, KINDS)
    check_number("at", at, 1, whole=True)
    check_number("n_groups", n_groups, 2, n_clients, whole=True)
    check_number("movers", movers, 1, n_clients, whole=True)
    if kind == "gradual" and setting != "rotation":
        raise InputError(f"drift 'gradual' turns setting 'rotation', not {setting!r}")
    apart = np.arange(n_clients) % n_groups
    merged = np.where(apart == n_groups - 1, 0, apart)
    moved = np.where(np.arange(n_clients) < movers, (apart + 1) % n_groups, apart)
    stages = {
        "move": {0: apart, at: moved},
        "merge": {0: apart, at: merged},
        "split": {0: merged, at: apart},
    }.get(kind, {0: apart})
    sizes = {k: params.pop(k) for k in ("samples_per_client", "test_per_client") if k in params}
    return Drift(
        dataset,
        setting,
        n_groups,
        seed,
        {first: tuple(map(int, groups)) for first, groups in stages.items()},
        params=params,
        **sizes,
        per_round={"offset": degrees_per_round} if kind == "gradual" else {},
    )
