"""The same discovery among attackers under every defence: who ends up with whom."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from rndcfl.clients import Clients
from rndcfl.common.ledger import Ledger
from rndcfl.criteria.judging import judge, judge_paper
from rndcfl.criteria.robust import DEFENCES, score_checked
from rndcfl.federations import Discovery
from rndcfl.hostile.attackers import Attackers
from rndcfl.novelty import MAX_PROFILE, fit, profile_peers, score
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
    tolerance : of the paper's criterion.
    trained : of either criterion: its budget, predictors, and what each client scores with.
    """

    clients: Clients
    seed: int
    tolerance: float
    trained: dict[str, tuple[RND, Predictors, list[tuple[Tensor, Tensor]]]]

    @classmethod
    def start(cls, clients: Clients, seed: int, tolerance: float) -> Trials:
        """Train the honest predictors; with the paper's criterion on all samples."""
        budgets = {PAPER: replace(RND(), train_share=1.0), "calibrated": RND()}
        return cls(
            clients,
            seed,
            tolerance,
            {kind: (rnd, *fit(clients, rnd, seed, Ledger())) for kind, rnd in budgets.items()},
        )

    def under(self, attackers: Attackers) -> dict[str, Discovery | None]:
        """What is found by Eq. 9 without any defence, and by the calibrated criterion with each.

        None where the discovery breaks down, because somebody sent NaN.
        """
        found: dict[str, Discovery | None] = {}
        with np.errstate(over="ignore", invalid="ignore"):  # that is what attackers aim at
            for kind, (rnd, honest, held_out) in self.trained.items():
                sent = attackers.predictors(honest, self.clients, rnd, self.seed, False)
                for defence in (PAPER,) if kind == PAPER else DEFENCES:
                    most, n, ledger = 0 if kind == PAPER else MAX_PROFILE, len(held_out), Ledger()
                    if defence in ("none", PAPER):
                        peers = profile_peers(n, self.seed, most)
                        reports = attackers.reports(score(sent, held_out, ledger, peers))
                    elif defence == "checked":  # and "robust", which comes next
                        reports = attackers.reports(
                            score_checked(sent, held_out, ledger, self.seed, most)
                        )
                    try:
                        found[defence] = (
                            judge_paper(reports, ledger, self.tolerance, defence="none")
                            if kind == PAPER
                            else judge(reports, ledger, 0.01, 0.1, 1 - rnd.train_share, defence)
                        )
                    except ValueError:  # of the linkage, which knows no NaN
                        found[defence] = None
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

    Attackers train and send what they will.
    """
    members = (replace(c, group=int(f)) for c, f in zip(attackers.clients, labels, strict=True))
    given = replace(attackers.clients, members=tuple(members))  # so that the oracle says `labels`
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
