"""What does training the predictors buy? The same test on functions that were trained, or not.

An arm is what clients are compared by; all are judged by the same criterion on the same clients:

- ``trained``, ``trained_50``, ``trained_20`` : novelty to predictors after 150, 50 and 20 steps;
- ``untrained`` : novelty to predictors as they are drawn;
- ``features`` : the frozen network's own outputs;
- ``linear``, ``fourier``, ``principal`` : as many random projections of the inputs, random Fourier
  features (Rahimi and Recht, NIPS 2007) and principal components of everybody's inputs, which no
  server has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn

from rndcfl.clients import Clients
from rndcfl.common.errors import check_name
from rndcfl.common.ledger import Ledger
from rndcfl.common.metrics import ari, exact, exact_interval
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria import Calibrated
from rndcfl.features import Features
from rndcfl.novelty import Novelty, Profile, exchange
from rndcfl.predictors import RND
from rndcfl.settings.partition import make_clients

PIXELS = ("linear", "fourier", "principal")
ARMS = ("trained", "trained_50", "trained_20", "untrained", "features", *PIXELS)
OUTPUTS = RND().embedding

SKEWS: dict[str, tuple[str, dict[str, Any]]] = {  # those of notebook 02, and weaker ones
    "iid": ("iid", {}),
    "pattern": ("pattern", {"rms": 0.05}),
    "pattern, weak": ("pattern", {"rms": 0.02}),
    "rotation": ("rotation", {}),
    "rotation, weak": ("rotation", {"degrees": 8}),
    "noise": ("noise", {}),
    "noise, weak": ("noise", {"sd": 0.08}),
    "contrast": ("contrast", {}),
    "contrast, weak": ("contrast", {"lowest": 0.85}),
    "classes": ("classes", {}),
    "classes, weak": ("classes", {"strength": 0.3}),
    "dirichlet": ("dirichlet", {"alpha": 0.1}),
    "dirichlet, weak": ("dirichlet", {"alpha": 0.5}),
    "quantity": ("quantity", {}),
}


class Projection(nn.Module):
    """Fixed functions of the flattened inputs: projections, or the cosines of them.

    Parameters
    ----------
    weight : [d, m].
    shift : [m], added before the cosine; None: no cosine.
    """

    def __init__(self, weight: np.ndarray, shift: np.ndarray | None = None) -> None:
        super().__init__()
        self.weight = torch.from_numpy(weight.astype(np.float32))
        self.shift = None if shift is None else torch.from_numpy(shift.astype(np.float32))

    def forward(self, x: Tensor) -> Tensor:
        projected = x.flatten(1) @ self.weight
        return projected if self.shift is None else torch.cos(projected + self.shift)


def projection(arm: str, clients: Clients, seed: int) -> Projection:
    """The functions of one of :data:`PIXELS`; scales are taken from everybody's inputs."""
    x = np.concatenate([client.x.reshape(len(client), -1) for client in clients])
    rng, d = numpy_rng(seed, "projection", arm), x.shape[1]
    if arm == "principal":
        drawn = int(rng.integers(2**31))
        fitted = PCA(OUTPUTS, svd_solver="randomized", random_state=drawn).fit(x)
        return Projection(fitted.components_.T.copy())
    weight = rng.standard_normal((d, OUTPUTS))
    if arm == "linear":
        return Projection(weight / np.sqrt(d))
    pairs = rng.integers(len(x), size=(2, 500))  # the kernel is as wide as samples are apart
    apart = float(np.median(np.linalg.norm(x[pairs[0]] - x[pairs[1]], axis=1)))
    return Projection(weight / apart, rng.uniform(0, 2 * np.pi, OUTPUTS))


def profile_of(arm: str, clients: Clients, seed: int) -> Profile:
    """What clients are compared by in an arm."""
    check_name("arm", arm, ARMS)
    if arm == "features":
        return Features()
    if arm in PIXELS:
        return Features(network=projection(arm, clients, seed))
    if arm == "untrained":  # one step so short that nothing moves
        return Novelty(RND(steps=1, lr=1e-12))
    return Novelty(RND(steps=int(arm.partition("_")[2] or RND.steps)))


