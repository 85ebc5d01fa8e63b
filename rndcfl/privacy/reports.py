"""A differentially private discovery: private predictors, and rows that are private too.

A held-out sample x enters client i's row as one vector, made of the log errors of the m predictors
relative to the target, l_j(x) = log ||f_j(x) - f(x)||^2 / ||f(x)||^2: their mean over j (the level)
and each one's difference to it (the contrasts), in fixed public units,

    v_j = contrast_j / (0.3 sqrt m) + (level + 1) / (2 sqrt m),     scaled down to norm 1 at most.

The target is public and v depends on no other sample, so that one sample moves the mean of v by at
most 1/n and the mean of v v' by at most 1/n (Frobenius norm). Both go out under Gaussian noise. The
test of :mod:`rndcfl.twosample` does not change under linear maps of the log errors; it is told
the variance s_i^2 of the noise on the means, which adds to that of the sample:

    T^2 = (v_i - v_j)' [ S (1/n_i + 1/n_j) + (s_i^2 + s_j^2) I ]^-1 (v_i - v_j).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from rndcfl.clients import Clients
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.networks import multiply_adds
from rndcfl.novelty import NUMBER, SEED_BYTES, Reports, embed, profile_peers, used_samples
from rndcfl.predictors import RND, Predictors, frozen_target, squared_errors, untrained_predictors
from rndcfl.privacy.accountant import gaussian_noise_for
from rndcfl.privacy.promise import Privacy
from rndcfl.privacy.training import train_privately

# Public units of the log errors. Any fixed values are private; these cut off about half of the
# vectors, and lost no power on images while the noise shrinks with them.
CENTRE, LEVEL, CONTRAST = -1.0, 2.0, 0.3
WIDEST = 8.0  # relative log errors beyond it, or not finite, count as this
COVARIANCE_SHARE = 0.2  # of the row's budget
# Share of the largest eigenvalue that the noise on the covariance has, added to its diagonal: noise
# that happens to be negative would make clients look more certain than they are. By simulation the
# least with which the test kept its level, at epsilon 0.5 to 16 and 100 to 3,000 samples.
RIDGE = 0.2


@dataclass(frozen=True, eq=False)
class Row:
    """One client's private row: mean [m] and covariance [m, m] of v, and the variance of the noise
    on each entry of the mean."""

    mean: np.ndarray
    covariance: np.ndarray
    noise: float


def bounded(errors: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """v: log errors in public units, of norm 1 at most.

    Parameters
    ----------
    errors : ||f_j(x) - f(x)||^2, [m, n]; a hostile predictor's may be infinite or not a number.
    scale : ||f(x)||^2, [n].

    Returns
    -------
    float64 [m, n]
    """
    tiny = np.finfo(np.float64).tiny
    with np.errstate(all="ignore"):
        logs = np.log(np.maximum(errors, tiny)) - np.log(np.maximum(scale, tiny))
    logs = np.clip(np.nan_to_num(logs, nan=WIDEST), -WIDEST, WIDEST)
    level, m = logs.mean(0), len(logs)
    v = ((logs - level) / CONTRAST + (level - CENTRE) / LEVEL) / np.sqrt(m)
    return v / np.maximum(1.0, np.linalg.norm(v, axis=0))


def log_errors(v: np.ndarray) -> np.ndarray:
    """Back from the mean of v [..., m] to relative log errors (of the vectors as scaled down)."""
    level, root = v.mean(-1, keepdims=True), np.sqrt(v.shape[-1])
    return root * (CONTRAST * (v - level) + LEVEL * level) + CENTRE


def private_row(v: np.ndarray, privacy: Privacy, rng: np.random.Generator) -> Row:
    """Mean and covariance of v [m, n] under noise: (epsilon, delta) for the two together."""
    m, n = v.shape
    z = gaussian_noise_for(privacy.epsilon, privacy.delta)
    # Two releases with noise a and b are as good as one with noise z if 1/a^2 + 1/b^2 = 1/z^2.
    of_mean = z / np.sqrt(1 - COVARIANCE_SHARE) / n
    of_second = z / np.sqrt(COVARIANCE_SHARE) / n
    mean = v.mean(1) + of_mean * rng.standard_normal(m)
    second = v @ v.T / n + of_second * symmetric_noise(m, rng)
    covariance = (second - np.outer(mean, mean) + of_mean**2 * np.eye(m)) * n / max(1, n - 1)
    values, vectors = np.linalg.eigh(covariance)
    covariance = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return Row(mean, covariance + RIDGE * np.sqrt(2 * m) * of_second * np.eye(m), of_mean**2)


def symmetric_noise(m: int, rng: np.random.Generator) -> np.ndarray:
    """Standard Gaussian noise on symmetric matrices [m, m] with the Frobenius norm.

    An entry off the diagonal counts twice in the norm, and so has half the variance. The largest
    eigenvalue is about sqrt(2 m).
    """
    drawn = rng.standard_normal((m, m))
    return (drawn + drawn.T) / 2


def private_exchange(
    clients: Clients, rnd: RND, seed: int, ledger: Ledger, privacy: Privacy, labels: bool = False
) -> Reports:
    """As :func:`rndcfl.novelty.exchange`, with private predictors and private rows.

    ``novelty`` is computed from the private rows: the geometric mean of the relative errors (those
    cut off count as cut off); nan where a peer is not in the profile. ``profile`` and
    ``covariance`` are of v.
    """
    secret = privacy.secret()
    peers = profile_peers(len(clients), seed)
    predictors, held_out = private_fit(clients, rnd, seed, ledger, privacy, secret, labels)
    one_pass = multiply_adds(predictors.network, tuple(held_out[0][0].shape[1:]))
    in_profile, rows, m = predictors.only(peers.tolist()), [], len(peers)
    for i, (x, wanted) in enumerate(held_out):
        watch = Stopwatch()
        with watch.running():
            errors = squared_errors(in_profile, x, wanted)
            scale = wanted.double().square().sum(1).cpu().numpy()
            rng = numpy_rng(secret, "private row", i)
            rows.append(private_row(bounded(errors, scale), privacy, rng))
        ledger.add(
            "discovery/novelty",
            i,
            bytes_up=NUMBER * (m + m * (m + 1) // 2 + 1),
            bytes_down=(len(clients) - 1) * predictors.bytes_each,
            multiply_adds=m * len(x) * one_pass,
            seconds=watch.seconds,
        )
    profile = np.stack([row.mean for row in rows])
    novelty = np.full((len(clients), len(clients)), np.nan)
    novelty[:, peers] = np.exp(log_errors(profile))
    return Reports(
        np.array([len(x) for x, _ in held_out]),
        novelty,
        peers,
        profile,
        np.stack([row.covariance for row in rows]),
        noise=np.array([row.noise for row in rows]),
    )


def private_fit(
    clients: Clients,
    rnd: RND,
    seed: int,
    ledger: Ledger,
    privacy: Privacy,
    secret: int,
    labels: bool = False,
) -> tuple[Predictors, list[tuple[Tensor, Tensor]]]:
    """As :func:`rndcfl.novelty.fit`, with private predictors."""
    watch = Stopwatch()
    with watch.running():
        n_classes = clients.n_classes if labels else None
        samples = [used_samples(c, i, rnd, seed, seed, n_classes) for i, c in enumerate(clients)]
        shape = tuple(samples[0].shape[1:])
        target = frozen_target(shape, rnd, seed)
        wanted = [embed(target, x) for x in samples]
        cuts = [rnd.n_train(len(x)) for x in samples]
        predictors = train_privately(
            [x[:cut] for x, cut in zip(samples, cuts, strict=True)],
            [t[:cut] for t, cut in zip(wanted, cuts, strict=True)],
            untrained_predictors(shape, len(clients), rnd, seed),
            rnd,
            privacy,
            secret,
        )
    once, target_cost = multiply_adds(predictors.network, shape), multiply_adds(target, shape)
    for i, (x, cut) in enumerate(zip(samples, cuts, strict=True)):
        training = 3 * rnd.steps * round(privacy.rate * cut) * once
        ledger.add(
            "discovery/predictors",
            i,
            bytes_up=predictors.bytes_each,
            bytes_down=SEED_BYTES,
            multiply_adds=len(x) * target_cost + training,
            seconds=watch.seconds / len(clients),
        )
    return predictors, [(x[k:], t[k:]) for x, t, k in zip(samples, wanted, cuts, strict=True)]
