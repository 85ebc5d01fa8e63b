"""Discovery among thousands: all clients are compared through the same few predictors.

A few clients drawn at random, the *landmarks*, train a predictor; these go to all clients. A client
scores them on its samples and reports the profile of :mod:`rndcfl.twosample`. Its traffic and its
work do not depend on how many clients there are, and the server compares clients with federations
instead of all with all (:mod:`rndcfl.scale.grouping`). By features there is nothing to exchange,
and no landmarks are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from rndcfl.clients import Client
from rndcfl.common.errors import InputError, check_name, check_number, notice
from rndcfl.common.ledger import SEED_BYTES, Ledger, Stopwatch
from rndcfl.common.progress import progress
from rndcfl.criteria.calibrated import Calibrated
from rndcfl.criteria.linkage import in_order_of_appearance
from rndcfl.discovery import BY
from rndcfl.engine.inputs import averaged, check_characters
from rndcfl.engine.networks import multiply_adds
from rndcfl.features import OF_TRAINING, Features
from rndcfl.given.hints import left_alone
from rndcfl.novelty import MAX_PROFILE, Held, exchange, fit, profile_peers, report
from rndcfl.predictors import RND, Predictors, embed, frozen_target, squared_errors, used_samples
from rndcfl.reports import NOTHING, Report, Reports
from rndcfl.scale.grouping import group_reports, n_tests
from rndcfl.twosample import detectable

SERVER = -1  # in the ledger
CHUNK = 256  # samples that the target sees at a time


@dataclass(frozen=True, eq=False, repr=False)
class ScaleDiscovery:
    """What :func:`discover_at_scale` found.

    Attributes
    ----------
    labels : federation of each client, int64 [N], numbered in order of first appearance.
    landmarks : clients whose predictors went to all, int64 [m]; none by features.
    reports : what all clients reported.
    criterion : the level and the smallest effect.
    ledger : bytes, multiply-adds and seconds of the discovery.
    """

    labels: np.ndarray
    landmarks: np.ndarray
    reports: Reports
    criterion: Calibrated
    ledger: Ledger

    @property
    def n_federations(self) -> int:
        """Number of federations found."""
        return int(self.labels.max()) + 1

    @property
    def detectable(self) -> float:
        """The smallest distance at which two typical clients would be found to differ.

        With probability .8, for clients of the median number of samples; later clients meet whole
        federations, and differ from them significantly at less.
        """
        n, level = self.reports.samples, self.criterion.alpha / n_tests(len(self.labels))
        typical = np.array([int(np.median(n))])
        least = self.criterion.min_effect
        m = len(self.reports.peers)
        return float(detectable(typical, typical, m, level, least)[0])

    def __repr__(self) -> str:
        by = f"{len(self.landmarks)} landmarks" if len(self.landmarks) else "by features"
        return (
            f"ScaleDiscovery({self.n_federations} federations of {len(self.labels)} clients, "
            f"{by}, would miss distances below {self.detectable:.2f})"
        )


def discover_at_scale(
    clients: Sequence[Client],
    landmarks: int = 32,
    seed: int = 0,
    *,
    by: str = "novelty",
    alpha: float = 0.01,
    min_effect: float = 0.1,
    rnd: RND | None = None,
    **budget: Any,
) -> ScaleDiscovery:
    """Group many clients whose data look alike, each seen through the same few functions.

    Up to `landmarks` clients (by features, up to 64) this is :func:`rndcfl.discover` with the
    calibrated criterion.

    Parameters
    ----------
    clients : who takes part; :class:`rndcfl.Clients`, or any sequence that makes a client when it
        is asked for it, such as :class:`rndcfl.scale.lazy_clients.Drawn`. Only inputs are
        used.
    landmarks : m, predictors that all clients score. They are drawn at random; more of them see
        more differences, and a report grows with m^2 / 2.
    seed : of the target, the landmarks and everything else that is random.
    by : ``"novelty"`` to the landmarks' predictors, or ``"features"``, the outputs of the frozen
        network, see :func:`rndcfl.discover`; `landmarks` then have no use.
    alpha : probability of splitting off any client when all are alike.
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
    criterion, ledger = Calibrated(alpha, min_effect), Ledger()
    profile = _profile(by, landmarks, rnd, budget)
    check_number("seed", seed, 0, whole=True)
    few = _check(clients, criterion, profile)
    reports = exchange(clients, profile, seed, ledger)
    enough, watch = np.setdiff1d(np.arange(len(clients)), few), Stopwatch()
    with watch.running():
        labels = _with_alone(group_reports(reports[enough], criterion), enough, len(clients))
    ledger.add("discovery/grouping", SERVER, seconds=watch.seconds)
    return ScaleDiscovery(labels, reports.peers[reports.peers >= 0], reports, criterion, ledger)