def compared(
    clients: Clients, seed: int, arms: Sequence[str] = ARMS, min_effect: float = 0.1
) -> Iterator[dict[str, Any]]:
    """One discovery by each arm: exact, ari, federations, bytes_per_client and seconds."""
    truth = clients.groups
    assert truth is not None
    for arm in arms:
        ledger = Ledger()
        reports = exchange(clients, profile_of(arm, clients, seed), seed, ledger)
        found = Calibrated(min_effect=min_effect).judge(reports, ledger).labels
        cost = ledger.total()
        yield dict(
            arm=arm,
            seed=seed,
            exact=int(exact(truth, found)),
            ari=ari(truth, found),
            federations=len(set(found.tolist())),
            bytes_per_client=(cost["bytes_up"] + cost["bytes_down"]) / len(clients),
            seconds=cost["seconds"],
        )


@dataclass(frozen=True)
class Cases:
    """What the arms are tried on.

    Attributes
    ----------
    datasets, skews : names; skews are those of :data:`SKEWS`, of images only.
    samples : of each client, for images.
    natural : datasets with natural groups -> parameters of their clients, and the smallest effect.
    """

    datasets: Sequence[str]
    skews: Sequence[str]
    samples: Sequence[int]
    natural: Sequence[str] = ()

    def each(self, seed: int) -> Iterator[tuple[dict[str, Any], Clients, float]]:
        """Every case: how it is called, its clients, and the smallest effect that counts."""
        for dataset in self.datasets:
            for skew in self.skews:
                setting, params = SKEWS[skew]
                for n in self.samples:
                    clients = make_clients(
                        dataset, setting, 12, 4, seed, n, test_per_client=1, **params
                    )
                    if min(map(len, clients)) >= 3:  # the smallest clients of quantity may be less
                        yield dict(dataset=dataset, setting=skew, samples=n), clients, 0.1
        for dataset in self.natural:
            params, effect = NATURAL[dataset]
            clients = make_clients(dataset, "natural", seed=seed, **params)
            n = int(np.median([len(client) for client in clients]))
            yield dict(dataset=dataset, setting="natural", samples=n), clients, effect


NATURAL: dict[str, tuple[dict[str, Any], float]] = {
    "heart-disease": (dict(n_clients=12), 0.1),
    "digits": (dict(n_clients=12, samples_per_client=400, test_per_client=100), 0.1),
    "sms": (dict(n_clients=16, samples_per_client=120, test_per_client=40), 0.5),
}


def distillation(cases: Cases, seed: int) -> pd.DataFrame:
    """All arms on all cases with one seed; one row for each."""
    rows: list[dict[str, Any]] = []
    for case, clients, effect in cases.each(seed):
        images = clients.kind == "images"
        arms = ARMS if images else tuple(arm for arm in ARMS if arm not in PIXELS)
        rows += [{**case, **row} for row in compared(clients, seed, arms, effect)]
    return pd.DataFrame(rows)


def best_of_pixels(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with one arm ``pixels`` in place of :data:`PIXELS`: in each case the best of them.

    That favours it: which one is best is not known without the true groups.
    """
    case = ["dataset", "setting", "samples"]
    rows = runs[runs["arm"].isin(PIXELS)]
    score = rows.groupby([*case, "arm"], sort=False)[["exact", "ari"]].mean().reset_index()
    best = score.sort_values(["exact", "ari"]).groupby(case, sort=False).tail(1)
    chosen = rows.merge(best[[*case, "arm"]], on=[*case, "arm"]).assign(arm="pixels")
    return pd.concat([runs[~runs["arm"].isin(PIXELS)], chosen], ignore_index=True)


def arms_table(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per case and arm: seeds, exact with its exact 95 % interval, mean ARI, and costs."""
    case = ["dataset", "setting", "samples", "arm"]
    rows = runs.groupby(case, sort=False).agg(
        seeds=("seed", "nunique"),
        exact=("exact", "mean"),
        right=("exact", "sum"),
        ari_mean=("ari", "mean"),
        bytes_per_client=("bytes_per_client", "mean"),
        seconds=("seconds", "median"),
    )
    spans = [
        exact_interval(int(k), int(n)) for k, n in zip(rows["right"], rows["seeds"], strict=True)
    ]
    rows["exact_low"], rows["exact_high"] = zip(*spans, strict=True)
    return rows.drop(columns=["right"]).reset_index()


def overall(runs: pd.DataFrame) -> pd.DataFrame:
    """Shares of exact runs by arm and samples over all settings of images, with their counts."""
    images = runs[runs["setting"] != "natural"]
    rows = images.groupby(["samples", "arm"], sort=False).agg(
        runs=("exact", "size"),
        right=("exact", "sum"),
        ari=("ari", "mean"),
        seconds=("seconds", "median"),
    )
    return rows.reset_index()
