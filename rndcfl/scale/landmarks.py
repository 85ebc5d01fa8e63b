"""Discovery among thousands: everybody is looked at through the same few predictors.

A few clients drawn at random, the *landmarks*, train a predictor; these go to everybody. A client
scores them on its samples and reports the profile of :mod:`rndcfl.twosample`. Its traffic and its
work do not depend on how many clients there are, and the server compares clients with federations
instead of all with all (:mod:`rndcfl.scale.grouping`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from torch import Tensor, nn
from tqdm import tqdm

from rndcfl.clients import Client
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.discovery import MIN_SAMPLES
from rndcfl.engine.networks import multiply_adds
from rndcfl.novelty import (
    MAX_PROFILE,
    NUMBER,
    SEED_BYTES,
    check_characters,
    embed,
    fit,
    profile_peers,
    report_row,
    used_samples,
)
from rndcfl.predictors import RND, frozen_target, squared_errors
from rndcfl.scale.grouping import Profiles, group_profiles, n_tests
from rndcfl.twosample import detectable

SERVER = -1  # in the ledger
CHUNK = 256  # samples that the target sees at a time


@dataclass(frozen=True, eq=False, repr=False)
class ScaleDiscovery:
    """What :func:`discover_at_scale` found.

    Attributes
    ----------
    labels : federation of each client, int64 [N], numbered in order of first appearance.
    landmarks : clients whose predictors went to everybody, int64 [m].
    profiles : what all clients reported.
    alpha, min_effect : as given.
    ledger : bytes, multiply-adds and seconds of the discovery.
    """

    labels: np.ndarray
    landmarks: np.ndarray
    profiles: Profiles
    alpha: float
    min_effect: float
    ledger: Ledger

    @property
    def n_federations(self) -> int:
        """Number of federations found."""
        return int(self.labels.max()) + 1

    @property
    def detectable(self) -> float:
        """The smallest distance at which two typical clients would be told apart.

        With probability .8, for clients of the median number of samples; later clients meet whole
        federations and are told from them at less.
        """
        n, level = self.profiles.samples, self.alpha / n_tests(len(self.labels))
        typical = np.array([int(np.median(n))])
        return float(detectable(typical, typical, len(self.landmarks), level, self.min_effect)[0])

    def __repr__(self) -> str:
        return (
            f"ScaleDiscovery({self.n_federations} federations of {len(self.labels)} clients, "
            f"{len(self.landmarks)} landmarks, would miss distances below {self.detectable:.2f})"
        )


def discover_at_scale(
    clients: Sequence[Client],
    landmarks: int = 32,
    seed: int = 0,
    *,
    alpha: float = 0.01,
    min_effect: float = 0.1,
    rnd: RND | None = None,
    **budget: Any,
) -> ScaleDiscovery:
    """Group many clients whose data look alike, each seen through the same few predictors.

    Up to `landmarks` clients this is :func:`rndcfl.discover` with the calibrated criterion.

    Parameters
    ----------
    clients : who takes part; :class:`rndcfl.Clients`, or any sequence that makes a client when it
        is asked for it, such as :class:`rndcfl.scale.lazy_clients.Drawn`. Only inputs are looked
        at.
    landmarks : m, predictors that everybody scores. They are drawn at random; more of them see
        more differences, and a report grows with m^2 / 2.
    seed : of the target, the landmarks and everything else that is random.
    alpha : probability of splitting off anybody when all clients are alike.
    min_effect : smallest distance that counts, in standard deviations of a sample's log errors.
    rnd : networks and budget; default ``RND()``.
    **budget : single fields of :class:`~rndcfl.predictors.RND`, e.g. ``steps=300``.

    Returns
    -------
    ScaleDiscovery

    Raises
    ------
    InputError
        For unknown names, values out of range, clients of different shapes or with too few samples.

    Examples
    --------
    >>> from rndcfl import discover_at_scale, load_dataset
    >>> from rndcfl.scale.lazy_clients import Drawn, symmetries
    >>> clients = Drawn(symmetries(load_dataset()), n_clients=100, samples=200)
    >>> discover_at_scale(clients).n_federations
    8
    """
    rnd = _checked(clients, landmarks, seed, alpha, min_effect, rnd, budget)
    ledger = Ledger()
    owners = profile_peers(len(clients), seed, landmarks)
    profiles = _reports(clients, owners, rnd, seed, ledger)
    watch = Stopwatch()
    with watch.running():
        labels = group_profiles(profiles, owners, alpha, min_effect)
    ledger.add("discovery/grouping", SERVER, seconds=watch.seconds)
    return ScaleDiscovery(labels, owners, profiles, alpha, min_effect, ledger)


def _reports(
    clients: Sequence[Client], owners: np.ndarray, rnd: RND, seed: int, ledger: Ledger
) -> Profiles:
    """Landmarks train; then one client after the other scores them, and is let go of again."""
    predictors, held_out = fit(clients, rnd, seed, ledger, only=owners.tolist())
    kept = dict(zip(owners.tolist(), held_out, strict=True))
    shape, m = tuple(held_out[0][0].shape[1:]), len(owners)
    target = frozen_target(shape, rnd, seed)
    costs = multiply_adds(target, shape), m * multiply_adds(predictors.network, shape)
    n = len(clients)
    samples, mean = np.empty(n, dtype=np.int64), np.empty((n, m))
    covariance = np.empty((n, m, m))
    for i in tqdm(range(n), desc="clients", leave=False, delay=2):
        watch, mine = Stopwatch(), i in kept
        with watch.running():
            x, wanted = kept[i] if mine else _look(clients[i], i, rnd, seed, target)
            errors = squared_errors(predictors, x, wanted)
            _, mean[i], covariance[i] = report_row(errors, np.arange(m))
        samples[i] = len(x)
        ledger.add(
            "discovery/novelty",
            i,
            bytes_up=NUMBER * (1 + m + m * (m + 1) // 2),
            bytes_down=(m - mine) * predictors.bytes_each + (0 if mine else SEED_BYTES),
            multiply_adds=len(x) * (costs[1] + (0 if mine else costs[0])),
            seconds=watch.seconds,
        )
    return Profiles(samples, mean, covariance)


def _look(client: Client, i: int, rnd: RND, seed: int, target: nn.Module) -> tuple[Tensor, Tensor]:
    """All samples of a client that trains nothing, and the target's outputs on them."""
    x = used_samples(client, i, rnd, seed, seed)
    return x, embed(target, x, CHUNK)