@dataclass(frozen=True)
class Landmarks:
    """Clients are compared by how novel their samples are to the predictors of a few of them.

    Parameters
    ----------
    rnd : networks and budget.
    most : m, how many clients train a predictor.
    """

    rnd: RND
    most: int

    @property
    def held_out(self) -> bool:
        """Whether predictors are scored on samples that have not trained them."""
        return self.rnd.train_share < 1

    def scored(self, n: int) -> int:
        """How many of `n` samples a client scores with, if it is a landmark."""
        return self.rnd.n_scored(n)

    def prepare(self, clients: Sequence[Client], seed: int, ledger: Ledger) -> tuple[Any, Any]:
        """Landmarks train and send their predictors; the others come one by one."""
        owners = profile_peers(len(clients), seed, self.most).tolist()
        predictors, held_out = fit(clients, self.rnd, seed, ledger, only=owners)
        return predictors, (clients, dict(zip(owners, held_out, strict=True)))

    def reports(self, shared: Predictors, held_out: Any, seed: int, ledger: Ledger) -> Reports:
        """One client after the other scores the landmarks; its samples are not kept."""
        clients, kept = held_out
        rows = self._rows(shared, clients, kept, seed, ledger)
        return Reports.of(rows, len(clients), np.array(list(kept)))

    def _rows(
        self,
        predictors: Predictors,
        clients: Sequence[Client],
        kept: dict[int, Held],
        seed: int,
        ledger: Ledger,
    ) -> Iterator[Report]:
        m, shape = len(kept), tuple(next(iter(kept.values()))[0].shape[1:])
        target = frozen_target(shape, self.rnd, seed)
        costs = multiply_adds(target, shape), m * multiply_adds(predictors.network, shape)
        for i in progress(range(len(clients)), "clients"):
            watch, mine = Stopwatch(), i in kept
            with watch.running():
                if mine:
                    x, wanted = kept[i]
                else:
                    x = used_samples(clients[i], i, self.rnd, seed)
                    wanted = embed(target, x, CHUNK)
                made = report(squared_errors(predictors, x, wanted), np.arange(m))
                made = replace(made, novelty=NOTHING)  # of all clients it would grow with N squared
            ledger.add(
                "discovery/novelty",
                i,
                bytes_up=made.n_bytes,
                bytes_down=(m - mine) * predictors.bytes_each + (0 if mine else SEED_BYTES),
                multiply_adds=len(x) * (costs[1] + (0 if mine else costs[0])),
                seconds=watch.seconds,
            )
            yield made


def _profile(
    by: str, landmarks: int, rnd: RND | None, budget: dict[str, Any]
) -> Landmarks | Features:
    """What clients are compared by, checked."""
    check_name("by", by, BY)
    check_number("landmarks", landmarks, 2, MAX_PROFILE, whole=True)
    known = ("alpha", "min_effect", "landmarks", "by", "rnd", *(f.name for f in fields(RND)))
    for name in budget:
        check_name("parameter of discover_at_scale", name, known)
        if by == "features" and name in OF_TRAINING:
            raise InputError(f"{name} is of the predictors, and by='features' trains none")
    rnd = replace(rnd or RND(), **budget)
    rnd.check()
    return Features(rnd) if by == "features" else Landmarks(rnd, landmarks)


def _with_alone(labels: np.ndarray, who: np.ndarray, n: int) -> np.ndarray:
    """Federations of the clients `who` among `n`; the others are each on their own."""
    every = labels.max() + 1 + np.arange(n)
    every[who] = labels
    return in_order_of_appearance(every)


def _check(
    clients: Sequence[Client], criterion: Calibrated, profile: Landmarks | Features
) -> list[int]:
    """Raise unless they can be compared; return who has too few samples, and is left alone."""
    if not profile.held_out:
        raise InputError("landmarks score on held-out samples; take train_share < 1")
    if not len(clients):
        raise InputError("no clients given")
    shape, few = clients[0].x.shape[1:], []
    for i, client in enumerate(clients):
        if client.kind == "text":
            check_characters(i, client.x)
        if client.x.shape[1:] != shape:
            raise InputError(f"client {i} has samples of shape {client.x.shape[1:]}, not {shape}")
        if profile.scored(len(client)) < criterion.least_scored:
            few.append(i)
    if len(few) == len(clients):
        criterion.check_samples(0, len(clients[0]), profile)
    notice(averaged(shape, clients[0].kind, profile.rnd.max_side))
    if few:
        notice([left_alone([f"client {i}" for i in few])])
    return few
