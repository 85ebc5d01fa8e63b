"""Ask many nodes one question and wait for the answers, not for ever.

A node that is dead, silent or answers with an error is left out; what the others say is not lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from rndcfl.flower.records import count_bytes

Log = Callable[[str], None]


@dataclass
class Post:
    """The server's mail, and what it weighs.

    Attributes
    ----------
    grid : Flower's.
    log : takes one line of text.
    mail : one entry per message: round, kind, node, direction (up, down), bytes, seconds.
    """

    grid: Grid
    log: Log
    mail: list[dict[str, Any]] = field(default_factory=list)

    def ask(
        self, kind: str, letters: dict[int, RecordDict], round: int, timeout: float
    ) -> dict[int, RecordDict]:
        """Send each node its letter; return the answers that came within `timeout` seconds.

        Parameters
        ----------
        kind : Flower's message type, e.g. ``"query.predictor"``.
        letters : node -> what it is asked.
        round : for the books.
        timeout : seconds.
        """
        if not letters:
            return {}
        nodes = list(letters)
        messages = [
            Message(letters[node], dst_node_id=node, message_type=kind, ttl=timeout + 60.0)
            for node in nodes
        ]
        sizes = [count_bytes(letter) for letter in letters.values()]
        waiting: dict[str, int] = {}
        for node, id, size in zip(nodes, self.grid.push_messages(messages), sizes, strict=False):
            if id is None:
                self.log(f"{kind}: node {node} could not be written to; it is left out")
                continue
            waiting[id] = node
            self._note(round, kind, node, "down", size, 0.0)
        started, pause = time.monotonic(), 0.05
        answers = {}
        while waiting:
            for reply in self.grid.pull_messages(list(waiting)):
                # An error's sender is the SuperLink: what it replies to says whose it is.
                if (id := reply.metadata.reply_to_message_id) not in waiting:
                    continue
                node = waiting.pop(id)
                if reply.has_error():
                    reason = (reply.error.reason or "").strip().splitlines()
                    self.log(
                        f"{kind}: node {node} failed ({reply.error.code}"
                        + (f", {reason[-1][:200]}" if reason else "")
                        + "); it is left out"
                    )
                    continue
                answers[node] = reply.content
                seconds = time.monotonic() - started
                self._note(round, kind, node, "up", count_bytes(reply.content), seconds)
            if time.monotonic() - started > timeout:
                break
            if waiting:
                time.sleep(pause)
                pause = min(1.0, 1.5 * pause)
        for node in waiting.values():
            self.log(f"{kind}: node {node} has not answered in {timeout:g} s; it is left out")
        return answers

    def _note(
        self, round: int, kind: str, node: int, direction: str, size: int, seconds: float
    ) -> None:
        self.mail.append(
            dict(
                round=round, kind=kind, node=node, direction=direction, bytes=size, seconds=seconds
            )
        )