def _checked(
    clients: Sequence[Client],
    landmarks: int,
    seed: int,
    alpha: float,
    min_effect: float,
    rnd: RND | None,
    budget: dict[str, Any],
) -> RND:
    """Check what was given before any work; return the budget."""
    check_number("landmarks", landmarks, 2, MAX_PROFILE, whole=True)
    check_number("seed", seed, 0, whole=True)
    check_number("alpha", alpha, 1e-12, 0.5)
    check_number("min_effect", min_effect, 0.0, 100.0)
    known = ("alpha", "min_effect", "landmarks", "rnd", *(f.name for f in fields(RND)))
    for name in budget:
        check_name("parameter of discover_at_scale", name, known)
    rnd = replace(rnd or RND(), **budget)
    rnd.check()
    if rnd.train_share >= 1:
        raise InputError("landmarks score on held-out samples; take train_share < 1")
    if not len(clients):
        raise InputError("no clients given")
    shape = clients[0].x.shape[1:]
    for i, client in enumerate(clients):
        if client.x.dtype == np.int64:
            check_characters(i, client.x)
        if client.x.shape[1:] != shape:
            raise InputError(f"client {i} has samples of shape {client.x.shape[1:]}, not {shape}")
        if len(client) < MIN_SAMPLES or rnd.n_scored(len(client)) < 2:
            raise InputError(
                f"client {i} has {len(client)} samples; at least {MIN_SAMPLES} are needed, and "
                "two of them left to score"
            )
    return rnd
