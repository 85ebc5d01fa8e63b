"""The server's loop: meet, discover, train, average, evaluate, write down; resume if stopped.

The questions and their order are those of the paper's Algorithm 2; a client that does not answer
one in time, or answers with something else, is left out until it says hello again.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from rndcfl.common.files import write_whole
from rndcfl.protocol import checkpoint
from rndcfl.protocol.config import Config
from rndcfl.protocol.discovering import discover_over
from rndcfl.protocol.federating import adopt
from rndcfl.protocol.meeting import Meeting
from rndcfl.protocol.post import Log, Post
from rndcfl.protocol.training import train_round


class Coordinator:
    """One run.

    Parameters
    ----------
    post : carries letters to the nodes, and answers back.
    config : what is asked for.
    folder : for checkpoint and results; a run that it holds is resumed.
    log : takes one line of text.

    Raises
    ------
    InputError
        If the folder holds a run of another configuration, or something else.
    """

    def __init__(self, post: Post, config: Config, folder: Path, log: Log) -> None:
        self.post, self.config, self.folder, self.log = post, config, folder, log
        self.progress = checkpoint.load(folder, config)
        self.meeting = Meeting(post, config, self.progress, log)

    def run(self) -> None:
        """All rounds that are not done yet.

        Raises
        ------
        InputError
            Where there are fewer clients than ``min-clients``.
        """
        done = self.progress.round
        if done:
            left = f"resuming with round {done}" if done < self.config.rounds else "none is left"
            self.log(f"rounds 0 to {done - 1} are there from before; {left}")
        for r in range(done, self.config.rounds):
            self._round(r)
            self.progress.round = r + 1
            self._write()
        self._write(finished=True)
        self.log(f"finished: {self.config.rounds} rounds, results in {self.folder}")

    def _round(self, r: int) -> None:
        clients, progress = self.meeting.present(r), self.progress
        strangers = [c for c in clients if progress.labels.get(c) not in progress.models]
        if self.config.discovers(r) or strangers:
            clients = self._discover(clients, r)
        train_round(self.meeting, clients, r)

    def _discover(self, clients: list[int], r: int) -> list[int]:
        """Find the federations of those present; return who of them took part to the end."""
        found = discover_over(self.meeting, clients, r)
        for client, why in found.refused.items():
            self.log(f"round {r}: client {client} is set apart: {why}")
        labels = adopt(self.progress, found, self.config, r)
        places = ", ".join(f"client {c} in {labels[c]}" for c in sorted(labels))
        self.log(f"round {r}: {len(set(labels.values()))} federations: {places}")
        return sorted(labels)

    def _write(self, finished: bool = False) -> None:
        """Checkpoint and tables; the checkpoint first, for it alone is needed to resume."""
        self.progress.mail += self.post.mail
        self.post.mail.clear()
        checkpoint.save(self.folder, self.config, self.progress)
        for name in ("history", "mail"):
            table = pd.DataFrame(getattr(self.progress, name))
            write_whole(self.folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
        result = dict(
            finished=finished,
            rounds=self.progress.round,
            discoveries=self.progress.discoveries,
            labels={str(c): f for c, f in sorted(self.progress.labels.items())},
        )
        write_whole(self.folder / "result.json", json.dumps(result, indent=1) + "\n")
