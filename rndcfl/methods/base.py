"""The one question every method answers: who averages with whom this round?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from rndcfl.clients import Clients
from rndcfl.fedavg import LocalTraining, State
from rndcfl.ledger import Ledger


@dataclass
class Run:
    """The state of a simulation, as methods see it.

    Attributes
    ----------
    clients : the clients, all with test data.
    seed : everything random derives from it.
    network : a model of the task's architecture, to load states into.
    labels : federation of each client, int64 [N].
    models : federation -> its model.
    ledger : the costs so far.
    """

    clients: Clients
    seed: int
    training: LocalTraining
    network: nn.Module
    labels: np.ndarray
    models: dict[int, State]
    ledger: Ledger = field(default_factory=Ledger)

    def regroup(self, labels: np.ndarray) -> None:
        """Move to new federations; each takes over the model that most of its members had."""
        models = {}
        for new in np.unique(labels):
            before = self.labels[labels == new]
            models[int(new)] = self.models[int(np.bincount(before).argmax())]
        self.labels, self.models = labels, models


class Method(ABC):
    """A method of (clustered) federated learning; its parameters are those of its constructor.

    The simulation calls :meth:`assign` at the start of every round. A federation that appears
    starts from the model that most of its members had; one that stays keeps its model.
    """

    def check(self, clients: Clients) -> None:
        """Raise :class:`~rndcfl.errors.InputError` if the method cannot run on `clients`."""
        return None

    @abstractmethod
    def assign(self, round: int, run: Run) -> np.ndarray:
        """Federation of each client in this round, int64 [N].

        Parameters
        ----------
        round : 0, 1, ...
        run : the state of the simulation; costs of the assignment go into its ledger.
        """
