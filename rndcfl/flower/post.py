"""Flower's way to the nodes: ask many of them one question and wait for the answers, with an end.

The stock ``send_and_receive`` sleeps for seconds between looks, and waits for all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from rndcfl.flower.records import count_bytes, letter_of, record_of
from rndcfl.protocol.letters import Letter
from rndcfl.protocol.post import EVALUATE, HELLO, PREDICTOR, ROW, TRAIN, Log

TYPES = {  # kind of question -> Flower's message type
    HELLO: "query.hello",
    PREDICTOR: "query.predictor",
    ROW: "query.row",
    TRAIN: "train.federation",
    EVALUATE: "evaluate.federation",
}
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between looks for answers
KEPT = 60.0  # seconds that a message outlives the waiting for its answer


@dataclass
class FlowerPost:
    """The server's mail, and its size: a :class:`~rndcfl.protocol.post.Post`.

    Attributes
    ----------
    grid : Flower's.
    log : takes one line of text.
    mail : see :class:`~rndcfl.protocol.post.Post`; bytes are those of the records.
    """

    grid: Grid
    log: Log
    mail: list[dict[str, Any]] = field(default_factory=list)

    def online(self) -> set[int]:
        """Nodes that are connected now."""
        return set(self.grid.get_node_ids())

    def ask(
        self, kind: str, letters: dict[int, Letter], round: int, timeout: float
    ) -> dict[int, Letter]:
        """As :meth:`rndcfl.protocol.post.Post.ask`."""
        if not letters:
            return {}
        waiting = self._send(kind, letters, round, timeout)
        started, pause = time.monotonic(), FIRST_PAUSE
        answers: dict[int, Letter] = {}
        while waiting:
            for reply in self.grid.pull_messages(list(waiting)):
                # An error's sender is the SuperLink: what it replies to says whose it is.
                node = waiting.pop(reply.metadata.reply_to_message_id, None)
                if node is None:
                    continue
                if reply.has_error():
                    self.log(f"{kind}: node {node} failed ({_reason(reply)}); it is left out")
                    continue
                seconds = time.monotonic() - started
                self._note(round, kind, node, "up", count_bytes(reply.content), seconds)
                answers[node] = letter_of(reply.content)
            if time.monotonic() - started > timeout:
                break
            if waiting:
                time.sleep(pause)
                pause = min(LONGEST_PAUSE, 1.5 * pause)
        for node in waiting.values():
            self.log(f"{kind}: node {node} has not answered in {timeout:g} s; it is left out")
        return answers

    def _send(
        self, kind: str, letters: dict[int, Letter], round: int, timeout: float
    ) -> dict[str, int]:
        """Send the letters; identifier of each message that left -> its node."""
        made: dict[int, RecordDict] = {}  # one record for each letter, whoever else gets it
        for letter in letters.values():
            if id(letter) not in made:
                made[id(letter)] = record_of(letter)
        contents = {node: made[id(letter)] for node, letter in letters.items()}
        messages = [
            Message(content, dst_node_id=node, message_type=TYPES[kind], ttl=timeout + KEPT)
            for node, content in contents.items()
        ]
        waiting = {}
        for node, sent in zip(contents, self.grid.push_messages(messages), strict=False):
            if sent is None:
                self.log(f"{kind}: node {node} could not be written to; it is left out")
                continue
            waiting[sent] = node
            self._note(round, kind, node, "down", count_bytes(contents[node]), 0.0)
        return waiting

    def _note(
        self, round: int, kind: str, node: int, direction: str, size: int, seconds: float
    ) -> None:
        entry = dict(round=round, kind=kind, node=node, direction=direction, bytes=size)
        self.mail.append(entry | dict(seconds=seconds))


def _reason(reply: Message) -> str:
    """Code and last line of an error."""
    lines = (reply.error.reason or "").strip().splitlines()
    return f"{reply.error.code}" + (f", {lines[-1][:200]}" if lines else "")
