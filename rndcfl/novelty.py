"""Novelty: every client scores its data with everybody's predictor (Eq. 8).

Domini et al., arXiv 2606.30499, Algorithm 1: client i trains a small predictor f_i to imitate a
shared frozen random network f on its own data; peers' predictors are then run on its data, and a
small error means "your data look like mine":

    s_ij = E over x in B_i of || f_j(x) - f(x) ||^2                                          (Eq. 8)

The target is evaluated once per sample, and a client scores all predictors in one pass.
:func:`exchange` is the pipeline that every discovery runs, whatever clients are compared by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError
from rndcfl.common.ledger import SEED_BYTES, Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.networks import multiply_adds
from rndcfl.predictors import (
    RND,
    Predictors,
    embed,
    frozen_target,
    squared_errors,
    train_predictors,
    untrained_predictors,
    used_samples,
)
from rndcfl.reports import Report, Reports

LARGEST_ERROR = 1e300  # that is reported, so that means and logs stay finite
MAX_PROFILE = 64  # predictors in a profile; its covariance grows with their square

Held = tuple[Tensor, Tensor]  # samples to score with [n, *shape], and the target's outputs on them


class Profile(Protocol):
    """What clients are compared by: functions of a sample that all clients share."""

    @property
    def held_out(self) -> bool:
        """Whether clients report on samples that have trained nothing."""

    def scored(self, n: int) -> int:
        """How many of a client's `n` samples it reports on."""

    def prepare(self, clients: Any, seed: int, ledger: Ledger) -> tuple[Any, Any]:
        """What is made and shared before anybody reports, and what clients look at."""

    def reports(self, shared: Any, held_out: Any, seed: int, ledger: Ledger) -> Reports:
        """Everybody's report."""


class Tamper(Protocol):
    """Clients that do not send what they should, such as :class:`rndcfl.hostile.Attackers`."""

    def predictors(
        self, trained: Predictors, clients: Clients, profile: Novelty, seed: int
    ) -> Predictors:
        """The predictors that are sent in place of those `trained`."""

    def reports(self, true: Reports) -> Reports:
        """What is reported in place of what is `true`."""


def exchange(
    clients: Any, profile: Profile, seed: int, ledger: Ledger, tamper: Tamper | None = None
) -> Reports:
    """What all clients report of their data (Algorithm 1).

    Parameters
    ----------
    clients : N clients; of their data only the training inputs `x` are used.
    profile : what they are compared by, such as :class:`Novelty`.
    seed : of everything that is random.
    ledger : what it costs is entered here.
    tamper : who does not send what it should.
    """
    shared, held_out = profile.prepare(clients, seed, ledger)
    if tamper is None:
        return profile.reports(shared, held_out, seed, ledger)
    if isinstance(profile, Novelty):
        shared = tamper.predictors(shared, clients, profile, seed)
    return tamper.reports(profile.reports(shared, held_out, seed, ledger))


@dataclass(frozen=True)
class Novelty:
    """Clients are compared by how novel their samples are to everybody's predictor.

    The profile is the mean of l_j(x) = log || f_j(x) - f(x) ||^2.

    Parameters
    ----------
    rnd : networks and budget.
    labels : let predictors see labels beside the inputs
        (:func:`~rndcfl.engine.inputs.with_labels`).
    most_peers : most predictors in a profile; 0 reports novelty only, as in the paper.
    screen : refuse predictors that no training yields.
    """

    rnd: RND = field(default_factory=RND)
    labels: bool = False
    most_peers: int = MAX_PROFILE
    screen: bool = True

    @property
    def held_out(self) -> bool:
        """Whether predictors are scored on samples that have not trained them."""
        return self.rnd.train_share < 1

    def scored(self, n: int) -> int:
        """How many of a client's `n` samples it scores with."""
        return self.rnd.n_scored(n)

    def prepare(self, clients: Any, seed: int, ledger: Ledger) -> tuple[Predictors, list[Held]]:
        """All train and send their predictors."""
        return fit(clients, self.rnd, seed, ledger, self.labels)

    def reports(
        self, shared: Predictors, held_out: list[Held], seed: int, ledger: Ledger
    ) -> Reports:
        """Everybody scores the predictors that pass.

        Raises
        ------
        InputError
            If no predictor passes.
        """
        refused = shared.refused() if self.screen else {}
        if len(refused) == len(held_out):
            raise InputError(f"nobody's predictor can be used: {refused[0]}; take a smaller lr")
        peers = profile_peers(len(held_out), seed, self.most_peers)
        peers = np.setdiff1d(peers, list(refused)).astype(np.int64)
        share = 1 - self.rnd.train_share if self.held_out else 1.0
        rows = score(shared.without(refused), held_out, ledger, peers)
        return Reports.of(rows, len(rows), peers, refused=refused, share=share)


