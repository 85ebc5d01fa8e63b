"""What a private discovery promises: whatever a client sends hardly depends on any one sample."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from rndcfl.common.errors import check_number
from rndcfl.federations import CLEAR, Discovery, ProfileDiscovery
from rndcfl.predictors import RND
from rndcfl.privacy.accountant import noise_for

# Noise asks for few, large steps on much data: half of the samples train, and none is left out.
PRIVATE = RND(steps=60, lr=1e-2, train_share=0.5, max_samples=None)


@dataclass(frozen=True)
class Privacy:
    """What a private discovery promises, and how.

    Anybody who sees all that one client sends, in one discovery, can tell whether a sample was
    among its data only as well as (epsilon, delta) allows, whatever else they know. Each sample
    either trains or scores, never both, so that each part may spend the whole promise. The
    *number* of a client's samples is no secret. Replacing a sample by another is two changes:
    2 epsilon. Every further discovery on the same data spends as much again.

    Attributes
    ----------
    epsilon : the smaller, the more private; at 1 the odds of any guess change by at most e.
    delta : probability with which the promise may fail; well below 1 / samples.
    clip : C, largest norm of one sample's gradient (of the mean squared error).
    rate : q, share of the training samples that a step takes; ``RND.batch_size`` is not used.
    noise_seed : None draws noise and batches from the operating system's entropy, as a deployment
        must: with a seed that somebody knows or reuses, nothing is private. A number is for
        studies, which must give the same result twice.
    """

    epsilon: float
    delta: float = 1e-5
    clip: float = 0.1
    rate: float = 0.1
    noise_seed: int | None = None

    def check(self) -> None:
        """Raise :class:`InputError` for values that cannot be meant."""
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


@dataclass(frozen=True, eq=False, repr=False)
class PrivateDiscovery(ProfileDiscovery):
    """A differentially private discovery, with the promise it keeps.

    ``distance`` and ``detectable`` are in units of sample and noise together: the more noise, the
    smaller a distance. ``novelty`` is computed from what is private, see
    :func:`~rndcfl.privacy.reports.private_exchange`.

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
