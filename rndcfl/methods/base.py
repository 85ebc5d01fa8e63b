"""The one question every method answers: who averages with whom this round?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from rndcfl.clients import Clients
from rndcfl.engine.local import State
from rndcfl.methods.run import Run


class Method(ABC):
    """A method of (clustered) federated learning; its parameters are those of its constructor.

    A round of the simulation: :meth:`assign`, local training, :meth:`regroup`, average. After both
    answers :meth:`models` gives the model that each federation continues with. What clients send
    and compute to find their federations goes into the ledger under ``discovery/...``; what the
    server computes (clustering a matrix) is not charged.

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
        """The model each federation of `labels` continues with.

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

        By default its model up and the average down; a client alone has no other to average with.
        """
        return (model_bytes, model_bytes) if members > 1 else (0, 0)
