"""IFCA's own experiments (Ghosh et al., arXiv 2006.04088), at their size.

With the paper's 1200 clients of 200 images, images are turned when they are needed and trained
models are added up as they come, so that memory holds a few clients at a time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import ari
from rndcfl.common.seeding import numpy_rng
from rndcfl.data.catalogue import Dataset
from rndcfl.engine.local import LocalTraining, State, copy_state, evaluate_on
from rndcfl.engine.networks import build_model
from rndcfl.engine.together import CHUNK, train_clients

# --- rotated MNIST ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rotated:
    """Images shared out to clients of `samples` images, all of one client turned alike.

    Every rotation has all images once, so that there are 4 * len(images) // samples clients.
    """

    images: Tensor  # float32 [n, h, w]
    labels: Tensor  # int64 [n]
    order: Tensor  # int64 [clients, samples], which images a client holds
    groups: np.ndarray  # quarter turns of each client [clients]

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, samples: int, seed: int, part: str) -> Rotated:
        """Share out images [n, 1, h, w] in an order that depends on `seed` and `part`."""
        per_turn = len(x) // samples
        if per_turn < 1:
            raise InputError(f"{len(x)} {part} images do not suffice for a client of {samples}")
        orders = [numpy_rng(seed, "rotated", part, k).permutation(len(x)) for k in range(4)]
        cut = [o[: per_turn * samples].reshape(per_turn, samples) for o in orders]
        order = torch.from_numpy(np.concatenate(cut))
        groups = np.repeat(np.arange(4), per_turn)
        return cls(torch.tensor(x[:, 0]), torch.tensor(y), order, groups)

    def data(self, members: np.ndarray) -> list[tuple[Tensor, Tensor]]:
        """Samples [samples, d] and labels [samples] of some clients."""
        return [
            (torch.rot90(self.images[own], int(turns), (1, 2)).flatten(1), self.labels[own])
            for own, turns in zip(self.order[members], self.groups[members], strict=True)
        ]


def best_of(
    network: nn.Module, models: list[State], data: list[tuple[Tensor, Tensor]]
) -> tuple[np.ndarray, np.ndarray]:
    """For each client the model of least loss on its data, and that model's accuracy."""
    scores = np.array([evaluate_on(network, model, data) for model in models])  # [k, clients, 2]
    choice = scores[:, :, 0].argmin(0)
    return choice, scores[choice, np.arange(len(data)), 1]


def ifca_rotated(
    dataset: Dataset,
    seed: int,
    rounds: int,
    images: int | None = None,
    samples: int = 200,
    steps: int = 10,
    lr: float = 0.1,
    chunk: int = CHUNK,
) -> pd.DataFrame:
    """IFCA with k = 4 on images turned by 0, 90, 180 and 270 degrees, the paper's experiment.

    All clients take part, each cluster takes the plain average, and an empty cluster keeps its
    model. Test clients hold test images as training clients hold training images, and
    take the model of least loss on them.

    Parameters
    ----------
    dataset : of square images with one channel.
    seed : everything random derives from it.
    rounds : communication rounds.
    images : training images used per rotation; None: all. 60,000 images with 200 samples are the
        paper's 1200 clients. Test images are always all: MNIST's first are harder than its last.
    samples, steps, lr : images per client, full-batch steps per round, learning rate (the paper's).
    chunk : clients computed at once.

    Returns
    -------
    One row per round: round, accuracy (test), ari (choices of the training clients against their
    rotations), clients, seconds.
    """
    x_test, y_test = dataset.x_test, dataset.y_test
    train = Rotated.of(dataset.x_train[:images], dataset.y_train[:images], samples, seed, "train")
    test = Rotated.of(x_test, y_test, min(samples, len(x_test)), seed, "test")
    d = train.images[0].numel()
    networks = [build_model("mlp", (d,), dataset.n_classes, seed, "ifca", k) for k in range(4)]
    network, models = networks[0], [copy_state(model) for model in networks]
    training = LocalTraining(lr, local_steps=steps, batch_size=None)
    rows = []
    for r in range(rounds):
        start, choices = time.perf_counter(), []
        sums = [{name: torch.zeros_like(w) for name, w in model.items()} for model in models]
        for members in _chunks(train, chunk):
            data = train.data(members)
            choice, _ = best_of(network, models, data)
            rngs = [numpy_rng(seed, "local training", r, i) for i in members]
            trained = train_clients(network, [models[k] for k in choice], data, training, rngs)
            for k, (state, _) in zip(choice, trained, strict=True):
                for name, total in sums[k].items():
                    total += state[name]
            choices.append(choice)
        labels = np.concatenate(choices)
        members_of = np.bincount(labels, minlength=4).tolist()
        models = [
            {name: t / count for name, t in total.items()} if count else model
            for model, total, count in zip(models, sums, members_of, strict=True)
        ]
        right = np.concatenate(
            [best_of(network, models, test.data(m))[1] for m in _chunks(test, chunk)]
        )
        rows.append(
            dict(
                round=r,
                accuracy=float(right.mean()),
                ari=ari(train.groups, labels),
                clients=len(labels),
                seconds=time.perf_counter() - start,
            )
        )
    return pd.DataFrame(rows)


def _chunks(data: Rotated, size: int) -> list[np.ndarray]:
    return np.split(np.arange(len(data.groups)), range(size, len(data.groups), size))


# --- linear regression --------------------------------------------------------------------------


def ifca_regression(
    m: int,
    n: int,
    d: int = 1000,
    p: int = 4,
    sigma: float = 0.1,
    rounds: int = 200,
    lr: float = 0.3,
    seed: int = 0,
) -> float:
    """Distance of IFCA's parameters to the true ones in mixed linear regression, in units of sigma.

    m clients in p groups hold n samples y = <theta, x> + sigma * noise each, with standard normal
    x [n, d]. True parameters, and independently of them initial ones, are vectors of fair zeros and
    ones scaled to length 1. Each round a client joins the parameter of least squared error, and
    each cluster takes one gradient step on the average of its members' losses.

    Returns
    -------
    Mean over the p estimates of the distance to the nearest true parameter / sigma. The paper calls
    a run a success below 0.6. Least squares on the m * n / p = N samples of a group would be at
    about sqrt(d / (N - d)), so that N has to be at least about 3.8 d.
    """
    rng = numpy_rng(seed, "ifca regression")

    def drawn() -> Tensor:
        coins = rng.integers(0, 2, (p, d)).astype(np.float32)
        return torch.from_numpy(coins / np.linalg.norm(coins, axis=1, keepdims=True))

    true, theta = drawn(), drawn()
    x = torch.from_numpy(rng.standard_normal((m, n, d), dtype=np.float32))
    noise = torch.from_numpy(rng.standard_normal((m, n), dtype=np.float32))
    y = (x @ true[torch.arange(m) % p][:, :, None])[:, :, 0] + sigma * noise
    for _ in range(rounds):
        errors = x @ theta.T - y[:, :, None]  # [m, n, p]
        choice = errors.square().mean(1).argmin(1)
        own = errors[torch.arange(m), :, choice]  # [m, n]
        gradients = torch.einsum("mnd,mn->md", x, own) / n
        for k in range(p):
            if (choice == k).any():
                theta[k] -= lr * gradients[choice == k].mean(0)
    return float(torch.cdist(theta, true).min(1).values.mean() / sigma)
