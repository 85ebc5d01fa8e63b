"""The one loop: assign to federations, train locally, regroup, average within each, evaluate."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import nn

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import COSTS, Ledger
from rndcfl.common.progress import progress as bar
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.local import LocalTraining, State, outputs
from rndcfl.engine.networks import ModelFactory, device
from rndcfl.fedavg import AGGREGATIONS
from rndcfl.methods import METHODS, Method, Run
from rndcfl.methods.run import ClientTensors, Tamper

COLUMNS = ("method", "seed", "round", "client", "group", "federation", "loss", "accuracy", *COSTS)


class Stream(Protocol):
    """Clients whose data change from round to round."""

    def clients(self, round: int) -> Clients:
        """The same clients, in the same order, with their data of a round."""


def simulate(
    clients: Clients | Stream,
    method: str,
    rounds: int,
    model: str | ModelFactory | None = None,
    seed: int = 0,
    lr: float = 0.1,
    local_epochs: int = 1,
    local_steps: int | None = None,
    batch_size: int | None = 32,
    participation: float = 1.0,
    aggregation: str = "mean",
    tamper: Tamper | None = None,
    progress: bool = True,
    **method_params: Any,
) -> History:
    """Train `clients` for `rounds` rounds with one method.

    Parameters
    ----------
    clients : with labels; where there is no test data, a fifth of each client's is held out. Or a
        stream of them, such as :class:`rndcfl.Drift`, asked for the clients of every round.
    method : one of :data:`rndcfl.METHODS`.
    rounds : communication rounds.
    model : ``"mlp"`` (default, one hidden layer of 200), ``"cnn"``, ``"resnet18"`` (CIFAR stem),
        ``"resnet18_imagenet"``, ``"conv1d"`` (for series), ``"gru"`` (default for text, the next
        character), or a factory
        ``(shape, n_classes) -> torch.nn.Module``.
    seed : everything random derives from it.
    lr, local_epochs, local_steps, batch_size : local SGD, see
        :class:`~rndcfl.engine.local.LocalTraining`; ``batch_size=None`` is full batch.
    participation : share of the clients that take part in a round, at least one.
    aggregation : of a federation's models: ``"mean"`` (FedAvg), or ``"median"`` or ``"trimmed"``
        mean, which a minority of bad ones cannot move (:mod:`rndcfl.fedavg`).
    tamper : clients that do not send what they should, such as
        :class:`rndcfl.hostile.Attackers`, to see what happens.
    progress : show a progress bar if it takes more than two seconds.
    **method_params : the method's own parameters, e.g. ``recluster_every`` for ``rnd``.

    Returns
    -------
    History

    Raises
    ------
    InputError
        For unknown names or parameters, values out of range, clients without labels, or a
        participation below 1 with a method that needs all clients.
    """
    chosen = _method(method, method_params)
    check_number("rounds", rounds, 1, whole=True)
    check_number("seed", seed, 0, whole=True)
    check_number("participation", participation, 1e-9, 1.0)
    check_name("aggregation", aggregation, AGGREGATIONS)
    training = LocalTraining(lr, local_epochs, local_steps, batch_size)
    stream = None if isinstance(clients, Clients) else clients
    clients = clients if isinstance(clients, Clients) else clients.clients(0)
    model = _for_text(clients, model)
    clients = clients.with_test(seed=seed)
    chosen.check(clients)
    if stream is not None and not chosen.streams:
        raise InputError(f"method {method!r} needs data that stay; give clients, not a stream")
    if participation < 1 and not chosen.sampling:
        raise InputError(
            f"method {method!r} needs all clients in every round: participation must be 1, "
            f"got {participation!r}"
        )
    run = Run.start(clients, model, seed, training, tamper)
    rows, labels = [], []
    turns = bar(range(rounds), method) if progress else range(rounds)
    for r in turns:
        if stream is not None and r > 0:
            run.clients = stream.clients(r).with_test(seed=seed)
            run.data = [ClientTensors.of(client) for client in run.clients]
        share = 1.0 if chosen.needs_all(r) else participation
        run.participants = _participants(len(clients), share, seed, r)
        _move(run, chosen, chosen.assign(r, run))
        trained = run.train(r, chosen.traffic)
        _move(run, chosen, chosen.regroup(r, run, trained))
        run.average(trained, aggregation)
        labels.append(run.labels)
        rows += list(run.scores(method, r))
    table = _table(rows, run.ledger)
    state = np.stack(labels), run.models, run.network, run.ledger
    return History(table, *state, classes=clients.classes)


def _method(name: str, params: dict[str, Any]) -> Method:
    kind = METHODS[check_name("method", name, METHODS)]
    known = inspect.signature(kind).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for given in params:
            check_name(f"parameter of method {name!r}", given, known)
    return kind(**params)


def _for_text(clients: Clients, model: str | ModelFactory | None) -> str | ModelFactory | None:
    """The requested model, if it suits the data: ``"gru"`` with text only."""
    text = clients.kind == "text"
    if callable(model) or (not text and model != "gru"):
        return model
    if not text or model not in (None, "gru"):
        needs = (
            "text [n, length] needs model 'gru'" if text else "model 'gru' needs text; take 'mlp'"
        )
        raise InputError(f"{needs} or your own, got {model!r}")
    if any(client.y is not None and client.y.ndim == 1 for client in clients):
        raise InputError(
            "model 'gru' predicts a label at each place, y [n, length]; give a model of your own "
            "for one label per text"
        )
    for i, client in enumerate(clients):
        lowest = min(x.min() for x in (client.x, client.x_test) if x is not None)
        if lowest < 0:
            raise InputError(f"client {i}: text must be numbers from 0, got {lowest}")
    return "gru"


def _move(run: Run, method: Method, labels: np.ndarray) -> None:
    """Put the clients into these federations, each with the model that `method` gives it."""
    labels = labels.astype(np.int64)
    run.models, run.labels = method.models(labels, run), labels


def _participants(n: int, share: float, seed: int, r: int) -> np.ndarray:
    """The clients with the smallest draws, bool [n]; each client's draw is its own."""
    if share == 1:
        return np.ones(n, dtype=bool)
    draws = [numpy_rng(seed, "participation", r, i).random() for i in range(n)]
    return np.argsort(np.argsort(draws)) < max(1, round(share * n))


