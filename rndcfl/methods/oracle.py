"""Oracle: FedAvg within the true groups. The ceiling for methods that have to find them."""

from __future__ import annotations

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.criteria.linkage import in_order_of_appearance
from rndcfl.methods.base import Method
from rndcfl.methods.run import Run


class Oracle(Method):
    """The federations are the true groups; needs clients whose groups are known."""

    def check(self, clients: Clients) -> None:
        if clients.groups is None:
            raise InputError("method 'oracle' needs clients whose true groups are known")

    def assign(self, round: int, run: Run) -> np.ndarray:
        groups = run.clients.groups
        assert groups is not None
        return in_order_of_appearance(groups)
