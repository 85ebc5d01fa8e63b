"""Rounds of FedAvg and IFCA: clients trained one after the other, and together.

Three ways to the same round:

- ``batched``: :func:`rndcfl.simulate` as it is, clients trained together
(:mod:`rndcfl.engine.together`).
- ``loop``: the same call, with a model that is trained one client after the other.
- ``authors``: IFCA's round as its authors' code writes it: for each client in turn, k passes
  forward one by one, then its steps (https://github.com/jichan3751/ifca, train_cluster_mnist.py).

Each client draws its samples on its own, so that any dataset serves any number of clients and an
image may be with several. FedAvg: one epoch in batches of 32. IFCA: 10 full-batch steps, as in its
paper, with k = 4. Images of the four groups are turned by 0, 90, 180 and 270 degrees.

How much faster ``batched`` can be is bounded by arithmetic: with 50 samples of 784 values, k passes
to choose a model and 10 steps cost the loop 3.3 times what they cost :mod:`rndcfl.engine.together`.
The rest is the overhead of small calls, and cores that a single client cannot keep busy.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from rndcfl.book.bench.timing import Timed, alternate, matrix_product_gflops
from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError
from rndcfl.common.seeding import numpy_rng
from rndcfl.data.catalogue import Dataset
from rndcfl.engine.local import State, copy_state
from rndcfl.engine.networks import Shape, build_model, device, mlp
from rndcfl.simulation import History, simulate

K, LR, TEST = 4, 0.1, 10


class OneByOne(nn.Sequential):
    """``nn.Sequential`` under another name, so that clients are trained one after the other."""


def one_by_one(shape: Shape, n_classes: int) -> nn.Module:
    """The model ``"mlp"`` with the same initial weights."""
    return OneByOne(*mlp(shape, n_classes).children())


def turned_clients(dataset: Dataset, n: int, samples: int, seed: int = 0) -> Clients:
    """`n` clients of `samples` images each, client i's turned i % 4 times."""
    if samples > len(dataset.x_train):
        raise InputError(f"{dataset.name} has {len(dataset.x_train)} images, asked for {samples}")
    members = []
    for i in range(n):
        rng = numpy_rng(seed, "bench rounds", i)
        own = rng.choice(len(dataset.x_train), samples, replace=False)
        test = rng.choice(len(dataset.x_test), TEST, replace=False)
        x, x_test = (
            np.rot90(images, i % K, (2, 3)).copy()
            for images in (dataset.x_train[own], dataset.x_test[test])
        )
        members.append(Client(x, dataset.y_train[own], x_test, dataset.y_test[test], i % K))
    return Clients(tuple(members), dataset.n_classes, dataset.name, "rotation")


@dataclass(frozen=True)
class MethodRounds:
    """One method's rounds on given clients."""

    method: str
    clients: Clients
    rounds: int
    steps: int = 10

    def simulated(self, model: Any) -> History:
        """All rounds by :func:`rndcfl.simulate`, its setting up included."""
        how: dict[str, Any] = dict(n_clusters=K, local_steps=self.steps, batch_size=None)
        return simulate(
            self.clients,
            self.method,
            self.rounds,
            model,
            lr=LR,
            progress=False,
            **(how if self.method == "ifca" else {}),
        )

    def authors(self) -> list[State]:
        """All rounds of IFCA as its authors' code computes them; test images once per round."""
        shape, n_classes = self.clients.input_shape, self.clients.n_classes
        models = [build_model(None, shape, n_classes, 0, "ifca", k).to(device()) for k in range(K)]
        arrays = [(c.x, c.y, c.x_test, c.y_test) for c in self.clients]
        data = [[torch.tensor(a, device=device()) for a in own] for own in arrays]
        for _ in range(self.rounds):
            losses = [[F.cross_entropy(m(x), y).item() for m in models] for x, y, *_ in data]
            choice, trained = np.argmin(losses, axis=1), []
            for (x, y, *_), k in zip(data, choice, strict=True):
                model = copy.deepcopy(models[k])
                for _ in range(self.steps):
                    loss = F.cross_entropy(model(x), y)
                    model.zero_grad()
                    loss.backward()
                    for p in model.parameters():
                        assert p.grad is not None
                        p.data -= LR * p.grad
                trained.append(model)
            for k in set(choice.tolist()):
                members = [model for model, c in zip(trained, choice, strict=True) if c == k]
                for p, *own in zip(
                    models[k].parameters(), *(m.parameters() for m in members), strict=True
                ):
                    total = torch.zeros_like(p.data)
                    for q in own:
                        total += q.data
                    p.data = total / len(own)
            for (*_, x, y), k in zip(data, choice, strict=True):
                F.cross_entropy(models[k](x), y).item()
        return [copy_state(model) for model in models]


def difference(a: dict[int, State], b: dict[int, State]) -> float:
    """Largest distance of a tensor of `a` to that of `b`, relative to the length of the latter."""
    return max(float((a[f][name] - w).norm() / w.norm()) for f in b for name, w in b[f].items())


def measure(method: str, clients: Clients, repeats: int, rounds: int) -> dict[str, Any]:
    """Seconds per round of each way, how they compare, and whether they lead to the same models."""
    own = MethodRounds({"fedavg": "global"}.get(method, method), clients, rounds)
    ways: dict[str, Any] = {
        "batched": lambda: own.simulated("mlp"),
        "loop": lambda: own.simulated(one_by_one),
    }
    if method == "ifca":
        ways["authors"] = own.authors
    timed = alternate({f"{method} {len(clients)} {way}": run for way, run in ways.items()}, repeats)
    found: dict[str, Timed] = dict(zip(ways, timed.values(), strict=True))
    together, alone = found["batched"].value, found["loop"].value
    work = 2 * together.ledger.total().multiply_adds / rounds / 1e9
    row: dict[str, Any] = dict(method=method, clients=len(clients), samples=len(clients[0]))
    for way, timing in found.items():
        seconds = np.array(timing.seconds) / rounds
        row |= {
            way: float(np.median(seconds)),
            f"{way}_all": seconds.tolist(),
            f"{way}_gflops": work / float(np.median(seconds)),
        }
        if way != "batched":
            ratios = seconds / (np.array(found["batched"].seconds) / rounds)
            row |= {
                f"{way}_over_batched": float(np.median(ratios)),
                f"{way}_over_batched_all": ratios.tolist(),
            }
    row["difference"] = difference(together.models, alone.models)
    row["same_choices"] = float((together.labels == alone.labels).mean())
    return row


def bench_rounds(
    clients: tuple[int, ...], samples: int, repeats: int, rounds: int, dataset: Dataset
) -> dict[str, Any]:
    """Measure FedAvg and IFCA for each number of clients.

    Returns
    -------
    What was asked for; ``gflops``, this machine's speed in one large matrix product; ``rows``, see
    :func:`measure`; and the ratios by name, e.g. ``ifca_loop_over_batched_1200``.
    """
    rows = [
        measure(method, turned_clients(dataset, n, samples), repeats, rounds)
        for n in clients
        for method in ("fedavg", "ifca")
    ]
    ratios = {
        f"{row['method']}_{way}_over_batched_{row['clients']}": row[f"{way}_over_batched"]
        for row in rows
        for way in ("loop", "authors")
        if way in row
    }
    return dict(
        **ratios,
        dataset=dataset.name,
        samples=samples,
        rounds=rounds,
        repeats=repeats,
        threads=torch.get_num_threads(),
        gflops=matrix_product_gflops(),
        rows=rows,
    )
