"""One round of federated averaging over letters: train, average in every federation, evaluate."""

from __future__ import annotations

from typing import Any

import numpy as np

from rndcfl.common.errors import WireError
from rndcfl.engine.local import State
from rndcfl.fedavg import AGGREGATIONS
from rndcfl.protocol.letters import Letter, number_of, state_of
from rndcfl.protocol.meeting import Meeting
from rndcfl.protocol.post import EVALUATE, TRAIN

Trained = dict[int, tuple[State, int]]  # client -> its model, and its number of samples
SCORES = ("samples", "loss", "accuracy")


def train_round(meeting: Meeting, clients: list[int], r: int) -> None:
    """Train and average the models of the federations of `clients`, and evaluate them.

    Raises
    ------
    InputError
        Where too few have trained.
    """
    trained = train(meeting, clients, r)
    average(meeting, trained, r)
    evaluate(meeting, list(trained), r)


def train(meeting: Meeting, clients: list[int], r: int) -> Trained:
    """What every client that answers in time has made of its federation's model."""
    progress = meeting.progress

    def read(client: int, answer: Letter) -> tuple[State, int]:
        samples = int(number_of(answer, "samples"))
        if samples < 1:
            raise WireError(f"it says it has {samples} samples")
        return state_of(answer, progress.models[progress.labels[client]]), samples

    letters = {client: with_model(meeting, client, r) for client in clients}
    answers = meeting.ask(TRAIN, letters, r, meeting.config.timeout_training, read)
    meeting.enough(answers, "have trained")
    return answers


def average(meeting: Meeting, trained: Trained, r: int) -> None:
    """Give every federation the average of its members' models."""
    progress, together = meeting.progress, AGGREGATIONS[meeting.config.aggregation]
    labels = progress.labels
    for federation in sorted({labels[c] for c in trained}):
        members = [trained[c] for c in sorted(trained) if labels[c] == federation]
        states, samples = zip(*members, strict=True)
        progress.models[federation] = together(states, samples)
        progress.versions[federation] = f"{federation} after round {r}"


def evaluate(meeting: Meeting, clients: list[int], r: int) -> None:
    """Enter in the history how each client's federation's model does on its held-out samples."""

    def read(client: int, answer: Letter) -> dict[str, Any]:
        scores = {name: float(number_of(answer, name)) for name in SCORES}
        federation = meeting.progress.labels[client]
        return dict(round=r, client=client, federation=federation, **scores)

    letters = {client: with_model(meeting, client, r) for client in clients}
    answers = meeting.ask(EVALUATE, letters, r, meeting.config.timeout_evaluation, read)
    meeting.progress.history += answers.values()
    if answers:
        mean = np.mean([scores["accuracy"] for scores in answers.values()])
        meeting.log(f"round {r}: {len(answers)} clients, mean accuracy {mean:.3f}")


def with_model(meeting: Meeting, client: int, r: int) -> Letter:
    """What a client needs to train or to evaluate: its federation's model, unless it has it.

    A client draws the initial model from the seed, and keeps what it was sent last.
    """
    progress, node = meeting.progress, meeting.nodes[client]
    federation = progress.labels[client]
    version = progress.versions[federation]
    kept = version == "" or meeting.held.get(node) == version
    meeting.held[node] = version
    letter = meeting.letter(
        r,
        settings=meeting.config.table(),
        n_classes=progress.about["n_classes"],
        version=version,
        kept=kept,
    )
    return letter if kept else letter.with_model(progress.models[federation])
