"""What the protocol asks of an engine: to carry a letter to each node and bring the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rndcfl.protocol.letters import Letter

Log = Callable[[str], None]  # takes one line of text

# The questions of a server, each answered by the method of this name of a Site.
HELLO, PREDICTOR, ROW, TRAIN, EVALUATE = "hello", "predictor", "row", "train", "evaluate"


class Post(Protocol):
    """An engine's way to the nodes.

    Attributes
    ----------
    mail : one entry per message since the server was started: round, kind, node, direction (up,
        down), bytes, seconds.
    """

    mail: list[dict[str, Any]]

    def online(self) -> set[int]:
        """Nodes that are connected now."""

    def ask(
        self, kind: str, letters: dict[int, Letter], round: int, timeout: float
    ) -> dict[int, Letter]:
        """Send each node its letter; return the answers that came within `timeout` seconds.

        A node that is dead, silent or answers with an error is missing from the answers, and the
        log says why; what the others answer is not lost.

        Parameters
        ----------
        kind : of the question, :data:`HELLO` or another.
        letters : node -> what it is asked; one letter may be for several nodes.
        round : for the mail's entries.
        timeout : seconds.
        """
