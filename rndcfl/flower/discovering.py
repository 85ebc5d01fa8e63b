"""One discovery over messages: predictors, rows, criterion (Algorithms 1 and 2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import RecordDict

from rndcfl.common.ledger import Ledger
from rndcfl.criteria.judging import judge, judge_paper
from rndcfl.evolving.watching import same_names
from rndcfl.flower.records import array_of, config_of, rnd_config, unpack_row
from rndcfl.methods.rnd import discovery_seed
from rndcfl.novelty import Reports, profile_peers
from rndcfl.protocol.packing import WireError, architecture, check_packed, packed_width
from rndcfl.protocol.settings import Settings

# (message type, clients, settings, arrays, how an answer is read) -> what clients answered
Ask = Callable[
    [str, list[int], dict[str, Any], dict[str, np.ndarray], Callable[[int, RecordDict], Any]],
    dict[int, Any],
]


@dataclass(frozen=True, eq=False)
class Found:
    """Federations of those that took part to the end.

    Attributes
    ----------
    labels : client -> federation, numbered in order of first appearance.
    novelty : s_ij among them in the order of their numbers, float64 [N, N].
    refused : client whose row no honest client could have sent -> why; it is on its own.
    seconds : from the first question to the federations.
    """

    labels: dict[int, int]
    novelty: np.ndarray
    refused: dict[int, str]
    seconds: float


def discover_over(
    ask: Ask, clients: list[int], settings: Settings, shape: tuple[int, ...], r: int
) -> Found:
    """Discover the federations of `clients` by asking them.

    Parameters
    ----------
    ask : asks some clients one question and reads their answers; unreadable ones are left out.
    clients : numbers of those present.
    settings : criterion and budget.
    shape : of one sample as the networks read it.
    r : round, which names the draws (those of method ``rnd`` in :func:`rndcfl.simulate`).

    Raises
    ------
    InputError
        Of `ask`, where too few have answered.
    """
    started = time.monotonic()
    rnd, seed = settings.rnd, discovery_seed(settings.seed, r)
    config = dict(seed=seed, rnd=rnd_config(rnd))
    name, width = architecture(shape, rnd), packed_width(shape, rnd)

    def read_predictor(client: int, content: RecordDict) -> np.ndarray:
        if config_of(content)["architecture"] != name:
            raise WireError("its predictor is of another architecture or version")
        packed = array_of(content, "predictor")
        check_packed(packed, width)
        if len(packed) != 1:
            raise WireError(f"it has sent {len(packed)} predictors instead of one")
        return packed

    predictors = ask("query.predictor", clients, config, {}, read_predictor)
    who = sorted(predictors)
    paper = settings.criterion == "paper"
    peers = profile_peers(len(who), seed, 0) if paper else profile_peers(len(who), seed)
    bank = np.concatenate([predictors[c] for c in who])

    def read_row(client: int, content: RecordDict) -> tuple[Any, ...]:
        scored = int(config_of(content)["scored"])
        if scored < 2:
            raise WireError(f"it has scored {scored} samples; two are needed at least")
        return scored, *unpack_row(array_of(content, "row"), len(who), len(peers))

    rows = ask("query.row", who, {**config, "peers": peers.tolist()}, {"bank": bank}, read_row)
    reports = among(rows, who, peers)
    if paper:
        found = judge_paper(reports, Ledger(), settings.tolerance, defence=settings.defence)
    else:
        share = 1 - rnd.train_share
        found = judge(
            reports, Ledger(), settings.alpha, settings.min_effect, share, settings.defence
        )
    order = sorted(rows)
    labels = dict(zip(order, found.labels.tolist(), strict=True))
    refused = {order[k]: why for k, why in found.refused.items()}
    return Found(labels, reports.novelty, refused, time.monotonic() - started)


def among(rows: dict[int, tuple[Any, ...]], who: list[int], peers: np.ndarray) -> Reports:
    """The reports of those who have sent a row about each other; the others' columns are dropped.

    Parameters
    ----------
    rows : client -> samples, novelty [N], profile [m], covariance [m, m].
    who : the N clients whose predictors were scored.
    peers : positions in `who` of the m of them that make up the profile.
    """
    stay = np.array([c in rows for c in who])
    kept = stay[peers]
    samples, novelty, profile, covariance = (
        np.stack(part) for part in zip(*(rows[c] for c in who if c in rows), strict=True)
    )
    return Reports(
        samples,
        novelty[:, stay],
        (np.cumsum(stay) - 1)[peers[kept]],
        profile[:, kept],
        covariance[:, kept][:, :, kept],
    )


def renamed(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    """`after` with the names of `before`: a federation keeps its name, see :func:`same_names`.

    Clients come and go: only those in both say which federation is which. A new federation gets a
    name that nobody has, present or absent.
    """
    stay = sorted(set(before) & set(after))
    names: dict[int, int] = {}
    if stay:
        old, new = (np.array([labels[c] for c in stay]) for labels in (before, after))
        kept = set(old.tolist())
        pairs = zip(new.tolist(), same_names(old, new).tolist(), strict=True)
        names = {label: name for label, name in pairs if name in kept}
    fresh = max(before.values(), default=-1) + 1
    for label in sorted(set(after.values()) - set(names)):
        names[label], fresh = fresh, fresh + 1
    return {client: names[label] for client, label in after.items()}
