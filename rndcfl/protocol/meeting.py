"""Who is there: sites come, are asked, stay silent, leave and come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sized
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError, WireError
from rndcfl.protocol.agreeing import agree, check_fits, checked, sums_of
from rndcfl.protocol.checkpoint import Progress
from rndcfl.protocol.config import Config
from rndcfl.protocol.letters import UNREADABLE, Letter, config_of
from rndcfl.protocol.post import HELLO, Log, Post

POLL = 0.5  # seconds between looks at who is connected


class Meeting:
    """The sites of a run.

    A site says hello once: its number, and what kind of data it has. One that fails to answer a
    question rests; it is greeted again in the next round and then, while it stays silent, ever more
    rarely, since waiting for the silent costs the others time.

    Attributes
    ----------
    nodes : client -> its node.
    held : node -> version of the model that it keeps, as far as is known.
    """

    def __init__(self, post: Post, config: Config, progress: Progress, log: Log) -> None:
        self.post, self.config, self.progress, self.log = post, config, progress, log
        self.nodes: dict[int, int] = {}
        self.held: dict[int, str] = {}
        self.greeted: set[int] = set()
        self.sums: dict[int, np.ndarray] = {}  # client -> of its table, until a scale is agreed on
        self.again: dict[int, tuple[int, int]] = {}  # node at rest -> round to greet it, pause

    def present(self, r: int) -> list[int]:
        """Numbers of the clients that are connected and answer, in order.

        Waits ``timeout_hello`` seconds for ``min_clients``.

        Raises
        ------
        InputError
            If fewer have come by then.
        """
        until = time.monotonic() + self.config.timeout_hello
        while True:
            online = self.post.online()
            self._greet(online, r)
            here = [client for client, node in sorted(self.nodes.items()) if node in online]
            if len(here) >= self.config.min_clients or time.monotonic() > until:
                self.enough(here, f"are there after {self.config.timeout_hello:g} s")
                return here
            time.sleep(POLL)

    def letter(self, r: int, arrays: dict[str, np.ndarray] | None = None, **more: Any) -> Letter:
        """A letter with what every site needs to read its data: the run's seed, and the scale."""
        scale = {} if self.progress.scale is None else {"scale": self.progress.scale}
        return Letter(dict(round=r, run_seed=self.config.seed, **more), {**scale, **(arrays or {})})

    def ask(
        self,
        kind: str,
        letters: dict[int, Letter],
        r: int,
        timeout: float,
        read: Callable[[int, Letter], Any],
    ) -> dict[int, Any]:
        """What clients answer to their letters, as `read`; the others rest.

        Parameters
        ----------
        kind : of the question, see :mod:`rndcfl.protocol.post`.
        letters : client -> what it is asked.
        r : round.
        timeout : seconds.
        read : of a client and its answer; what it raises (:data:`UNREADABLE`) is in the log.
        """
        nodes = {client: self.nodes[client] for client in sorted(letters)}
        found = self.post.ask(kind, {nodes[c]: letters[c] for c in nodes}, r, timeout)
        answers = {}
        for client, node in nodes.items():
            if node not in found:  # the post has said why
                self.rest(client, r)
                continue
            try:
                answers[client] = read(client, found[node])
            except UNREADABLE as problem:
                self.log(f"{kind}: client {client} is left out: {problem}")
                self.rest(client, r)
        return answers

    def rest(self, client: int, r: int) -> None:
        """Leave a client out until it says hello again."""
        node = self.nodes.pop(client, None)
        if node is not None:
            self.held.pop(node, None)  # what it keeps is not known any more
            self._wait(node, r)

    def enough(self, who: Sized, have: str) -> None:
        """Raise :class:`InputError` unless they are ``min_clients`` or more."""
        if len(who) < self.config.min_clients:
            raise InputError(
                f"{len(who)} of at least {self.config.min_clients} clients {have}; start more, "
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
        hello = Letter(dict(run_seed=self.config.seed))
        answers = self.post.ask(HELLO, {n: hello for n in new}, r, self.config.timeout_hello)
        came = []
        for node in new:
            if node not in answers:
                self._wait(node, r)
                continue
            self.greeted.add(node)
            try:
                came.append(self._take(node, answers[node], online, r))
            except UNREADABLE as problem:
                self.log(f"node {node} is refused: {problem}")
        agree(self.progress, came, self.sums.values())

    def _take(self, node: int, answer: Letter, online: set[int], r: int) -> dict[str, Any]:
        """Take a node's client in; what it says of itself."""
        about = checked(config_of(answer))
        client = about["number"]
        if self.nodes.get(client) in online:
            # Its own site, started anew while the old node is still counted as connected?
            self._wait(node, r)
            raise WireError(f"client {client} is there already; every site needs its own client=")
        check_fits(about, self.config, self.progress)
        if (sums := sums_of(about, answer)) is not None:
            self.sums[client] = sums
        if not self.progress.about:
            self.progress.about |= {k: about[k] for k in ("kind", "shape", "n_classes")}
        if not self.progress.about.get("columns"):
            self.progress.about["columns"] = about.get("columns", "")
        self.nodes[client] = node
        return about
