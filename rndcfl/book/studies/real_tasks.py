"""Natural clients as notebook 08 takes and trains them, and what is found among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rndcfl import Ledger, discover, make_clients
from rndcfl.book.studies.real_texts import shown_names
from rndcfl.clients import Clients
from rndcfl.common.metrics import ari, exact
from rndcfl.criteria import Calibrated
from rndcfl.data.catalogue import Dataset, load_dataset
from rndcfl.federations import ProfileDiscovery


@dataclass(frozen=True)
class Task:
    """What is done with the natural clients of a dataset.

    Attributes
    ----------
    dataset : its name.
    taken : what :func:`~rndcfl.make_clients` takes.
    model, rounds, batch_size, lrs : of training, and the learning rates to choose from.
    groups : how many groups IFCA is told.
    effect : smallest distance between two clients that counts.
    metrics : scores; the first chooses the learning rate.
    methods : that are compared.
    """

    dataset: str
    taken: Mapping[str, Any]
    model: str
    rounds: int
    batch_size: int
    lrs: tuple[float, ...]
    groups: int
    effect: float
    metrics: tuple[str, ...]
    methods: tuple[str, ...]

    def clients(self, seed: int) -> Clients:
        """Natural clients of one seed."""
        return make_clients(self.dataset, "natural", seed=seed, **self.taken)

    def group_names(self) -> tuple[str, ...]:
        """Of the natural groups; none where none are known."""
        return _group_names(load_dataset(self.dataset))

    def found(self, seed: int) -> tuple[Clients, ProfileDiscovery]:
        """Clients, and the federations that are found among them."""
        clients = self.clients(seed)
        found = discover(clients, seed=seed, min_effect=self.effect)
        assert isinstance(found, ProfileDiscovery)  # the calibrated criterion's
        return clients, found


def tasks(
    people: int, windows: int, rounds: int, text_rounds: int, people_effect: float
) -> dict[str, Task]:
    """Tasks by dataset; parameters are those of the notebook."""
    numbers = ("local", "global", "ifca", "pacfl", "rnd", "oracle")
    offices = {"n_clients": 12, "samples_per_client": 400, "test_per_client": 100}
    writers = {"n_clients": people, "samples_per_client": windows, "test_per_client": 40}
    bits = ("bits_per_character", "top1", "top3")
    every = [
        Task(
            dataset="heart-disease",
            taken={"n_clients": 12},
            model="mlp",
            rounds=rounds,
            batch_size=16,
            lrs=(0.03, 0.1, 0.3),
            groups=4,
            effect=0.1,
            metrics=("auroc", "accuracy"),
            methods=numbers,
        ),
        Task("digits", offices, "cnn", rounds, 32, (0.1, 0.3), 4, 0.1, ("accuracy",), numbers),
        *(
            Task(name, writers, "gru", text_rounds, 8, (1.0, 3.0), 2, people_effect, bits, methods)
            for name, methods in (
                ("sms", ("local", "global", "ifca", "rnd", "oracle")),
                ("shakespeare", ("local", "global", "ifca", "rnd")),
            )
        ),
    ]
    return {task.dataset: task for task in every}


def resolution_rows(task: Task, seed: int, effects: Sequence[float]) -> Iterator[dict[str, object]]:
    """What each smallest distance gives, and how well that agrees with the groups, where known.

    Yields
    ------
    dict
        dataset, seed, min_effect, federations, detectable, ari, exact.
    """
    clients = task.clients(seed)
    reports, groups = discover(clients, seed=seed).reports, clients.groups
    for effect in effects:
        found = Calibrated(min_effect=effect).judge(reports, Ledger())
        yield {
            "dataset": task.dataset,
            "seed": seed,
            "min_effect": effect,
            "federations": found.n_federations,
            "detectable": float(np.median(found.detectable)),
            "ari": None if groups is None else ari(groups, found.labels),
            "exact": None if groups is None else exact(groups, found.labels),
        }


def distance_rows(task: Task, seed: int) -> pd.DataFrame:
    """Distances of all pairs: dataset, i, j, name_i, group_i, federation_i, distance."""
    clients, found = task.found(seed)
    names = np.array(shown_names(clients, task.group_names()))
    groups = np.full(len(clients), -1) if clients.groups is None else np.array(clients.groups)
    i, j = np.indices(found.distance.shape).reshape(2, -1)
    return pd.DataFrame(
        {
            "dataset": task.dataset,
            "i": i,
            "j": j,
            "name_i": names[i],
            "group_i": groups[i],
            "federation_i": found.labels[i],
            "distance": found.distance[i, j],
        }
    )


def together(task: Task, seeds: Sequence[int]) -> pd.DataFrame:
    """Share of pairs of clients in one federation, by natural group: a square table with names."""
    names = task.group_names()
    total = np.zeros((len(names), len(names)))
    for seed in seeds:
        clients, found = task.found(seed)
        total += pairs_together(np.array(clients.groups), found.labels)
    grid = pd.DataFrame(total / len(seeds), index=list(names), columns=list(names))
    return grid.rename_axis("group").reset_index()


def pairs_together(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of pairs of clients [N] of groups a and b that share a federation, float64 [K, K]."""
    same = labels[:, None] == labels
    np.fill_diagonal(same, False)  # nobody is a pair
    member = (groups == np.unique(groups)[:, None]).astype(float)
    size = member.sum(1)
    pairs = np.outer(size, size) - np.diag(size)
    return member @ same @ member.T / np.maximum(pairs, 1)


def _group_names(data: Dataset) -> tuple[str, ...]:
    return () if data.origin is None else data.origin.group_names
