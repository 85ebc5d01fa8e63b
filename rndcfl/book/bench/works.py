"""The works that `rndcfl bench discovery` has take turns, on the paper's setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from rndcfl.book.bench.naive import naive_novelty
from rndcfl.clients import Clients
from rndcfl.common.errors import check_number
from rndcfl.common.ledger import Ledger, nbytes
from rndcfl.common.seeding import numpy_rng
from rndcfl.data.catalogue import data_files, load_dataset
from rndcfl.discovery import discover
from rndcfl.engine.local import copy_state, evaluate_on
from rndcfl.engine.networks import build_model, device, multiply_adds
from rndcfl.novelty import Novelty, exchange
from rndcfl.predictors import RND, frozen_target, untrained_predictors
from rndcfl.settings.partition import make_clients
from rndcfl.settings.transforms import equidistant_patterns

RMS = 0.15  # of the pattern; the authors' value
K = 4  # models of IFCA, and true groups


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes
    ----------
    dataset : None: CIFAR-10 where it is found, else the bundled one.
    n_clients : the paper: 12.
    samples : images per client; None: all there are, as in the paper.
    naive_samples : images per client on which the authors' order and the same work are timed; both
        take time in proportion to them.
    epochs : of the authors' budget (theirs: 10).
    repeats : rounds in which all works take turns.
    seeds : settings on which the default's recovery is measured.
    images, cifar_images : images per client on which IFCA is timed.
    """

    dataset: str | None = None
    n_clients: int = 12
    samples: int | None = None
    naive_samples: int = 640
    epochs: int = 10
    repeats: int = 2
    seeds: int = 5
    images: int = 100
    cifar_images: int = 8

    def found(self) -> tuple[str, int]:
        """Name of the dataset and images per client."""
        for name in ("naive_samples", "epochs", "repeats", "seeds", "images", "cifar_images"):
            check_number(name, getattr(self, name), 1, whole=True)
        check_number("n_clients", self.n_clients, K, whole=True)
        name = self.dataset or ("cifar10" if data_files("cifar10") else "fashion-mnist-mini")
        most = len(load_dataset(name).x_train) // self.n_clients
        samples = most if self.samples is None else self.samples
        check_number(f"samples (of {name})", samples, 16, most, whole=True)
        return name, samples


class Outcome(NamedTuple):
    """What a work returns.

    Attributes
    ----------
    answer : what it found out.
    multiply_adds : of one discovery, or one round.
    bytes_per_client : sent and received.
    """

    answer: Any
    multiply_adds: int
    bytes_per_client: int


@dataclass(frozen=True, eq=False)
class Works:
    """The works that take turns, each a method without arguments.

    Attributes
    ----------
    sizes : how much.
    several : clients of the paper's setting, for seeds 0, 1, ...
    few : clients of fewer images, of seed 0, for the authors' order and the same work.
    plain : those before the pattern was added.
    """

    sizes: Sizes
    several: list[Clients]
    few: Clients
    plain: Clients

    @classmethod
    def of(cls, sizes: Sizes) -> Works:
        """Share out the images."""
        name, samples = sizes.found()
        few = min(samples, sizes.naive_samples)

        def clients(seed: int, samples: int, rms: float = RMS) -> Clients:
            shared = (sizes.n_clients, K, seed, samples, 1)
            return make_clients(name, "pattern", *shared, rms=rms)

        several = [clients(seed, samples) for seed in range(sizes.seeds)]
        return cls(sizes, several, clients(0, few), clients(0, few, rms=0.0))

    @property
    def clients(self) -> Clients:
        """Those of seed 0."""
        return self.several[0]

    def naive(self) -> Outcome:
        """The authors' evaluation order. Their predictors travel with a copy of the target."""
        shape, rnd, n = self.few.input_shape, self._authors, len(self.few)
        patterns = equidistant_patterns(K, shape, RMS, numpy_rng(0, "patterns"))
        answer = naive_novelty(self.plain, patterns[self.plain.groups], rnd, 0)
        target, predictors = frozen_target(shape, rnd, 0), untrained_predictors(shape, 1, rnd, 0)
        f, g = multiply_adds(target, shape), multiply_adds(predictors.network, shape)
        shown = rnd.steps * rnd.batch_size
        cost = n * (shown * (f + 3 * g) + n * len(self.few[0]) * (f + g))
        sent = n * (predictors.bytes_each + nbytes(target.parameters())) + 8 * n
        return Outcome(answer, round(cost * self.scale("naive")), sent)

    def same_work(self) -> Outcome:
        """The same, computed as :func:`rndcfl.novelty.exchange` does."""
        ledger = Ledger()
        answer = exchange(self.few, Novelty(self._authors, most_peers=0), 0, ledger).novelty
        cost, sent = self._costs(ledger)
        return Outcome(answer, round(cost * self.scale("same_work")), sent)

    def default(self) -> Outcome:
        """A discovery of each seed's clients."""
        found = [discover(clients, seed=seed) for seed, clients in enumerate(self.several)]
        return Outcome([own.labels for own in found], *self._costs(found[0].ledger))

    def features(self) -> Outcome:
        """The same by features: nothing trained."""
        found = [
            discover(clients, seed=seed, by="features") for seed, clients in enumerate(self.several)
        ]
        return Outcome([own.labels for own in found], *self._costs(found[0].ledger))

    def ifca(self) -> Outcome:
        """IFCA's assignment, ImageNet stem, on a sample of images."""
        return self._assignment("resnet18_imagenet", self.sizes.images)

    def ifca_cifar(self) -> Outcome:
        """IFCA's assignment, CIFAR stem, on a smaller sample of images."""
        return self._assignment("resnet18", self.sizes.cifar_images)

    def scale(self, work: str) -> float:
        """Seconds of one whole discovery or round for each second that a work takes."""
        few, sizes, samples = len(self.few[0]), self.sizes, len(self.clients[0])
        timed = dict(naive=few, same_work=few, ifca=sizes.images, ifca_cifar=sizes.cifar_images)
        parts = {k: samples / min(samples, images) for k, images in timed.items()}
        each = 1 / len(self.several)
        return {"default": each, "features": each, **parts}.get(work, 1.0)

    @property
    def _authors(self) -> RND:
        """Networks and budget of the authors' code."""
        return RND.authors(len(self.few[0]), self.sizes.epochs)

    def _assignment(self, model: str, images: int) -> Outcome:
        clients = self.clients
        network = build_model(model, clients.input_shape, clients.n_classes, 0).to(device())
        data = []
        for own in clients:
            assert own.y is not None
            x, y = torch.from_numpy(own.x[:images]), torch.from_numpy(own.y[:images])
            data.append((x.to(device()), y.to(device())))
        state = copy_state(network)
        losses = [[loss for loss, _ in evaluate_on(network, state, data)] for _ in range(K)]
        cost = K * multiply_adds(network, clients.input_shape) * sum(map(len, clients))
        return Outcome(losses, cost, K * nbytes(network.state_dict().values()) + 8)

    def _costs(self, ledger: Ledger) -> tuple[int, int]:
        total = ledger.total()
        sent = (total.bytes_up + total.bytes_down) / len(self.clients)
        return int(total.multiply_adds), int(sent)
