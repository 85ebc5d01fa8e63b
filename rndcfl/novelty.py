"""Novelty: every client scores its data with everybody's predictor (Eq. 8).

Domini et al., arXiv 2606.30499, Algorithm 1: client i trains a small predictor f_i to imitate a
shared frozen random network f on its own data; peers' predictors are then run on its data, and a
small error means "your data look like mine":

    s_ij = E over x in B_i of || f_j(x) - f(x) ||^2                                          (Eq. 8)

The target is evaluated once per sample, and a client scores all predictors in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rndcfl.clients import Clients
from rndcfl.ledger import Ledger, Stopwatch
from rndcfl.networks import device, multiply_adds
from rndcfl.predictors import (
    RND,
    Predictors,
    frozen_target,
    squared_errors,
    train_predictors,
    untrained_predictors,
)  # fmt: skip
from rndcfl.seeding import numpy_rng


@dataclass(frozen=True, eq=False)
class Reports:
    """What the clients tell the server: row i comes from client i.

    Attributes
    ----------
    samples : number of samples each client scored, int64 [N].
    novelty : s_ij (Eq. 8): mean squared error of predictor j on client i's samples, float64 [N, N].
    log_mean, log_var : mean and variance (per sample) of l_j(x) = log ||f_j(x) - f(x)||^2 over
        client i's samples, float64 [N, N].
    paired_mean, paired_var : the same of l_j(x) - l_i(x), float64 [N, N].
    """

    samples: np.ndarray
    novelty: np.ndarray
    log_mean: np.ndarray
    log_var: np.ndarray
    paired_mean: np.ndarray
    paired_var: np.ndarray


def report_row(errors: np.ndarray, i: int) -> tuple[np.ndarray, ...]:
    """Client i's row of each field of :class:`Reports` but `samples`, from its errors [N, n]."""
    logs = np.log(np.maximum(errors, np.finfo(np.float64).tiny))
    paired = logs - logs[i]
    ddof = min(1, errors.shape[1] - 1)
    return (
        errors.mean(1), logs.mean(1), logs.var(1, ddof=ddof),
        paired.mean(1), paired.var(1, ddof=ddof),
    )  # fmt: skip


def exchange(clients: Clients, rnd: RND, seed: int, ledger: Ledger) -> Reports:
    """Algorithm 1 on all clients: train predictors, pass them round, score, report.

    Parameters
    ----------
    clients : N clients; only their inputs `x` are used.
    rnd : networks and budget.
    seed : of the target, the predictors and the batches.
    ledger : what it costs is entered here.

    Returns
    -------
    Reports
    """
    predictors, held_out = fit(clients, rnd, seed, ledger)
    return score(predictors, held_out, ledger)


def fit(
    clients: Clients, rnd: RND, seed: int, ledger: Ledger
) -> tuple[Predictors, list[tuple[Tensor, Tensor]]]:
    """Every client trains its predictor.

    Returns
    -------
    (predictors, held_out) : the stack of N predictors, and per client the samples [n, \\*shape] it
        will score with and the target's outputs on them [n, embedding].
    """
    n, shape = len(clients), clients.input_shape
    watch = Stopwatch()
    with watch.running():
        target = frozen_target(shape, rnd, seed)
        samples = [_used_samples(client.x, rnd, seed, i) for i, client in enumerate(clients)]
        wanted = [_embed(target, x) for x in samples]
        cuts = [rnd.n_train(len(x)) for x in samples]
        predictors = train_predictors(
            [x[:cut] for x, cut in zip(samples, cuts, strict=True)],
            [t[:cut] for t, cut in zip(wanted, cuts, strict=True)],
            untrained_predictors(shape, n, rnd, seed), rnd, seed,
        )  # fmt: skip
    target_cost = multiply_adds(target, shape)
    training = 3 * rnd.steps * rnd.batch_size * multiply_adds(predictors.network, shape)
    for i, x in enumerate(samples):
        ledger.add(
            "discovery/predictors", i, bytes_up=predictors.bytes_each, bytes_down=SEED_BYTES,
            multiply_adds=len(x) * target_cost + training, seconds=watch.seconds / n,
        )  # fmt: skip
    firsts = [len(x) - rnd.n_scored(len(x)) for x in samples]
    return predictors, [(x[k:], t[k:]) for x, t, k in zip(samples, wanted, firsts, strict=True)]


def score(predictors: Predictors, held_out: list[tuple[Tensor, Tensor]], ledger: Ledger) -> Reports:
    """Every client runs all predictors on its own samples and reports a row per field."""
    n = len(held_out)
    rows = []
    for i, (x, wanted) in enumerate(held_out):
        watch = Stopwatch()
        with watch.running():
            rows.append(report_row(squared_errors(predictors, x, wanted), i))
        ledger.add(
            "discovery/novelty", i, bytes_up=COUNT_BYTES + sum(part.nbytes for part in rows[-1]),
            bytes_down=(n - 1) * predictors.bytes_each,
            multiply_adds=n * len(x) * multiply_adds(predictors.network, tuple(x.shape[1:])),
            seconds=watch.seconds,
        )  # fmt: skip
    samples = np.array([len(x) for x, _ in held_out])
    return Reports(samples, *(np.stack(part) for part in zip(*rows, strict=True)))


SEED_BYTES = 8  # the target travels as the seed it is drawn from
COUNT_BYTES = 8  # with the row goes the number of samples it is made from


def _used_samples(x: np.ndarray, rnd: RND, seed: int, i: int) -> Tensor:
    """Client i's samples in the order in which they are used: first to train, then to score."""
    order = numpy_rng(seed, "samples", i).permutation(len(x))[: rnd.n_used(len(x))]
    used = torch.from_numpy(x[order]).to(device())
    return used.contiguous(memory_format=torch.channels_last) if used.ndim == 4 else used


def _embed(target: nn.Module, x: Tensor, chunk: int = 512) -> Tensor:
    with torch.no_grad():
        return torch.cat([target(x[k : k + chunk]) for k in range(0, len(x), chunk)])
