"""Novelty: every client scores its data with everybody's predictor (Eq. 8).

Domini et al., arXiv 2606.30499, Algorithm 1: client i trains a small predictor f_i to imitate a
shared frozen random network f on its own data; peers' predictors are then run on its data, and a
small error means "your data look like mine":

    s_ij = E over x in B_i of || f_j(x) - f(x) ||^2                                          (Eq. 8)

The target is evaluated once per sample, and a client scores all predictors in one pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.networks import device, multiply_adds
from rndcfl.predictors import (
    RND,
    Predictors,
    frozen_target,
    squared_errors,
    train_predictors,
    untrained_predictors,
)

LARGEST_ERROR = 1e300  # that is reported, so that means and logs stay finite
MAX_PROFILE = 64  # predictors in a profile; its covariance grows with their square
CHARACTERS, CHANNELS = 2**14, 8  # that text may use, and numbers that stand for each
NUMBER = np.dtype(np.float64).itemsize  # bytes of one number in a report
SEED_BYTES = 8  # the target travels as the seed it is drawn from


@dataclass(frozen=True, eq=False)
class Reports:
    """What the clients tell the server: row i comes from client i.

    Attributes
    ----------
    samples : number of samples each client scored, int64 [N].
    novelty : s_ij (Eq. 8): mean squared error of predictor j on client i's samples, float64 [N, N].
    peers : clients whose predictors make up the profile, int64 [m]; all N up to
        :data:`MAX_PROFILE`, otherwise as many drawn at random.
    profile : mean of l_j(x) = log ||f_j(x) - f(x)||^2 over client i's samples, for j in `peers`,
        float64 [N, m].
    covariance : of the same over client i's samples, float64 [N, m, m].
    refused : clients whose predictor was refused, with the reason; nobody's profile has it.
    noise : variance of the noise on each entry of a client's profile, float64 [N]; None where
        nothing was made private (:mod:`rndcfl.privacy.reports`).
    """

    samples: np.ndarray
    novelty: np.ndarray
    peers: np.ndarray
    profile: np.ndarray
    covariance: np.ndarray
    refused: Mapping[int, str] = field(default_factory=dict)
    noise: np.ndarray | None = None


def report_row(errors: np.ndarray, peers: np.ndarray) -> tuple[np.ndarray, ...]:
    """One client's novelty [N], profile [m] and covariance [m, m], from its errors [N, n]."""
    errors = np.minimum(errors, LARGEST_ERROR)
    logs = np.log(np.maximum(errors[peers], np.finfo(np.float64).tiny))
    centred = logs - logs.mean(1, keepdims=True)
    covariance = centred @ centred.T / max(1, errors.shape[1] - 1)
    return errors.mean(1), logs.mean(1), covariance