def _table(rows: list[dict[str, Any]], ledger: Ledger) -> pd.DataFrame:
    """Scores of all clients in every round, and what they have cost."""
    spent = ledger.table.groupby(["round", "client"])[list(COSTS)].sum().reset_index()
    table = pd.DataFrame(rows).merge(spent, on=["round", "client"], how="left")
    counts = [name for name in COSTS if name != "seconds"]
    table[list(COSTS)] = table[list(COSTS)].fillna(0)
    table[counts] = table[counts].astype(np.int64)
    return table[list(COLUMNS)]


@dataclass(frozen=True, eq=False)
class History:
    """What :func:`rndcfl.simulate` returns.

    Attributes
    ----------
    table : tidy, one row per round and client: method, seed, round, client, group, federation,
        loss, accuracy (both of the round's averaged model on the client's held-out data), bytes_up,
        bytes_down, multiply_adds, seconds.
    labels : federation of each client in each round, int64 [rounds, N].
    models : federation -> final model.
    network : the task's architecture, to load a model into.
    ledger : costs by phase, round and client.
    classes : names of the classes that the models' outputs stand for, where they are not the
        numbers.
    """

    table: pd.DataFrame
    labels: np.ndarray
    models: dict[int, State]
    network: nn.Module
    ledger: Ledger
    classes: tuple[Any, ...] = ()

    def final(self) -> pd.DataFrame:
        """The last round's rows, one per client; costs are summed over all rounds."""
        last = self.table[self.table["round"] == self.table["round"].max()]
        costs = self.table.groupby("client")[list(COSTS)].sum().reset_index()
        return last.drop(columns=list(COSTS)).merge(costs, on="client")

    def outputs(self, clients: Clients) -> list[np.ndarray]:
        """Logits of each client's final model on its test data, for scores of your own.

        Parameters
        ----------
        clients : those that were simulated, with test data.

        Returns
        -------
        list of float32 [n_i, classes], for text [n_i, length, classes]

        Raises
        ------
        InputError
            For another number of clients, or one without test data.
        """
        if len(clients) != self.labels.shape[1] or any(c.x_test is None for c in clients):
            raise InputError(
                f"{self.labels.shape[1]} clients with test data expected, got {len(clients)}"
                "; give those that were simulated, made with_test()"
            )
        states = [self.models[int(federation)] for federation in self.labels[-1]]
        return [
            outputs(self.network, state, torch.tensor(c.x_test).to(device())).cpu().numpy()
            for state, c in zip(states, clients, strict=True)
        ]
