"""What a simulation leaves behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from rndcfl.clients import Clients
from rndcfl.errors import InputError
from rndcfl.fedavg import State, outputs
from rndcfl.ledger import COSTS, Ledger
from rndcfl.networks import device


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
