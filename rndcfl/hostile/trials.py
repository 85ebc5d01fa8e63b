"""The same discovery among attackers under every defence: who ends up with whom."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.ledger import Ledger
from rndcfl.criteria import Calibrated, Criterion, Paper
from rndcfl.criteria.base import DEFENCES
from rndcfl.discovery import Discoverer
from rndcfl.federations import Discovery
from rndcfl.hostile.attackers import Attackers
from rndcfl.novelty import Held, Novelty, fit
from rndcfl.predictors import RND, Predictors
from rndcfl.simulation import simulate

PAPER = "paper"  # Eq. 9 as it is, beside the defences of the calibrated criterion


@dataclass(frozen=True, eq=False)
class Trials:
    """Discoveries by the default budget whose honest predictors are trained once.

    :func:`~rndcfl.discovery.discover` with ``tamper=`` gives the same, one by one.

    Attributes
    ----------
    clients : all of them, hostile ones included.
    seed : of the discoveries.
    criteria : name of the trial -> the criterion that judges.
    trained : budget -> honest predictors, and what each client scores with.
    """

    clients: Clients
    seed: int
    criteria: dict[str, Criterion]
    trained: dict[RND, tuple[Predictors, list[Held]]]

    @classmethod
    def start(cls, clients: Clients, seed: int, tolerance: float) -> Trials:
        """Train the honest predictors; with the paper's criterion on all samples."""
        criteria: dict[str, Criterion] = {PAPER: Paper(tolerance, defence="none")}
        criteria |= {defence: Calibrated(defence=defence) for defence in DEFENCES}
        budgets = dict.fromkeys(criterion.budget for criterion in criteria.values())
        trained = {rnd: fit(clients, rnd, seed, Ledger()) for rnd in budgets}
        return cls(clients, seed, criteria, trained)

    def under(self, attackers: Attackers) -> dict[str, Discovery | None]:
        """What is found by Eq. 9 without any defence, and by the calibrated criterion with each.

        None where the discovery breaks down, because a client sent NaN.
        """
        found: dict[str, Discovery | None] = {}
        with np.errstate(over="ignore", invalid="ignore"):  # that is what attackers aim at
            for rnd, (honest, held_out) in self.trained.items():
                sent = attackers.predictors(honest, self.clients, Novelty(rnd), self.seed)
                for name, criterion in self.criteria.items():
                    if criterion.budget != rnd:
                        continue
                    profile = Discoverer.of(criterion).profile
                    assert isinstance(profile, Novelty)
                    reports = profile.reports(sent, held_out, self.seed, Ledger())
                    try:
                        found[name] = criterion.judge(attackers.reports(reports), Ledger())
                    except ValueError:  # of the linkage, which knows no NaN
                        found[name] = None
        return found


def infiltrated(attackers: Attackers, labels: np.ndarray) -> float:
    """Share of the attackers that are in a federation with honest clients of another group."""
    groups, honest = attackers.clients.groups, attackers.honest
    assert groups is not None
    return float(
        np.mean(
            [
                ((labels[honest] == labels[i]) & (groups[honest] != groups[i])).any()
                for i in attackers.attacks
            ]
        )
    )


def honest_accuracy(
    attackers: Attackers, labels: np.ndarray, rounds: int, seed: int, aggregation: str = "mean"
) -> float:
    """Mean accuracy of the honest clients after training in the federations of `labels` [N].

    Attackers train as well, and send what their attack makes of it.
    """
    members = (replace(c, group=int(f)) for c, f in zip(attackers.clients, labels, strict=True))
    given = replace(attackers.clients, members=tuple(members))  # so that the oracle gives `labels`
    history = simulate(
        given,
        "oracle",
        rounds,
        seed=seed,
        progress=False,
        aggregation=aggregation,
        tamper=attackers,
    )
    accuracy = history.final().set_index("client")["accuracy"]
    return float(accuracy[attackers.honest].mean())
