"""The one loop: assign clients to federations, train locally, average within each, evaluate."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from rndcfl.clients import Client, Clients
from rndcfl.errors import check_name, check_number
from rndcfl.fedavg import LocalTraining, State, average, copy_state, evaluate, train_locally
from rndcfl.ledger import COSTS, Ledger, Stopwatch, nbytes
from rndcfl.methods import METHODS, Method, Run
from rndcfl.networks import ModelFactory, build_model, device, multiply_adds
from rndcfl.seeding import numpy_rng

COLUMNS = (
    "method", "seed", "round", "client", "group", "federation", "loss", "accuracy", *COSTS
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class History:
    """What :func:`simulate` returns.

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


def simulate(
    clients: Clients,
    method: str,
    rounds: int,
    model: str | ModelFactory | None = None,
    seed: int = 0,
    lr: float = 0.1,
    local_epochs: int = 1,
    local_steps: int | None = None,
    batch_size: int | None = 32,
    participation: float = 1.0,
    progress: bool = True,
    **method_params: Any,
) -> History:
    """Train `clients` for `rounds` rounds with one method.

    Parameters
    ----------
    clients : with labels; where there is no test data, a fifth of each client's is held out.
    method : one of :data:`rndcfl.METHODS`.
    rounds : communication rounds.
    model : ``"mlp"`` (default, one hidden layer of 200), ``"cnn"``, ``"resnet18"`` (CIFAR stem),
        ``"resnet18_imagenet"``, or a factory ``(shape, n_classes) -> torch.nn.Module``.
    seed : everything random derives from it.
    lr, local_epochs, local_steps, batch_size : local SGD, see
        :class:`~rndcfl.fedavg.LocalTraining`; ``batch_size=None`` is full batch.
    participation : share of each federation's clients that train in a round, at least one.
    progress : show a progress bar if it takes more than two seconds.
    **method_params : the method's own parameters, e.g. ``recluster_every`` for ``rnd``.

    Returns
    -------
    History

    Raises
    ------
    InputError
        For unknown names or parameters, values out of range, or clients without labels.
    """
    chosen = _method(method, method_params)
    check_number("rounds", rounds, 1, whole=True)
    check_number("seed", seed, 0, whole=True)
    check_number("participation", participation, 1e-9, 1.0)
    training = LocalTraining(lr, local_epochs, local_steps, batch_size)
    clients = clients.with_test(seed=seed)
    chosen.check(clients)
    network = build_model(model, clients.input_shape, clients.n_classes, seed).to(device())
    run = Run(
        clients, seed, training, network,
        labels=np.zeros(len(clients), dtype=np.int64), models={0: copy_state(network)},
    )  # fmt: skip
    data = [_on_device(client) for client in clients]
    cost = multiply_adds(network, clients.input_shape)
    rows, labels = [], []
    each_round = (
        tqdm(range(rounds), desc=method, leave=False, delay=2) if progress else range(rounds)
    )
    for r in each_round:
        run.regroup(np.asarray(chosen.assign(r, run), dtype=np.int64))
        _train_round(run, data, r, participation, cost)
        labels.append(run.labels)
        rows += list(_scores(run, data, method, r))
    scores = pd.DataFrame(rows)
    spent = run.ledger.table.groupby(["round", "client"])[list(COSTS)].sum().reset_index()
    table = scores.merge(spent, on=["round", "client"], how="left")
    table[list(COSTS)] = table[list(COSTS)].fillna(0)
    return History(table[list(COLUMNS)], np.stack(labels), run.models, network, run.ledger)


def _method(name: str, params: dict[str, Any]) -> Method:
    kind = METHODS[check_name("method", name, METHODS)]
    known = inspect.signature(kind).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for given in params:
            check_name(f"parameter of method {name!r}", given, known)
    return kind(**params)


@dataclass(frozen=True)
class _Tensors:
    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


def _on_device(client: Client) -> _Tensors:
    arrays = (client.x, client.y, client.x_test, client.y_test)
    return _Tensors(*(torch.from_numpy(np.array(a)).to(device()) for a in arrays))


def _train_round(run: Run, data: list[_Tensors], r: int, participation: float, cost: int) -> None:
    """Each federation: its participants train from its model, then it takes their average."""
    for federation, members in _federations(run.labels):
        start = run.models[federation]
        trained, weights = [], []
        for i in _participants(members, participation, run.seed, r):
            watch = Stopwatch()
            with watch.running():
                rng = numpy_rng(run.seed, "local training", r, i)
                state, seen = train_locally(
                    run.network, start, data[i].x, data[i].y, run.training, rng
                )
            trained.append(state)
            weights.append(len(data[i].x))
            # A client alone in its federation has nobody to average with and sends nothing.
            sent = nbytes(state.values()) if len(members) > 1 else 0
            run.ledger.add(
                "training", i, r, bytes_up=sent, bytes_down=sent,
                multiply_adds=3 * seen * cost, seconds=watch.seconds,
            )  # fmt: skip
        run.models[federation] = average(trained, weights)


def _federations(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for federation in np.unique(labels):
        yield int(federation), np.flatnonzero(labels == federation)


def _participants(members: np.ndarray, share: float, seed: int, r: int) -> list[int]:
    """The members with the smallest draws, each client's draw being its own."""
    draws = [numpy_rng(seed, "participation", r, int(i)).random() for i in members]
    count = max(1, round(share * len(members)))
    return sorted(int(members[k]) for k in np.argsort(draws)[:count])


def _scores(run: Run, data: list[_Tensors], method: str, r: int) -> Iterator[dict[str, Any]]:
    for i, client in enumerate(run.clients):
        federation = int(run.labels[i])
        loss, accuracy = evaluate(
            run.network, run.models[federation], data[i].x_test, data[i].y_test
        )
        yield dict(
            method=method, seed=run.seed, round=r, client=i,
            group=-1 if client.group is None else client.group,
            federation=federation, loss=loss, accuracy=accuracy,
        )  # fmt: skip
