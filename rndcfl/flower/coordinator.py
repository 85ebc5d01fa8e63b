"""The server's loop over Flower messages: meet, discover, train, average, evaluate, write down.

The questions and their order are those of the paper's Algorithm 2; whoever does not answer one in
time, or answers with something else, is left out until it says hello again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from flwr.app import RecordDict
from flwr.serverapp import Grid

from rndcfl.common.files import write_whole
from rndcfl.engine.local import State, copy_state
from rndcfl.engine.networks import build_model, device
from rndcfl.fedavg import AGGREGATIONS
from rndcfl.flower.discovering import discover_over, renamed
from rndcfl.flower.meeting import Meeting
from rndcfl.flower.post import Log, Post
from rndcfl.flower.records import UNREADABLE, record, state_of, with_state
from rndcfl.protocol import checkpoint
from rndcfl.protocol.packing import WireError
from rndcfl.protocol.settings import Settings


class Coordinator:
    """One run.

    Parameters
    ----------
    grid : Flower's way to the nodes.
    settings : what is asked for.
    folder : for checkpoint and results; a run that it holds is gone on with.
    log : takes one line of text.
    """

    def __init__(self, grid: Grid, settings: Settings, folder: Path, log: Log) -> None:
        self.settings, self.folder, self.log = settings, folder, log
        self.progress = checkpoint.load(folder, settings)
        self.post = Post(grid, log, self.progress.mail)
        self.meeting = Meeting(self.post, settings, self.progress)
        self.held: dict[int, str] = {}  # node -> version of the model that it keeps

    def run(self) -> None:
        """All rounds that are not done yet.

        Raises
        ------
        InputError
            Where there are fewer clients than ``min-clients``.
        """
        done = self.progress.round
        if done:
            left = f"going on with round {done}" if done < self.settings.rounds else "none is left"
            self.log(f"rounds 0 to {done - 1} are there from before; {left}")
        for r in range(done, self.settings.rounds):
            self._round(r)
            self.progress.round = r + 1
            self._write()
        self._write(finished=True)
        self.log(f"finished: {self.settings.rounds} rounds, results in {self.folder}")

    def _round(self, r: int) -> None:
        present = self.meeting.present(r)
        strangers = [c for c in present if self.progress.labels.get(c) not in self.progress.models]
        if self.settings.discovers(r) or strangers:
            present = self._discover(present, r)
        trained = self._train(present, r)
        self._average(trained, r)
        self._evaluate({c: present[c] for c in trained}, r)

    def _ask(
        self,
        kind: str,
        letters: Callable[[int], RecordDict],
        who: dict[int, int],
        r: int,
        timeout: float,
        read: Callable[[int, RecordDict], Any],
    ) -> dict[int, Any]:
        """What the clients in `who` (client -> node) answer, as `read`; the others go to rest."""
        found = self.post.ask(kind, {who[c]: letters(c) for c in sorted(who)}, r, timeout)
        answers = {}
        for client, node in sorted(who.items()):
            if node not in found:  # the post has said why
                self._leave_out(client, node, r)
                continue
            try:
                answers[client] = read(client, found[node])
            except UNREADABLE as problem:
                self.log(f"{kind}: client {client} is left out: {problem}")
                self._leave_out(client, node, r)
        return answers

    def _leave_out(self, client: int, node: int, r: int) -> None:
        self.meeting.rest(client, r)
        self.held.pop(node, None)  # who knows what it has kept

    def _letter(
        self, r: int, arrays: dict[str, np.ndarray] | None = None, **more: Any
    ) -> RecordDict:
        scale = {} if self.progress.scale is None else {"scale": self.progress.scale}
        asked = dict(round=r, run_seed=self.settings.seed, **more)
        return record(asked, **scale, **(arrays or {}))

    def _discover(self, present: dict[int, int], r: int) -> dict[int, int]:
        """Find the federations of those present; return who of them took part to the end."""

        def ask(
            kind: str,
            who: list[int],
            config: dict[str, Any],
            arrays: dict[str, np.ndarray],
            read: Callable[[int, RecordDict], Any],
        ) -> dict[int, Any]:
            letter = self._letter(r, arrays, **config)
            nodes = {c: present[c] for c in who}
            answers = self._ask(
                kind, lambda _: letter, nodes, r, self.settings.timeout_discovery, read
            )
            self.log(f"round {r}: {kind} answered by {len(answers)} of {len(who)} clients")
            self.meeting.enough(answers, f"have answered {kind}")
            return answers

        found = discover_over(ask, sorted(present), self.settings, self.progress.read_shape, r)
        for client, why in found.refused.items():
            self.log(f"round {r}: client {client} is set apart: {why}")
        before, after = self.progress.labels, renamed(self.progress.labels, found.labels)
        for federation in sorted(set(after.values()) - set(self.progress.models)):
            came_from = [before[c] for c, f in after.items() if f == federation and c in before]
            self._found(federation, came_from)
        self.progress.labels = before | after
        named = set(self.progress.labels.values())  # a name that comes back begins anew
        for kept in (self.progress.models, self.progress.versions):
            for federation in set(kept) - named:
                del kept[federation]
        self.progress.discoveries.append(
            dict(
                round=r,
                clients=sorted(after),
                labels=[after[c] for c in sorted(after)],
                novelty=found.novelty.tolist(),
                seconds=found.seconds,
            )
        )
        told = ", ".join(f"client {c} in {after[c]}" for c in sorted(after))
        self.log(f"round {r}: {len(set(after.values()))} federations: {told}")
        return {c: present[c] for c in after}

    def _found(self, federation: int, came_from: list[int]) -> None:
        """A new federation goes on with the model that most of its members had, or starts anew."""
        models, versions = self.progress.models, self.progress.versions
        known = [f for f in came_from if f in models]
        if known:
            most = max(sorted(set(known)), key=known.count)
            models[federation], versions[federation] = dict(models[most]), versions[most]
        else:
            about, shape = self.progress.about, self.progress.sample_shape
            network = build_model(
                self.settings.model, shape, about["n_classes"], self.settings.seed
            )
            models[federation], versions[federation] = copy_state(network.to(device())), ""

    def _with_model(self, client: int, node: int, r: int) -> RecordDict:
        """What a client needs to train or to evaluate: its federation's model, unless it has it.

        A client draws the initial model from the seed, and keeps what it was sent last.
        """
        told = {k.replace("_", "-"): v for k, v in asdict(self.settings).items()}
        federation = self.progress.labels[client]
        version = self.progress.versions[federation]
        kept = version == "" or self.held.get(node) == version
        letter = self._letter(
            r, settings=told, n_classes=self.progress.about["n_classes"], version=version, kept=kept
        )
        self.held[node] = version
        return letter if kept else with_state(letter, self.progress.models[federation])

    def _train(self, present: dict[int, int], r: int) -> dict[int, tuple[State, int]]:
        """Trained model and number of samples of every client that answers in time."""

        def read(client: int, content: RecordDict) -> tuple[State, int]:
            samples = int(content.metric_records["metrics"]["samples"])  # type: ignore[arg-type]
            if samples < 1:
                raise WireError(f"it says it has {samples} samples")
            like = self.progress.models[self.progress.labels[client]]
            return state_of(content, like), samples

        answers = self._ask(
            "train.federation",
            lambda c: self._with_model(c, present[c], r),
            present,
            r,
            self.settings.timeout_training,
            read,
        )
        self.meeting.enough(answers, "have trained")
        return answers

    def _average(self, trained: dict[int, tuple[State, int]], r: int) -> None:
        labels = self.progress.labels
        for federation in sorted({labels[c] for c in trained}):
            members = [trained[c] for c in sorted(trained) if labels[c] == federation]
            states, samples = zip(*members, strict=True)
            together = AGGREGATIONS[self.settings.aggregation]
            self.progress.models[federation] = together(states, samples)
            self.progress.versions[federation] = f"{federation} after round {r}"

    def _evaluate(self, present: dict[int, int], r: int) -> None:
        def read(client: int, content: RecordDict) -> dict[str, float]:
            told = content.metric_records["metrics"]
            return {k: float(told[k]) for k in ("samples", "loss", "accuracy")}  # type: ignore

        answers = self._ask(
            "evaluate.federation",
            lambda c: self._with_model(c, present[c], r),
            present,
            r,
            self.settings.timeout_evaluation,
            read,
        )
        for client, told in answers.items():
            federation = self.progress.labels[client]
            self.progress.history.append(
                dict(round=r, client=client, federation=federation, **told)
            )
        if answers:
            mean = np.mean([told["accuracy"] for told in answers.values()])
            self.log(f"round {r}: {len(answers)} clients, mean accuracy {mean:.3f}")

    def _write(self, finished: bool = False) -> None:
        """Checkpoint and tables; the checkpoint first, for it alone is needed to go on."""
        checkpoint.save(self.folder, self.settings, self.progress)
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
