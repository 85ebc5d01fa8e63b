"""Local training of many clients at once, to the result of one after the other.

Clients share no weights, so that a step on the sum of their losses is a step of each on its own:
weights are stacked, and every layer is one product for all (:mod:`rndcfl.engine.stacked`).

A linear first layer is the largest matrix of a small model, and it need not be touched at every
step. With X the client's samples [n, d] and D the gradients with respect to the layer's outputs,
a step adds -lr D^T X to its weights W. So they stay at W + M^T X, with M [n, hidden] the sum of
all -lr D, and the outputs on X are

    X (W + M^T X)^T = X W^T + (X X^T) M

A client with few samples computes X W^T and X X^T once, steps on M alone, and builds its weights
at the end. In exact arithmetic nothing changes, in float32 the rounding does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rndcfl.common.ledger import nbytes
from rndcfl.engine.local import LocalTraining, State, train_locally
from rndcfl.engine.stacked import forward, side_by_side, stackable

CHUNK = 16  # clients at once; more are not faster once a CPU's caches are full
LARGE = 2**23  # bytes of a model from which on one client keeps the processor busy

Batches = list[np.ndarray]  # of one client: the samples of each step


def train_clients(
    model: nn.Module,
    starts: Sequence[State],
    data: Sequence[tuple[Tensor, Tensor]],
    training: LocalTraining,
    rngs: Sequence[np.random.Generator],
) -> list[tuple[State, int]]:
    """What :func:`~rndcfl.engine.local.train_locally` gives for each client, up to rounding.

    Models that :func:`~rndcfl.engine.stacked.stackable` does not know, and large ones, are trained
    one client after the other.

    Parameters
    ----------
    model : a model of the right architecture; its own weights may be overwritten.
    starts : where each client starts from; not changed.
    data : each client's samples [n, \\*shape] and labels [n].
    training : how.
    rngs : each client's own generator.

    Returns
    -------
    For each client (state, n_seen): the trained model, and how many samples it was shown.
    """
    if len(starts) < 2 or not stackable(model) or nbytes(starts[0].values()) >= LARGE:
        return [
            train_locally(model, start, x, y, training, rng)
            for start, (x, y), rng in zip(starts, data, rngs, strict=True)
        ]
    batches = [training.batches(len(y), rng) for (_, y), rng in zip(data, rngs, strict=True)]
    trained: dict[int, State] = {}
    seen: dict[int, int] = {}
    models = [seen.setdefault(id(start), len(seen)) for start in starts]  # numbers from 0 on
    alike = np.lexsort((models, [len(y) for _, y in data]))
    for some in np.split(alike, range(CHUNK, len(alike), CHUNK)):
        found = _train(
            model,
            [starts[i] for i in some],
            [data[i] for i in some],
            [batches[i] for i in some],
            training.lr,
        )
        trained |= dict(zip(map(int, some), found, strict=True))
    return [(trained[i], sum(map(len, batches[i]))) for i in range(len(starts))]


def _train(
    network: nn.Sequential,
    starts: list[State],
    data: list[tuple[Tensor, Tensor]],
    batches: list[Batches],
    lr: float,
) -> list[State]:
    """Train a few clients together; each state is a slice of the stack."""
    x, y = _filled([x for x, _ in data]), _filled([y for _, y in data])
    first, images = None, isinstance(network[0], nn.Conv2d)
    if not images:
        x, network = x.flatten(2), network if isinstance(network[0], nn.Linear) else _rest(network)
        name, layer = next(network.named_children())
        assert isinstance(layer, nn.Linear)
        if y.shape[1] <= min(layer.in_features, 2 * layer.out_features):  # as measured
            first, network = _FirstLayer(name, starts, x), _rest(network)
    rest = network.state_dict()
    weights = {name: torch.stack([start[name] for start in starts]) for name in rest}
    rows = torch.arange(len(x), device=x.device)[:, None]
    for w in weights.values():
        w.requires_grad_()
    for step in range(max(map(len, batches))):
        index, share = (t.to(x.device) for t in _step(batches, step, filler=x.shape[1] - 1))
        inputs = first.outputs(rows, index) if first else x[rows, index]
        output = forward(network, weights, side_by_side(list(inputs)) if images else inputs)
        losses = F.cross_entropy(output.flatten(0, 1), y[rows, index].flatten(), reduction="none")
        wanted = [*weights.values(), *([inputs] if first else [])]
        gradients = list(torch.autograd.grad((losses * share.flatten()).sum(), wanted))
        with torch.no_grad():
            if first:
                *gradients, moving = gradients
                first.step(rows, index, moving, lr)
            for w, gradient in zip(weights.values(), gradients, strict=True):
                w.sub_(gradient, alpha=lr)
    if first:
        weights |= first.weights()
    return [{name: weights[name][i].detach() for name in starts[i]} for i in range(len(starts))]


def _rest(network: nn.Sequential) -> nn.Sequential:
    """All layers but the first, under the names they had."""
    return nn.Sequential(OrderedDict(list(network.named_children())[1:]))


def _filled(parts: list[Tensor]) -> Tensor:
    """Stack samples of clients of unlike sizes, filled up with zeros, and at least one of them."""
    filled = parts[0].new_zeros(len(parts), 1 + max(map(len, parts)), *parts[0].shape[1:])
    for row, part in zip(filled, parts, strict=True):
        row[: len(part)] = part
    return filled


def _step(batches: list[Batches], step: int, filler: int) -> tuple[Tensor, Tensor]:
    """Samples of each client's batch number `step`, and the weight of each in its client's loss.

    Short batches are filled up with a sample of weight zero; who has finished has only those.
    """
    own = [b[step] if step < len(b) else b[0][:0] for b in batches]
    index = np.full((len(own), max(map(len, own))), filler)
    share = np.zeros(index.shape, np.float32)
    for i, batch in enumerate(own):
        index[i, : len(batch)] = batch
        share[i, : len(batch)] = 1 / max(1, len(batch))
    return torch.from_numpy(index), torch.from_numpy(share)


class _FirstLayer:
    """Linear layers [clients, hidden, d] on samples [clients, n, d], moved within their span."""

    def __init__(self, name: str, starts: list[State], x: Tensor) -> None:
        self.names, self.x = (f"{name}.weight", f"{name}.bias"), x
        weights, biases = ([start[name] for start in starts] for name in self.names)
        if all(start is starts[0] for start in starts):  # one product for all, and no copies
            self.start = F.linear(x, weights[0], biases[0])
            self.weight, self.bias = weights[0].expand(len(x), -1, -1), biases[0]
        else:
            self.weight, self.bias = torch.stack(weights), torch.stack(biases)
            self.start = torch.baddbmm(self.bias[:, None], x, self.weight.mT)
        self.gram = torch.bmm(x, x.mT) + 1  # a bias is the weight of an input of 1
        self.moved = torch.zeros_like(self.start)

    def outputs(self, rows: Tensor, index: Tensor) -> Tensor:
        """The layers' outputs on some samples, to differentiate by."""
        start, gram = self.start[rows, index], self.gram[rows, index]
        return torch.baddbmm(start, gram, self.moved).requires_grad_()

    def step(self, rows: Tensor, index: Tensor, gradient: Tensor, lr: float) -> None:
        """Step on the samples that :meth:`outputs` was asked for."""
        self.moved[rows, index] -= lr * gradient

    def weights(self) -> dict[str, Tensor]:
        """Where the layers have moved to, by name."""
        weight = torch.baddbmm(self.weight, self.moved.mT, self.x)
        return dict(zip(self.names, (weight, self.bias + self.moved.sum(1)), strict=True))
