"""One discovery over letters: predictors, rows, criterion (Algorithms 1 and 2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rndcfl.common.errors import WireError
from rndcfl.common.ledger import Ledger
from rndcfl.engine.inputs import smaller
from rndcfl.methods.rnd import discovery_seed
from rndcfl.novelty import profile_peers
from rndcfl.protocol.letters import Letter, array_of, config_of, rnd_config
from rndcfl.protocol.meeting import Meeting
from rndcfl.protocol.packing import architecture, check_packed, packed_width
from rndcfl.protocol.post import PREDICTOR, ROW
from rndcfl.reports import Report, Reports


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


def discover_over(meeting: Meeting, clients: list[int], r: int) -> Found:
    """Discover the federations of `clients` by asking them.

    Parameters
    ----------
    meeting : asks them; its run configuration has criterion and budget.
    clients : numbers of those present.
    r : round, which names the draws (those of method ``rnd`` in :func:`rndcfl.simulate`).

    Raises
    ------
    InputError
        Where too few have answered.
    """
    started = time.monotonic()
    how, seed = meeting.config.how, discovery_seed(meeting.config.seed, r)
    config: dict[str, Any] = dict(seed=seed, rnd=rnd_config(how.rnd))
    shape = smaller(meeting.progress.read_shape, how.rnd.max_side)
    read = _reader_of_predictors(architecture(shape, how.rnd), packed_width(shape, how.rnd))
    predictors = _ask(meeting, PREDICTOR, clients, r, meeting.letter(r, **config), read)
    who = sorted(predictors)
    bank = np.concatenate([predictors[c] for c in who])
    peers = profile_peers(len(who), seed, how.criterion.most_peers)
    letter = meeting.letter(r, {"bank": bank}, **config, peers=peers.tolist())
    rows = _ask(meeting, ROW, who, r, letter, _reader_of_rows(len(who), len(peers)))
    reports = among(rows, who, peers, 1 - how.rnd.train_share)
    found = how.criterion.judge(reports, Ledger())
    assert reports.novelty is not None
    order = sorted(rows)
    labels = dict(zip(order, found.labels.tolist(), strict=True))
    refused = {order[k]: why for k, why in found.refused.items()}
    return Found(labels, reports.novelty, refused, time.monotonic() - started)


def among(
    rows: dict[int, Report], who: list[int], peers: np.ndarray, share: float = 1.0
) -> Reports:
    """The reports of those who have sent one about each other; the others' columns are dropped.

    Parameters
    ----------
    rows : client -> its report about all of `who`.
    who : the N clients whose predictors were scored.
    peers : positions in `who` of the m of them that make up the profile.
    share : of its samples that a client has scored.
    """
    stay = np.array([c in rows for c in who])
    kept = stay[peers]
    left = [
        replace(
            rows[c],
            profile=rows[c].profile[kept],
            covariance=rows[c].covariance[kept][:, kept],
            novelty=rows[c].novelty[stay],
        )
        for c in who
        if c in rows
    ]
    return Reports.of(left, len(left), (np.cumsum(stay) - 1)[peers[kept]], share=share)


def _ask(
    meeting: Meeting,
    kind: str,
    who: list[int],
    r: int,
    letter: Letter,
    read: Callable[[int, Letter], Any],
) -> dict[int, Any]:
    """What enough clients answer to one letter, as `read`."""
    letters = {client: letter for client in who}
    answers = meeting.ask(kind, letters, r, meeting.config.timeout_discovery, read)
    meeting.log(f"round {r}: {kind} answered by {len(answers)} of {len(who)} clients")
    meeting.enough(answers, f"have answered {kind}")
    return answers


def _reader_of_predictors(name: str, width: int) -> Callable[[int, Letter], np.ndarray]:
    """Reads float32 [1, width], a predictor of architecture `name`."""

    def read(client: int, answer: Letter) -> np.ndarray:
        if config_of(answer)["architecture"] != name:
            raise WireError("its predictor is of another architecture or version")
        packed = array_of(answer, "predictor")
        check_packed(packed, width)
        if len(packed) != 1:
            raise WireError(f"it has sent {len(packed)} predictors instead of one")
        return packed

    return read


def _reader_of_rows(n: int, m: int) -> Callable[[int, Letter], Report]:
    """Reads a report of `n` novelties and a profile of `m`."""

    def read(client: int, answer: Letter) -> Report:
        scored = int(config_of(answer)["scored"])
        if scored < 2:
            raise WireError(f"it has scored {scored} samples; two are needed at least")
        return Report.unpack(scored, array_of(answer, "row"), n, m)

    return read
