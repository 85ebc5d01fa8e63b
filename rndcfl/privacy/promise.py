"""What a private discovery promises: whatever a client sends hardly depends on any one sample."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rndcfl.common.errors import check_number
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.networks import multiply_adds
from rndcfl.features import Features
from rndcfl.federations import CLEAR, Discovery, ProfileDiscovery
from rndcfl.novelty import Held, Novelty, fit, profile_peers
from rndcfl.predictors import RND, Predictors, squared_errors
from rndcfl.privacy.accountant import noise_for
from rndcfl.privacy.features import FEW, PrivateFeatures
from rndcfl.privacy.reports import bounded, log_errors, private_report
from rndcfl.privacy.training import train_privately
from rndcfl.reports import Reports

# Noise asks for few, large steps on much data: half of the samples train, and none is left out.
PRIVATE = RND(steps=60, lr=1e-2, train_share=0.5, max_samples=None)


@dataclass(frozen=True)
class Privacy:
    """What a private discovery promises, and how.

    An observer of all that one client sends, in one discovery, can decide whether a sample was
    among its data only as well as (epsilon, delta) allows, whatever else they know. By novelty each
    sample either trains or scores, never both, so that each part may spend the whole promise; by
    features there is one part. The
    *number* of a client's samples is no secret. Replacing a sample by another is two changes:
    2 epsilon. Every further discovery on the same data spends as much again.

    Attributes
    ----------
    epsilon : the smaller, the more private; at 1 the odds of any guess change by at most e.
    delta : probability with which the promise may fail; well below 1 / samples.
    clip : C, largest norm of one sample's gradient (of the mean squared error); by features, where
        nothing is trained, neither this nor `rate` counts.
    rate : q, share of the training samples that a step takes; ``RND.batch_size`` is not used.
    noise_seed : None draws noise and batches from the operating system's entropy, as a deployment
        must: with a seed that is known or used again, nothing is private. A number is for
        studies, which must give the same result twice.
    """

    epsilon: float
    delta: float = 1e-5
    clip: float = 0.1
    rate: float = 0.1
    noise_seed: int | None = None

    def check(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        check_number("epsilon", self.epsilon, 0.01, 1000.0)
        check_number("delta", self.delta, 1e-15, 0.1)
        check_number("clip", self.clip, 1e-6, 1e6)
        check_number("rate", self.rate, 1e-6, 1.0)
        if self.noise_seed is not None:
            check_number("noise_seed", self.noise_seed, 0, whole=True)

    def noise_of_steps(self, steps: int) -> float:
        """z, the noise of `steps` steps of training in units of `clip`."""
        return noise_for(self.epsilon, self.delta, self.rate, steps)

    def secret(self) -> int:
        """The seed of everything that must not be known: as given, or fresh."""
        return secrets.randbits(128) if self.noise_seed is None else self.noise_seed

    def budget(self, by: str = "novelty") -> RND:
        """Networks and budget where the user names none."""
        return FEW if by == "features" else PRIVATE

    def profile(self, open: Novelty | Features) -> PrivateNovelty | PrivateFeatures:
        """What clients are compared by in one discovery, made private."""
        if isinstance(open, Features):
            return PrivateFeatures(open, self.epsilon, self.delta, self.secret())
        return PrivateNovelty(open.rnd, self, self.secret(), open.labels)

    def promise(self, found: Discovery) -> PrivateDiscovery:
        """The discovery with the promise that it keeps."""
        return PrivateDiscovery(**vars(found), privacy=self)


@dataclass(frozen=True)
class PrivateNovelty:
    """As :class:`rndcfl.novelty.Novelty`, with private predictors and private reports.

    ``novelty`` is computed from the private reports: the geometric mean of the relative errors
    (those cut off count as cut off); nan where a peer is not in the profile. ``profile`` and
    ``covariance`` are of v (:mod:`rndcfl.privacy.reports`).

    Parameters
    ----------
    rnd : networks and budget.
    privacy : the promise.
    secret : seed of everything that must not be known.
    labels : let predictors see labels too.
    """

    rnd: RND
    privacy: Privacy
    secret: int
    labels: bool = False

    @property
    def held_out(self) -> bool:
        """Whether predictors are scored on samples that have not trained them."""
        return self.rnd.train_share < 1

    def scored(self, n: int) -> int:
        """How many of a client's `n` samples it scores with."""
        return self.rnd.n_scored(n)

    def prepare(self, clients: Any, seed: int, ledger: Ledger) -> tuple[Predictors, list[Held]]:
        """All train and send their private predictors."""
        privacy, rate = self.privacy, self.privacy.rate
        noise = privacy.noise_of_steps(self.rnd.steps)

        def train(inputs: Any, wanted: Any, start: Predictors, rnd: RND, *_: Any) -> Predictors:
            how = dict(noise=noise, clip=privacy.clip, rate=rate)
            return train_privately(inputs, wanted, start, rnd, self.secret, **how)

        seen = partial(_taken, rate=rate)
        return fit(clients, self.rnd, seed, ledger, self.labels, train=train, samples_seen=seen)

    def reports(
        self, shared: Predictors, held_out: list[Held], seed: int, ledger: Ledger
    ) -> Reports:
        """Each client scores the predictors of the profile and adds its noise."""
        n = len(held_out)
        peers = profile_peers(n, seed)
        one_pass = multiply_adds(shared.network, tuple(held_out[0][0].shape[1:]))
        in_profile, rows = shared.only(peers.tolist()), []
        for i, (x, wanted) in enumerate(held_out):
            watch = Stopwatch()
            with watch.running():
                errors = squared_errors(in_profile, x, wanted)
                scale = wanted.double().square().sum(1).cpu().numpy()
                rng = numpy_rng(self.secret, "private row", i)
                v = bounded(errors, scale)
                rows.append(private_report(v, self.privacy.epsilon, self.privacy.delta, rng))
            ledger.add(
                "discovery/novelty",
                i,
                bytes_up=rows[-1].n_bytes,
                bytes_down=(n - 1) * shared.bytes_each,
                multiply_adds=len(peers) * len(x) * one_pass,
                seconds=watch.seconds,
            )
        novelty = np.full((n, n), np.nan)
        novelty[:, peers] = np.exp(log_errors(np.stack([row.profile for row in rows])))
        return Reports.of(rows, n, peers, novelty=novelty, share=1 - self.rnd.train_share)


def _taken(n: int, rate: float) -> int:
    """How many of `n` training samples a step takes on average."""
    return round(rate * n)


@dataclass(frozen=True, eq=False, repr=False)
class PrivateDiscovery(ProfileDiscovery):
    """A differentially private discovery, with the promise it keeps.

    ``distance`` and ``detectable`` are in units of sample and noise together: the more noise, the
    smaller a distance. ``novelty`` is computed from what is private, see
    :class:`PrivateNovelty`.

    Attributes
    ----------
    privacy : as given.
    """

    privacy: Privacy

    def samples_needed(self, distance: float = CLEAR) -> int | None:
        """Not known: how far apart clients look depends on the noise, and that on the samples."""
        return None

    def __repr__(self) -> str:
        promise = f"({self.privacy.epsilon:g}, {self.privacy.delta:g})-differentially private)"
        return f"{Discovery.__repr__(self)[:-1]}, {promise}"
