"""Who is there: sites come, stay silent, leave and come back."""

from __future__ import annotations

import math
import time
from collections.abc import Sized
from typing import Any

import numpy as np
from flwr.app import RecordDict

from rndcfl.common.errors import InputError
from rndcfl.data.tables import Scale
from rndcfl.flower.post import Post
from rndcfl.flower.records import UNREADABLE, array_of, config_of, record
from rndcfl.protocol.checkpoint import Progress
from rndcfl.protocol.packing import WireError
from rndcfl.protocol.settings import Settings

HELLO = "query.hello"
POLL = 0.5  # seconds between looks at who is connected
MOST = 10**7  # classes, or numbers in a sample


class Meeting:
    """The sites of a run.

    A site says hello once: its number, and what kind of data it has. One that fails to answer a
    question rests; it is greeted again in the next round and then, while it stays silent, ever more
    rarely, since waiting for the silent costs the others time.
    """

    def __init__(self, post: Post, settings: Settings, progress: Progress) -> None:
        self.post, self.settings, self.progress = post, settings, progress
        self.nodes: dict[int, int] = {}  # client -> its node
        self.greeted: set[int] = set()
        self.sums: dict[int, np.ndarray] = {}  # client -> of its table, until a scale is agreed on
        self.again: dict[int, tuple[int, int]] = {}  # node at rest -> round to greet it, pause

    def present(self, r: int) -> dict[int, int]:
        """Client -> node of all that are connected and answer, in the order of their numbers.

        Waits ``timeout_hello`` seconds for ``min_clients``.

        Raises
        ------
        InputError
            If fewer have come by then.
        """
        until = time.monotonic() + self.settings.timeout_hello
        while True:
            online = set(self.post.grid.get_node_ids())
            self._greet(online, r)
            here = {c: node for c, node in sorted(self.nodes.items()) if node in online}
            if len(here) >= self.settings.min_clients or time.monotonic() > until:
                self.enough(here, f"are there after {self.settings.timeout_hello:g} s")
                return here
            time.sleep(POLL)

    def rest(self, client: int, r: int) -> None:
        """Leave a client out until it says hello again."""
        node = self.nodes.pop(client, None)
        if node is not None:
            self._wait(node, r)

    def enough(self, who: Sized, have: str) -> None:
        """Raise :class:`InputError` unless they are ``min_clients`` or more."""
        if len(who) < self.settings.min_clients:
            raise InputError(
                f"{len(who)} of at least {self.settings.min_clients} clients {have}; start more, "
                "or lower min-clients; the rounds before are kept"
            )

    def _wait(self, node: int, r: int) -> None:
        _, pause = self.again.get(node, (0, 0))
        self.again[node] = (r + max(1, pause), max(2, 2 * pause))
        self.greeted.discard(node)

    def _greet(self, online: set[int], r: int) -> None:
        new = sorted(n for n in online - self.greeted if self.again.get(n, (0, 0))[0] <= r)
        if not new:
            return
        hello = record(dict(run_seed=self.settings.seed))
        answers = self.post.ask(HELLO, {n: hello for n in new}, r, self.settings.timeout_hello)
        told: dict[int, dict[str, Any]] = {}
        for node in new:
            if node not in answers:
                self._wait(node, r)
                continue
            self.greeted.add(node)
            try:
                about = _checked(config_of(answers[node]))
                if self.nodes.get(about["number"]) in online:
                    # Its own site, started anew while the old node is still counted as connected?
                    self._wait(node, r)
                    raise WireError(
                        f"client {about['number']} is there already; every site needs its own "
                        "client="
                    )
                self._agree(about, answers[node])
                told[node] = about
                if about["kind"] == "table":
                    self.sums[about["number"]] = array_of(answers[node], "sums")
                self.nodes[about["number"]] = node
            except UNREADABLE as problem:
                self.post.log(f"node {node} is refused: {problem}")
        self._set_out(told)

    def _agree(self, about: dict[str, Any], content: RecordDict) -> None:
        """Raise unless the site's data go with those of the others."""
        number = about["number"]
        if not about["labels"]:
            raise WireError(f"client {number} has no labels to train with")
        if about["kind"] == "text" and self.settings.model != "gru":
            raise WireError(f"client {number} has text, which needs model='gru'")
        known = self.progress.about or about
        for what in ("kind", "shape"):
            if about[what] != known[what]:
                raise WireError(
                    f"client {number} has data of {what} {about[what]}, the others {known[what]}"
                )
        if self.progress.labels and about["n_classes"] > known["n_classes"]:
            raise WireError(
                f"client {number} has labels to {about['n_classes'] - 1}, the model "
                f"{known['n_classes']} classes"
            )
        if about["kind"] == "table":
            sums = array_of(content, "sums")
            if sums.shape != (5, *about["shape"]) or not np.isfinite(sums).all():
                raise WireError(f"client {number} has sent no usable sums of its table")
        if not self.progress.about:
            self.progress.about |= {k: about[k] for k in ("kind", "shape", "n_classes")}

    def _set_out(self, told: dict[int, dict[str, Any]]) -> None:
        """Before the first round, what all agree on: number of classes, and a scale for tables."""
        known = self.progress.about
        if self.progress.labels or not told:
            return
        known["n_classes"] = max([known["n_classes"], *(a["n_classes"] for a in told.values())])
        if known["kind"] == "table":
            scale = Scale.of_sums(np.stack(list(self.sums.values())))
            marks = np.zeros(len(scale.mean))
            marks[scale.marked] = 1
            self.progress.scale = np.stack([scale.mean, scale.sd, marks])


def _checked(about: dict[str, Any]) -> dict[str, Any]:
    """What a site says of itself, if it is of the right types and of a size that can be meant."""
    number, n_classes, shape = about["number"], about["n_classes"], about["shape"]
    whole = isinstance(shape, list) and all(type(v) is int for v in (number, n_classes, *shape))
    if not whole or about["kind"] not in ("images", "table", "text"):
        raise WireError("it says nothing usable of itself")
    sizes = (n_classes, *shape)
    if number < 0 or min(sizes) < 0 or n_classes > MOST or not 0 < math.prod(shape) <= MOST:
        raise WireError(f"client {number} has samples or labels that are too large or empty")
    return about
