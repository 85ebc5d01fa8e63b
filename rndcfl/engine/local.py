"""Local training: what a client does with its model in a round, and how well that does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rndcfl.common.errors import check_number
from rndcfl.common.seeding import torch_seeded

State = dict[str, Tensor]  # a model as it travels: parameters and buffers by name


@dataclass(frozen=True)
class LocalTraining:
    """What a client does with its model in one round: plain SGD.

    Attributes
    ----------
    lr : learning rate.
    local_epochs : passes over the client's samples.
    local_steps : if given, that many batches instead of whole epochs.
    batch_size : None takes all samples at once (full batch). A last batch of a single sample joins
        the one before.
    """

    lr: float = 0.1
    local_epochs: int = 1
    local_steps: int | None = None
    batch_size: int | None = 32

    def __post_init__(self) -> None:
        check_number("lr", self.lr, 0.0)
        check_number("local_epochs", self.local_epochs, 1, whole=True)
        if self.local_steps is not None:
            check_number("local_steps", self.local_steps, 1, whole=True)
        if self.batch_size is not None:
            check_number("batch_size", self.batch_size, 1, whole=True)

    def batches(self, n: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Index batches of one round for a client of `n` samples."""
        size = n if self.batch_size is None else min(self.batch_size, n)
        per_epoch = -(-n // size) - (n > size > 1 and n % size == 1)
        steps = self.local_epochs * per_epoch if self.local_steps is None else self.local_steps
        epochs = -(-steps // per_epoch)
        if size == n:
            return [np.arange(n)] * steps
        orders = (rng.permutation(n) for _ in range(epochs))
        cuts = [k for k in range(size, n, size) if k != n - 1]  # a batch of one breaks BatchNorm
        return [batch for order in orders for batch in np.split(order, cuts)][:steps]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy (nats) of logits [..., classes] for labels [...] but ignored ones."""
    return F.cross_entropy(logits.flatten(0, -2), y.flatten())


def copy_state(model: nn.Module) -> State:
    """The model's parameters and buffers, detached from it."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def train_locally(
    model: nn.Module,
    start: State,
    x: Tensor,
    y: Tensor,
    training: LocalTraining,
    rng: np.random.Generator,
) -> tuple[State, int]:
    """Train from `start` on one client's samples.

    Parameters
    ----------
    model : a model of the right architecture; its own weights are overwritten.
    start : where to start from; not changed.
    x, y : samples [n, \\*shape] and labels [n], or [n, length] for text.
    training : how.
    rng : of the order of samples and of the model's own randomness (dropout).

    Returns
    -------
    (state, n_seen) : the trained model, and how many samples it was shown.
    """
    model.load_state_dict(start)
    model.train()
    parameters = list(model.parameters())
    batches = training.batches(len(x), rng)
    with torch_seeded(int(rng.integers(2**62))):
        for batch in batches:
            index = torch.from_numpy(batch).to(x.device)
            model.zero_grad()
            cross_entropy(model(x[index]), y[index]).backward()
            with torch.no_grad():
                for p in parameters:
                    if p.grad is not None:
                        p.add_(p.grad, alpha=-training.lr)
    return copy_state(model), sum(map(len, batches))


def outputs(model: nn.Module, state: State, x: Tensor) -> Tensor:
    """Logits of a model for samples [n, \\*shape]: [n, classes], or [n, length, classes]."""
    return _logits(model, state, [x])


def _logits(model: nn.Module, state: State, parts: Sequence[Tensor]) -> Tensor:
    """Logits for the samples of several clients, one after the other, some 512 in each pass."""
    passes = np.flatnonzero(np.diff(np.cumsum([len(x) for x in parts]) // 512)) + 1
    model.load_state_dict(state)
    model.eval()
    with torch.inference_mode():
        found = []
        for some in np.split(np.arange(len(parts)), passes):
            found += [model(x) for x in torch.cat([parts[i] for i in some]).split(512)]
        return torch.cat(found)


def evaluate(model: nn.Module, state: State, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy of a model on samples [n, \\*shape]."""
    return evaluate_on(model, state, [(x, y)])[0]


def evaluate_on(
    model: nn.Module, state: State, data: Iterable[tuple[Tensor, Tensor]]
) -> list[tuple[float, float]]:
    """The same on the data (x, y) of each of several clients, in one pass over all of them."""
    data = list(data)
    if not data:
        return []
    sizes = [len(y) for _, y in data]
    logits = _logits(model, state, [x for x, _ in data])
    with torch.inference_mode():
        y = torch.cat([y for _, y in data])
        losses = F.cross_entropy(logits.flatten(0, -2), y.flatten(), reduction="none").view(y.shape)
        each = torch.stack([losses.double(), (logits.argmax(-1) == y).double(), (y >= 0).double()])
        scores = each.flatten(2).sum(2) if y.ndim == 2 else each  # text: over its places
    sums = np.add.reduceat(scores.cpu().numpy(), np.cumsum([0, *sizes[:-1]]), axis=1)
    return [(float(loss / asked), float(right / asked)) for loss, right, asked in sums.T]
