"""One liar among clients compared by novelty, and by features, where it has less to lie about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rndcfl.common.metrics import exact
from rndcfl.discovery import BY, discover
from rndcfl.hostile import cast, infiltrated
from rndcfl.settings.partition import make_clients

ABOUT_PREDICTORS = ("copy", "universal", "replay")  # who is compared by features sends none
ABOUT_REPORTS = ("all_compatible", "all_incompatible", "one_victim", "one_victim_plausible")
LIES = (*ABOUT_PREDICTORS, *ABOUT_REPORTS)


def lies(
    dataset: str, setting: str, seed: int, samples: int, attacks: Sequence[str] = LIES
) -> Iterator[dict[str, Any]]:
    """Whether the honest are grouped as they should be beside one liar of twelve clients.

    Columns attack, about (what the lie is about), by, honest_exact, infiltrated. Attacks are those
    of :data:`rndcfl.hostile.DISCOVERY`, against the default defence.
    """
    clients = make_clients(dataset, setting, 12, 4, seed, samples, test_per_client=1)
    for attack in attacks:
        attackers = cast(clients, attack, 1, seed)
        honest, groups = attackers.honest, np.asarray(attackers.clients.groups)
        for by in BY:
            found = discover(attackers.clients, by=by, seed=seed, tamper=attackers).labels
            yield dict(
                attack=attack,
                about="predictor" if attack in ABOUT_PREDICTORS else "report",
                by=by,
                seed=seed,
                honest_exact=int(exact(groups[honest], found[honest])),
                infiltrated=infiltrated(attackers, found),
            )
