"""A discovery in words and numbers: the table, a few lines, and what ``--json`` writes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rndcfl.clients import Clients
from rndcfl.common.metrics import ari, exact, nmi
from rndcfl.federations import Discovery, ProfileDiscovery


def table(clients: Clients, found: Discovery) -> pd.DataFrame:
    """One row per client: its samples, its true group where known, where and how well it fits."""
    own: dict[str, Any] = {"client": clients.names, "samples": list(map(len, clients))}
    if clients.groups is not None:
        own["true group"] = clients.groups
    fits = found.explain().drop(columns=["client", "name", "scored"], errors="ignore")
    return pd.DataFrame({**own, **fits})


def score(clients: Clients, found: Discovery) -> dict[str, Any]:
    """How well the federations agree with the true groups; nothing where they are not known."""
    if clients.groups is None:
        return {}
    pair = clients.groups, found.labels
    return dict(exact=exact(*pair), ari=ari(*pair), nmi=nmi(*pair))


def unseen(found: Discovery) -> str:
    """What would have gone unseen, in a sentence; empty for the paper's criterion."""
    if not isinstance(found, ProfileDiscovery):
        return ""
    needed = [found.samples_needed(distance) for distance in (1.0, 0.5)]
    return (
        f"differences below {found.detectable.max():.2f} standard deviations would go unseen; "
        f"{needed[0]} samples per client show 1.0, {needed[1]} show 0.5"
    )


def cost(found: Discovery) -> str:
    """What it cost, in a line."""
    costs, n = found.ledger.total(), len(found.labels)
    return (
        f"{costs.seconds:.1f} s; per client {costs.bytes_up / n / 1e3:.0f} kB up, "
        f"{costs.bytes_down / n / 1e3:.0f} kB down"
    )


def summary(clients: Clients, found: Discovery) -> list[str]:
    """What was found, and at what cost, in a few lines."""
    known = score(clients, found)
    line = f"{found.n_federations} federations by criterion {found.criterion}"
    if known:
        members = []
        line += f"; ARI {known['ari']:.3f} ({'exact' if known['exact'] else 'not exact'})"
    else:
        members = [f"  {f}: {', '.join(who)}" for f, who in enumerate(found.federations)]
    notes = [f"note: {notice}" for notice in found.notices]
    return [*filter(None, [unseen(found)]), line, *members, cost(found), *notes]


def result(clients: Clients, found: Discovery) -> dict[str, Any]:
    """What ``--json`` writes beside what was asked for."""
    known = score(clients, found)
    written = dict(
        criterion=found.criterion,
        tolerance=found.tolerance,
        clients=list(clients.names),
        labels=found.labels.tolist(),
        n_federations=found.n_federations,
        notices=list(found.notices),
        novelty=None if found.novelty is None else found.novelty.tolist(),
        excess=None if found.excess is None else found.excess.tolist(),
        costs=found.ledger.total().to_dict(),
        **known,
    )
    if clients.groups is not None:
        written["groups"] = clients.groups.tolist()
    if isinstance(found, ProfileDiscovery):
        written |= dict(
            distance=found.distance.tolist(),
            detectable=found.detectable.tolist(),
            p_values=found.p_values.tolist(),
        )
    return written
