"""Features: clients are compared by the outputs of a frozen network; nobody trains.

Nothing in the two-sample test (:mod:`rndcfl.twosample`) needs functions that were trained. Here
l(x) = f(x), the outputs of the shared frozen network itself: random features of x (Rahimi and
Recht, NIPS 2007), whose means tell distributions apart as those of a kernel do (Gretton et al.,
JMLR 13, 2012). A client evaluates the network once per sample and sends one report; nothing passes
from client to client, so that time and traffic are linear in the number of clients. What training
the predictors buys beside it is the question of notebook 06.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError
from rndcfl.common.ledger import SEED_BYTES, Ledger, Stopwatch
from rndcfl.common.progress import progress
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.networks import device, multiply_adds
from rndcfl.predictors import RND, embed, frozen_target, used_order, used_samples
from rndcfl.reports import Report, Reports

LEAST = 2  # samples of a client; a variance needs two
OF_TRAINING = ("predictor", "steps", "batch_size", "lr", "train_share")  # of RND, and of no use


@dataclass(frozen=True)
class Features:
    """Clients are compared by the outputs of a frozen network on their samples.

    Parameters
    ----------
    rnd : its `target`, `embedding` and `downsample` are the network that is drawn from the seed;
        of a client's samples `max_samples` are looked at. Nothing else of it counts.
    labels : let the network see labels beside the inputs
        (:func:`~rndcfl.engine.inputs.with_labels`).
    network : a frozen network that all clients have, in place of the seed's: any module that maps
        inputs as they are, [n, \\*shape], to [n, outputs], such as a public pre-trained one. Of
        more than `embedding` outputs as many random combinations are taken.
    """

    rnd: RND = field(default_factory=RND)
    labels: bool = False
    network: nn.Module | None = None

    held_out = True  # no sample has trained the network

    def scored(self, n: int) -> int:
        """How many of a client's `n` samples it looks at."""
        return self.rnd.n_used(n)

    def prepare(self, clients: Sequence[Client], seed: int, ledger: Ledger) -> tuple[Frozen, Any]:
        """The functions that all share, and the clients, who come one by one."""
        classes = clients.n_classes if self.labels and isinstance(clients, Clients) else None
        return self.frozen(clients[0], seed, classes), clients

    def reports(
        self, shared: Frozen, held_out: Sequence[Client], seed: int, ledger: Ledger
    ) -> Reports:
        """Everybody's mean and covariance of the outputs."""
        every = progress(range(len(held_out)), "clients")
        rows = (shared.report(held_out[i], i, ledger) for i in every)
        return Reports.of(rows, len(held_out), shared.peers, most=np.inf)

    def frozen(self, example: Client, seed: int, n_classes: int | None = None) -> Frozen:
        """The functions that clients with data like `example` share.

        Raises
        ------
        InputError
            For a network of one's own that does not map [n, \\*shape] to [n, outputs].
        """
        one = Client(example.x[:1], None if example.y is None else example.y[:1])
        if self.network is None:
            shape = tuple(used_samples(one, 0, self.rnd, seed, n_classes).shape[1:])
            network = frozen_target(shape, self.rnd, seed)
            m = self.rnd.embedding
            return Frozen(network, self.rnd, seed, shape, torch.float32, m, n_classes)
        network = deepcopy(self.network).requires_grad_(False).eval().to(device())
        outputs = _outputs(network, torch.from_numpy(one.x).to(device()))
        about = tuple(one.x.shape[1:]), torch.from_numpy(one.x).dtype
        most, mixed = self.rnd.embedding, None
        if outputs > most:
            drawn = numpy_rng(seed, "mixed").standard_normal((outputs, most)) / np.sqrt(outputs)
            mixed = torch.from_numpy(drawn.astype(np.float32)).to(device())
        return Frozen(network, self.rnd, seed, *about, min(outputs, most), own=True, mixed=mixed)


@dataclass(frozen=True, eq=False)
class Frozen:
    """The functions l(x) that all clients share: a frozen network's outputs.

    Attributes
    ----------
    network : the network; nothing changes it.
    rnd, seed : of the clients' samples.
    shape, dtype : of one sample as the network reads it.
    m : how many functions.
    n_classes : of the labels that it sees, or None.
    own : whether it is the user's, and reads inputs as they are.
    mixed : random combinations of its outputs that are taken instead, [outputs, m], or None.
    """

    network: nn.Module
    rnd: RND
    seed: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    m: int
    n_classes: int | None = None
    own: bool = False
    mixed: Tensor | None = None

    def outputs(self, client: Client, i: int) -> np.ndarray:
        """Their values on client i's samples, float64 [m, n].

        Raises
        ------
        InputError
            Where they are not finite.
        """
        if self.own:
            picked = used_order(len(client), i, self.rnd, self.seed)
            x = torch.from_numpy(client.x[picked]).to(device())
        else:
            x = used_samples(client, i, self.rnd, self.seed, self.n_classes)
        found = self._values(x)
        if not np.isfinite(found).all():
            raise InputError(f"network gives NaN or infinite outputs on client {i}'s samples")
        return found

    def _values(self, x: Tensor) -> np.ndarray:
        found = embed(self.network, x)
        return (found if self.mixed is None else found @ self.mixed).double().cpu().numpy().T

    def at(self, value: float) -> np.ndarray:
        """Their values on an input that is `value` everywhere, which all can calculate, [m]."""
        x = torch.full((1, *self.shape), value, dtype=self.dtype, device=device())
        return self._values(x)[:, 0]

    def report(
        self,
        client: Client,
        i: int,
        ledger: Ledger,
        phase: str = "features",
        make: Callable[[np.ndarray], Report] = Report.of,
    ) -> Report:
        """Client i's report, and in the ledger what it costs.

        `make` : makes it of the functions' values on the client's samples, [m, n].
        """
        watch = Stopwatch()
        with watch.running():
            made = make(self.outputs(client, i))
        ledger.add(
            f"discovery/{phase}",
            i,
            bytes_up=made.n_bytes,
            bytes_down=SEED_BYTES,
            multiply_adds=made.samples * self.cost,
            seconds=watch.seconds,
        )
        return made

    @cached_property
    def cost(self) -> int:
        """Multiply-adds of one sample."""
        return multiply_adds(self.network, self.shape, self.dtype)

    @property
    def peers(self) -> np.ndarray:
        """The functions are nobody's, int64 [m] of -1."""
        return np.full(self.m, -1)


def _outputs(network: nn.Module, x: Tensor) -> int:
    """How many outputs a user's network has."""
    try:
        found = embed(network, x)
    except Exception as problem:
        shape = list(x.shape)
        raise InputError(f"network does not take samples of shape {shape}: {problem}") from None
    if found.ndim != 2 or len(found) != len(x):
        raise InputError(f"network must map [n, ...] to [n, outputs], got {list(found.shape)}")
    return int(found.shape[1])
