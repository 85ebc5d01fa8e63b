"""The one loop: assign to federations, train locally, regroup, average within each, evaluate."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import COSTS, Ledger, Stopwatch, nbytes
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.local import LocalTraining, State, copy_state, evaluate_on, outputs
from rndcfl.engine.networks import ModelFactory, build_model, device, multiply_adds
from rndcfl.engine.together import train_clients
from rndcfl.fedavg import AGGREGATIONS
from rndcfl.methods import METHODS, Method, Run
from rndcfl.methods.base import ClientTensors, Tamper

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
        ``"resnet18_imagenet"``, ``"gru"`` (default for text, the next character), or a factory
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
        participation below 1 with a method that needs everybody.
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
    shape, n_classes = clients.input_shape, clients.n_classes

    def new_model(*key: str | int) -> State:
        return copy_state(build_model(model, shape, n_classes, seed, *key).to(device()))

    network = build_model(model, shape, n_classes, seed).to(device())
    data = [_on_device(client) for client in clients]
    run = Run(
        clients,
        data,
        seed,
        training,
        network,
        labels=np.zeros(len(clients), dtype=np.int64),
        models={0: new_model()},
        participants=np.ones(len(clients), dtype=bool),
        new_model=new_model,
        model_cost=multiply_adds(network, shape, data[0].x.dtype),
        tamper=tamper,
    )
    rows, labels = [], []
    each_round = (
        tqdm(range(rounds), desc=method, leave=False, delay=2) if progress else range(rounds)
    )
    for r in each_round:
        if stream is not None and r > 0:
            run.clients = stream.clients(r).with_test(seed=seed)
            run.data = [_on_device(client) for client in run.clients]
        share = 1.0 if chosen.needs_all(r) else participation
        run.participants = _participants(len(clients), share, seed, r)
        _move(run, chosen, chosen.assign(r, run))
        trained = _train(run, chosen, r)
        _move(run, chosen, chosen.regroup(r, run, trained))
        _average(run, trained, aggregation)
        labels.append(run.labels)
        rows += list(_scores(run, method, r))
    scores = pd.DataFrame(rows)
    spent = run.ledger.table.groupby(["round", "client"])[list(COSTS)].sum().reset_index()
    table = scores.merge(spent, on=["round", "client"], how="left")
    counts = [name for name in COSTS if name != "seconds"]
    table[list(COSTS)] = table[list(COSTS)].fillna(0)
    table[counts] = table[counts].astype(np.int64)
    return History(table[list(COLUMNS)], np.stack(labels), run.models, network, run.ledger)


def _method(name: str, params: dict[str, Any]) -> Method:
    kind = METHODS[check_name("method", name, METHODS)]
    known = inspect.signature(kind).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for given in params:
            check_name(f"parameter of method {name!r}", given, known)
    return kind(**params)


def _for_text(clients: Clients, model: str | ModelFactory | None) -> str | ModelFactory | None:
    """The model that was asked for, if it goes with the data: ``"gru"`` with text only."""
    text = clients[0].x.dtype == np.int64
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


def _on_device(client: Client) -> ClientTensors:
    arrays = (client.x, client.y, client.x_test, client.y_test)
    return ClientTensors(*(torch.from_numpy(np.array(a)).to(device()) for a in arrays))


def _move(run: Run, method: Method, labels: np.ndarray) -> None:
    """Put the clients into these federations, each with the model that `method` gives it."""
    labels = labels.astype(np.int64)
    run.models, run.labels = method.models(labels, run), labels


def _train(run: Run, method: Method, r: int) -> dict[int, State]:
    """Every participant trains from its federation's model: client -> trained model."""
    who, watch = list(map(int, np.flatnonzero(run.participants))), Stopwatch()
    with watch.running():
        found = train_clients(
            run.network,
            [run.models[run.labels[i]] for i in who],
            [(run.data[i].x, run.data[i].y) for i in who],
            run.training,
            [numpy_rng(run.seed, "local training", r, i) for i in who],
        )
    total = sum(seen for _, seen in found)
    sizes = np.bincount(run.labels)
    for i, (state, seen) in zip(who, found, strict=True):
        up, down = method.traffic(int(sizes[run.labels[i]]), nbytes(state.values()))
        run.ledger.add(
            "training",
            i,
            r,
            bytes_up=up,
            bytes_down=down,
            multiply_adds=3 * seen * run.model_cost,
            seconds=watch.seconds * seen / total,
        )
    trained = {i: state for i, (state, _) in zip(who, found, strict=True)}
    if run.tamper is None:
        return trained
    starts = {i: run.models[run.labels[i]] for i in who}
    return {i: run.tamper.update(i, starts[i], state) for i, state in trained.items()}


def _average(run: Run, trained: dict[int, State], aggregation: str) -> None:
    """Each federation takes its participants' average; without any it keeps its model."""
    for federation in np.unique(run.labels[list(trained)]):
        members = [i for i in trained if run.labels[i] == federation]
        run.models[federation] = AGGREGATIONS[aggregation](
            [trained[i] for i in members], [len(run.data[i].x) for i in members]
        )


def _participants(n: int, share: float, seed: int, r: int) -> np.ndarray:
    """The clients with the smallest draws, bool [n]; each client's draw is its own."""
    if share == 1:
        return np.ones(n, dtype=bool)
    draws = [numpy_rng(seed, "participation", r, i).random() for i in range(n)]
    return np.argsort(np.argsort(draws)) < max(1, round(share * n))


def _scores(run: Run, method: str, r: int) -> Iterator[dict[str, Any]]:
    scores: dict[int, tuple[float, float]] = {}
    for federation in map(int, np.unique(run.labels)):
        members = np.flatnonzero(run.labels == federation)
        tests = [(run.data[i].x_test, run.data[i].y_test) for i in members]
        found = evaluate_on(run.network, run.models[federation], tests)
        scores |= dict(zip(members, found, strict=True))
    for i, client in enumerate(run.clients):
        loss, accuracy = scores[i]
        yield dict(
            method=method,
            seed=run.seed,
            round=r,
            client=i,
            group=-1 if client.group is None else client.group,
            federation=int(run.labels[i]),
            loss=loss,
            accuracy=accuracy,
        )


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
    """

    table: pd.DataFrame
    labels: np.ndarray
    models: dict[int, State]
    network: nn.Module
    ledger: Ledger

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