def profile_peers(n: int, seed: int, most: int = MAX_PROFILE) -> np.ndarray:
    """Clients whose predictors make up the profile: all `n`, or `most` of them at random."""
    return np.arange(n) if n <= most else np.sort(numpy_rng(seed, "peers").permutation(n)[:most])


def fit(
    clients: Sequence[Client] | Mapping[int, Client],
    rnd: RND,
    seed: int,
    ledger: Ledger,
    labels: bool = False,
    *,
    only: Sequence[int] | None = None,
    target_seed: int | None = None,
    train: Callable[..., Predictors] = train_predictors,
    samples_seen: Callable[[int], int] | None = None,
) -> tuple[Predictors, list[Held]]:
    """Every client, or `only` some, trains its predictor (Algorithm 1, line 1).

    Parameters
    ----------
    clients : by number; of their data only the training inputs `x` are used.
    rnd, seed, labels : networks and budget; of the predictors and batches; see :class:`Novelty`.
    ledger : what it costs is entered here.
    only : numbers of the clients that train; default all. What a client does depends on its
        number, not on who else trains.
    target_seed : of the target, where it is not `seed`.
    train : how, see :func:`~rndcfl.predictors.train_predictors`.
    samples_seen : of a number of training samples how many a step takes; default `batch_size`.

    Returns
    -------
    (predictors, held_out) : the stack of their predictors, and per client the samples [n, \\*shape]
        it will score with and the target's outputs on them [n, embedding].
    """
    everybody = list(clients) if isinstance(clients, Mapping) else range(len(clients))
    who = everybody if only is None else only
    watch = Stopwatch()
    with watch.running():
        shared = seed if target_seed is None else target_seed
        n_classes = clients.n_classes if labels and isinstance(clients, Clients) else None
        samples = [used_samples(clients[i], i, rnd, seed, n_classes, shared) for i in who]
        shape = tuple(samples[0].shape[1:])
        target = frozen_target(shape, rnd, shared)
        wanted = [embed(target, x) for x in samples]
        cuts = [rnd.n_train(len(x)) for x in samples]
        inputs = [x[:cut] for x, cut in zip(samples, cuts, strict=True)]
        outputs = [t[:cut] for t, cut in zip(wanted, cuts, strict=True)]
        # One predictor alone is computed in another order than several, and Adam makes much of the
        # difference: beside a copy of itself it comes out as among others.
        times = 2 if len(who) == 1 else 1
        start = untrained_predictors(shape, times * len(who), rnd, seed, [*who] * times)
        predictors = train(inputs * times, outputs * times, start, rnd, seed, [*who] * times)
        predictors = predictors.only(list(range(len(who)))) if times == 2 else predictors
    once, target_cost = multiply_adds(predictors.network, shape), multiply_adds(target, shape)
    for i, x, cut in zip(who, samples, cuts, strict=True):
        batch = rnd.batch_size if samples_seen is None else samples_seen(cut)
        ledger.add(
            "discovery/predictors",
            i,
            bytes_up=predictors.bytes_each,
            bytes_down=SEED_BYTES,
            multiply_adds=len(x) * target_cost + 3 * rnd.steps * batch * once,
            seconds=watch.seconds / len(who),
        )
    firsts = [len(x) - rnd.n_scored(len(x)) for x in samples]
    return predictors, [(x[k:], t[k:]) for x, t, k in zip(samples, wanted, firsts, strict=True)]


def score(
    predictors: Predictors, held_out: list[Held], ledger: Ledger, peers: np.ndarray
) -> list[Report]:
    """Every client runs all predictors on its own samples; those of `peers` make up its profile."""
    n = len(held_out)
    one_pass = multiply_adds(predictors.network, tuple(held_out[0][0].shape[1:]))
    rows = []
    for i, (x, wanted) in enumerate(held_out):
        watch = Stopwatch()
        with watch.running():
            rows.append(report(squared_errors(predictors, x, wanted), peers))
        ledger.add(
            "discovery/novelty",
            i,
            bytes_up=rows[-1].n_bytes,
            bytes_down=(n - 1) * predictors.bytes_each,
            multiply_adds=n * len(x) * one_pass,
            seconds=watch.seconds,
        )
    return rows


def report(errors: np.ndarray, peers: np.ndarray) -> Report:
    """One client's report, from the errors of all predictors on its samples [N, n].

    Predictors of `peers` make up its profile.
    """
    errors = np.minimum(errors, LARGEST_ERROR)
    logs = np.log(np.maximum(errors[peers], np.finfo(np.float64).tiny))
    novelty = errors.mean(1) if errors.shape[1] else np.ones(len(errors))
    return Report.of(logs, novelty)
