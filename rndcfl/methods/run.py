"""A simulation's state as methods see it, and the steps of a round that all methods share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from rndcfl.clients import Client, Clients
from rndcfl.common.ledger import Ledger, Stopwatch, nbytes
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.local import LocalTraining, State, copy_state, evaluate_on
from rndcfl.engine.networks import ModelFactory, build_model, device, multiply_adds
from rndcfl.engine.together import train_clients
from rndcfl.fedavg import AGGREGATIONS
from rndcfl.novelty import Tamper as TamperDiscovery

Traffic = Callable[[int, int], tuple[int, int]]  # see Method.traffic


@dataclass(frozen=True)
class ClientTensors:
    """One client's data on the device: x [n, \\*shape], y [n], and the same to test with."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor

    @classmethod
    def of(cls, client: Client) -> ClientTensors:
        """A client's arrays on the device; it has labels and test data."""
        arrays = (client.x, client.y, client.x_test, client.y_test)
        return cls(*(torch.from_numpy(np.array(a)).to(device()) for a in arrays))


class Tamper(TamperDiscovery, Protocol):
    """Clients that do not send what they should, in discovery and in training."""

    def update(self, i: int, start: State, trained: State) -> State:
        """The model that client i sends in place of the one it has `trained` from `start`."""


@dataclass
class Run:
    """The state of a simulation, as methods see it.

    Attributes
    ----------
    clients : the clients, all with test data.
    data : the same as tensors on the device.
    seed : everything random derives from it.
    training : what clients do locally.
    network : a model of the task's architecture, to load states into.
    labels : federation of each client, int64 [N].
    models : federation -> its model.
    participants : clients that take part in the current round, bool [N].
    new_model : ``new_model(*key)`` gives initial weights of the stream named by the seed and `key`.
    model_cost : multiply-adds of one pass forward for one sample.
    tamper : which clients do not send what they should, if any.
    ledger : the costs so far.
    """

    clients: Clients
    data: list[ClientTensors]
    seed: int
    training: LocalTraining
    network: nn.Module
    labels: np.ndarray
    models: dict[int, State]
    participants: np.ndarray
    new_model: Callable[..., State]
    model_cost: int
    tamper: Tamper | None = None
    ledger: Ledger = field(default_factory=Ledger)

    @classmethod
    def start(
        cls,
        clients: Clients,
        model: str | ModelFactory | None,
        seed: int,
        training: LocalTraining,
        tamper: Tamper | None,
    ) -> Run:
        """Before the first round: all in one federation, with one model drawn from `seed`."""
        shape, n_classes = clients.input_shape, clients.n_classes

        def new_model(*key: str | int) -> State:
            return copy_state(build_model(model, shape, n_classes, seed, *key).to(device()))

        network = build_model(model, shape, n_classes, seed).to(device())
        data = [ClientTensors.of(client) for client in clients]
        return cls(
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

    def train(self, round: int, traffic: Traffic) -> dict[int, State]:
        """Every participant trains from its federation's model: client -> trained model."""
        who, watch = list(map(int, np.flatnonzero(self.participants))), Stopwatch()
        with watch.running():
            found = train_clients(
                self.network,
                [self.models[self.labels[i]] for i in who],
                [(self.data[i].x, self.data[i].y) for i in who],
                self.training,
                [numpy_rng(self.seed, "local training", round, i) for i in who],
            )
        total = sum(seen for _, seen in found)
        sizes = np.bincount(self.labels)
        for i, (state, seen) in zip(who, found, strict=True):
            up, down = traffic(int(sizes[self.labels[i]]), nbytes(state.values()))
            self.ledger.add(
                "training",
                i,
                round,
                bytes_up=up,
                bytes_down=down,
                multiply_adds=3 * seen * self.model_cost,
                seconds=watch.seconds * seen / total,
            )
        trained = {i: state for i, (state, _) in zip(who, found, strict=True)}
        if self.tamper is None:
            return trained
        starts = {i: self.models[self.labels[i]] for i in who}
        return {i: self.tamper.update(i, starts[i], state) for i, state in trained.items()}

    def average(self, trained: dict[int, State], aggregation: str) -> None:
        """Each federation takes its participants' average; without any it keeps its model."""
        for federation in np.unique(self.labels[list(trained)]):
            members = [i for i in trained if self.labels[i] == federation]
            self.models[federation] = AGGREGATIONS[aggregation](
                [trained[i] for i in members], [len(self.data[i].x) for i in members]
            )

    def scores(self, method: str, round: int) -> Iterator[dict[str, Any]]:
        """Loss and accuracy of each client with its federation's model, a row per client."""
        scores: dict[int, tuple[float, float]] = {}
        for federation in map(int, np.unique(self.labels)):
            members = np.flatnonzero(self.labels == federation)
            tests = [(self.data[i].x_test, self.data[i].y_test) for i in members]
            found = evaluate_on(self.network, self.models[federation], tests)
            scores |= dict(zip(members, found, strict=True))
        for i, client in enumerate(self.clients):
            loss, accuracy = scores[i]
            yield dict(
                method=method,
                seed=self.seed,
                round=round,
                client=i,
                group=-1 if client.group is None else client.group,
                federation=int(self.labels[i]),
                loss=loss,
                accuracy=accuracy,
            )
