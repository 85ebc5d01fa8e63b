"""The one question every method answers: who averages with whom this round?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
from torch import Tensor, nn

from rndcfl.clients import Clients
from rndcfl.common.ledger import Ledger
from rndcfl.discovery import Tamper as TamperDiscovery
from rndcfl.engine.local import LocalTraining, State


@dataclass(frozen=True)
class ClientTensors:
    """One client's data on the device: x [n, \\*shape], y [n], and the same to test with."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


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
    tamper : who does not send what it should, if anybody.
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


class Method(ABC):
    """A method of (clustered) federated learning; its parameters are those of its constructor.

    A round of the simulation: :meth:`assign`, local training, :meth:`regroup`, average. After both
    answers :meth:`models` says which model each federation goes on with. What clients send and
    compute to find their federations goes into the ledger under ``discovery/...``; what the server
    computes (clustering a matrix) is not charged.

    Attributes
    ----------
    sampling : whether a share of the clients may sit out a round (``participation < 1``).
    streams : whether clients' data may change from round to round.
    """

    sampling: ClassVar[bool] = True
    streams: ClassVar[bool] = True

    def check(self, clients: Clients) -> None:
        """Raise :class:`~rndcfl.common.errors.InputError` if the method cannot run on `clients`."""
        return None

    def needs_all(self, round: int) -> bool:
        """Whether all clients take part in this round, whatever the share that usually does."""
        return False

    @abstractmethod
    def assign(self, round: int, run: Run) -> np.ndarray:
        """Federation of each client in this round, int64 [N].

        Parameters
        ----------
        round : 0, 1, ...
        run : the state of the simulation; costs of the assignment go into its ledger.
        """

    def regroup(self, round: int, run: Run, trained: dict[int, State]) -> np.ndarray:
        """Federation of each client after local training, int64 [N]: who averages with whom.

        By default nothing changes.

        Parameters
        ----------
        round : 0, 1, ...
        run : the state of the simulation; its models are those that training started from.
        trained : participant -> the model it has trained.
        """
        return run.labels

    def models(self, labels: np.ndarray, run: Run) -> dict[int, State]:
        """The model each federation of `labels` goes on with.

        By default the one that most of its members had: a federation that stays keeps its model,
        one that splits off takes a copy along.
        """
        inherited = {}
        for new in np.unique(labels):
            before = run.labels[labels == new]
            inherited[int(new)] = run.models[int(np.bincount(before).argmax())]
        return inherited

    def traffic(self, members: int, model_bytes: int) -> tuple[int, int]:
        """Bytes a participant sends and receives for training in a federation of `members`.

        By default its model up and the average down; a client alone has nobody to average with.
        """
        return (model_bytes, model_bytes) if members > 1 else (0, 0)