def exchange(
    clients: Clients,
    rnd: RND,
    seed: int,
    ledger: Ledger,
    max_profile: int = MAX_PROFILE,
    labels: bool = False,
) -> Reports:
    """Algorithm 1 on all clients: train predictors, pass them round, score, report.

    Parameters
    ----------
    clients : N clients; of their data only the training inputs `x` are used.
    rnd : networks and budget.
    seed : of the target, the predictors and the batches.
    ledger : what it costs is entered here.
    max_profile : most predictors in a profile; 0 reports novelty only, as in the paper.
    labels : let predictors see labels beside the inputs, see :func:`with_labels`.

    Returns
    -------
    Reports
    """
    predictors, held_out = fit(clients, rnd, seed, ledger, labels)
    return score(predictors, held_out, ledger, profile_peers(len(clients), seed, max_profile))


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
) -> tuple[Predictors, list[tuple[Tensor, Tensor]]]:
    """Every client, or `only` some, trains its predictor.

    Parameters
    ----------
    clients : by number; of their data only the training inputs `x` are used.
    rnd, seed, ledger, labels : as for :func:`exchange`.
    only : numbers of the clients that train; default all. What a client does depends on its
        number, not on who else trains.
    target_seed : of the target, where it is not `seed`.

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
        samples = [used_samples(clients[i], i, rnd, seed, shared, n_classes) for i in who]
        shape = tuple(samples[0].shape[1:])
        target = frozen_target(shape, rnd, shared)
        wanted = [embed(target, x) for x in samples]
        cuts = [rnd.n_train(len(x)) for x in samples]
        predictors = train_predictors(
            [x[:cut] for x, cut in zip(samples, cuts, strict=True)],
            [t[:cut] for t, cut in zip(wanted, cuts, strict=True)],
            untrained_predictors(shape, len(who), rnd, seed, who),
            rnd,
            seed,
            who,
        )
    target_cost = multiply_adds(target, shape)
    training = 3 * rnd.steps * rnd.batch_size * multiply_adds(predictors.network, shape)
    for i, x in zip(who, samples, strict=True):
        ledger.add(
            "discovery/predictors",
            i,
            bytes_up=predictors.bytes_each,
            bytes_down=SEED_BYTES,
            multiply_adds=len(x) * target_cost + training,
            seconds=watch.seconds / len(who),
        )
    firsts = [len(x) - rnd.n_scored(len(x)) for x in samples]
    return predictors, [(x[k:], t[k:]) for x, t, k in zip(samples, wanted, firsts, strict=True)]


def score(
    predictors: Predictors, held_out: list[tuple[Tensor, Tensor]], ledger: Ledger, peers: np.ndarray
) -> Reports:
    """Every client runs all predictors on its own samples and reports its rows."""
    n, m = len(held_out), len(peers)
    reported = n + m + m * (m + 1) // 2 + 1  # the covariance is symmetric; 1: number of samples
    one_pass = multiply_adds(predictors.network, tuple(held_out[0][0].shape[1:]))
    rows = []
    for i, (x, wanted) in enumerate(held_out):
        watch = Stopwatch()
        with watch.running():
            rows.append(report_row(squared_errors(predictors, x, wanted), peers))
        ledger.add(
            "discovery/novelty",
            i,
            bytes_up=NUMBER * reported,
            bytes_down=(n - 1) * predictors.bytes_each,
            multiply_adds=n * len(x) * one_pass,
            seconds=watch.seconds,
        )
    samples = np.array([len(x) for x, _ in held_out])
    novelty, profile, covariance = (np.stack(part) for part in zip(*rows, strict=True))
    return Reports(samples, novelty, peers, profile, covariance)


def with_labels(x: np.ndarray, y: np.ndarray, n_classes: int) -> np.ndarray:
    """Inputs with their labels as further channels: random network distillation of P(x, y).

    A label becomes `n_classes` constant planes beside the image's channels, or as many columns
    beside a table's, one of them 1 and the others 0.

    Parameters
    ----------
    x : images [n, C, H, W] or tables [n, d].
    y : labels [n].

    Returns
    -------
    float32 [n, C + n_classes, H, W] or [n, d + n_classes]
    """
    one_hot = np.eye(n_classes, dtype=np.float32)[y]
    planes = one_hot.reshape(*one_hot.shape, *(1,) * (x.ndim - 2))
    return np.concatenate([x, np.broadcast_to(planes, (*one_hot.shape, *x.shape[2:]))], axis=1)


def spelled(x: np.ndarray, seed: int) -> np.ndarray:
    """Text as images one pixel high: a fixed random vector for each character.

    The vectors belong to the frozen target; like it they are drawn from a seed that all share.

    Parameters
    ----------
    x : int64 [n, length], below :data:`CHARACTERS`.

    Returns
    -------
    float32 [n, CHANNELS, 1, length]
    """
    vectors = numpy_rng(seed, "characters").standard_normal((CHARACTERS, CHANNELS))
    return vectors.astype(np.float32)[x].transpose(0, 2, 1)[:, :, None]


def check_characters(i: int, x: np.ndarray) -> None:
    """Raise :class:`InputError` unless client i's text can be :func:`spelled`."""
    if x.min() < 0 or x.max() >= CHARACTERS:
        raise InputError(
            f"client {i}: text must be numbers from 0 to {CHARACTERS - 1}, "
            f"got {x.min()} to {x.max()}"
        )


def readable(x: np.ndarray, seed: int) -> np.ndarray:
    """Inputs as target and predictors read them: text :func:`spelled`, all else as it is."""
    return spelled(x, seed) if x.dtype == np.int64 else x


def used_samples(
    client: Client, i: int, rnd: RND, seed: int, shared: int, n_classes: int | None = None
) -> Tensor:
    """Client i's samples in the order in which they are used: first to train, then to score.

    With labels where `n_classes` says how many there are; `shared` is the target's seed.
    """
    x, y = client.x, client.y
    order = numpy_rng(seed, "samples", i).permutation(len(x))[: rnd.n_used(len(x))]
    chosen = readable(x[order], shared)
    if n_classes is not None:
        assert y is not None
        chosen = with_labels(chosen, y[order], n_classes)
    used = torch.from_numpy(chosen).to(device())
    return used.contiguous(memory_format=torch.channels_last) if used.ndim == 4 else used


def scored_samples(
    client: Client, i: int, rnd: RND, seed: int, target: nn.Module
) -> tuple[Tensor, Tensor]:
    """The samples that client i scores with, as :func:`fit` left them, and the target's outputs."""
    used = used_samples(client, i, rnd, seed, seed)
    x = used[len(used) - rnd.n_scored(len(used)) :]
    return x, embed(target, x)


def embed(target: nn.Module, x: Tensor, chunk: int = 64) -> Tensor:
    """The target's outputs on samples [n, \\*shape], [n, embedding]."""
    with torch.no_grad():
        return torch.cat([target(x[k : k + chunk]) for k in range(0, len(x), chunk)])
