"""Partition: share a dataset out to clients under a non-IID setting, with known true groups.

Clients belong to groups in turn (client i to group ``i % n_groups``), so that adding a client
leaves the others as they were, or to the groups that are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError, check_number
from rndcfl.common.seeding import numpy_rng
from rndcfl.data.catalogue import Dataset, load_dataset
from rndcfl.settings.catalogue import Plan, bound
from rndcfl.settings.natural import natural_clients


def make_clients(
    dataset: Dataset | str,
    setting: str,
    n_clients: int = 12,
    n_groups: int = 4,
    seed: int = 0,
    samples_per_client: int | None = None,
    test_per_client: int | None = None,
    groups: Sequence[int] | None = None,
    draw: int = 0,
    **params: Any,
) -> Clients:
    """Share a dataset out to clients under a non-IID setting.

    Parameters
    ----------
    dataset : a :class:`Dataset` or the name of one.
    setting : one of :data:`SETTINGS`; ``"natural"`` for data with natural clients, where
        `n_groups` is not used, see :func:`rndcfl.settings.natural.natural_clients`.
    n_clients, n_groups : clients and true groups (the paper: 12 and 4).
    seed : everything random derives from it.
    samples_per_client : training samples of each client (on average, for ``quantity``); default as
        many as the dataset can give to all clients. No image is given out twice.
    test_per_client : test samples of each client; default as many as it can give to all.
    groups : true group of each client, 0, 1, ..., instead of `n_clients` and of taking turns;
        there are `n_groups` or more, and a group may be empty.
    draw : another number gives other samples of the same distributions.
    **params : the setting's own parameters, e.g. ``rms`` for ``pattern``.

    Returns
    -------
    Clients
        With train and test data of the same skew, and the true groups.

    Raises
    ------
    InputError
        For an unknown setting or parameter, more groups than clients, or too few samples.
    """
    plan_for = bound(setting, params)
    check_number("n_groups", n_groups, 1, whole=True)
    check_number("n_clients", n_clients, 1, whole=True)
    check_number("seed", seed, 0, whole=True)
    check_number("draw", draw, 0, whole=True)
    counts = dict(samples_per_client=samples_per_client, test_per_client=test_per_client)
    for name, count in counts.items():
        if count is not None:
            check_number(name, count, 1, whole=True)
    data = load_dataset(dataset) if isinstance(dataset, str) else dataset
    if data.origin is not None:
        if setting != "natural" or groups is not None:
            raise InputError(f"{data.name} has groups of its own; take setting 'natural'")
        return natural_clients(data, data.origin, n_clients, seed, **counts, draw=draw)
    if groups is not None:
        check_number("number of groups given", len(groups), 1, whole=True)
        for group in groups:
            check_number("each of groups", group, 0, whole=True)
        n_clients, n_groups = len(groups), max(n_groups, int(max(groups)) + 1)
    truth = np.arange(n_clients) % n_groups if groups is None else np.asarray(groups)
    skew = plan_for(Plan(data, truth, n_groups, seed))
    several = skew.groups.any()  # iid has one group, whatever `n_groups` is
    if groups is None and n_groups > n_clients and several:
        raise InputError(f"{n_groups} groups need at least as many clients, got {n_clients}")
    again = (draw,) if draw else ()
    sizes = np.ones(n_clients) if skew.sizes is None else skew.sizes
    shares = None if skew.class_shares is None else skew.class_shares[skew.groups]
    train = allocate(
        data.y_train,
        sizes,
        shares,
        samples_per_client,
        numpy_rng(seed, "train", *again),
        "training",
    )
    equal = np.ones(n_clients)
    test = allocate(
        data.y_test, equal, shares, test_per_client, numpy_rng(seed, "test", *again), "test"
    )

    def altered(x: np.ndarray, y: np.ndarray, i: int, part: str) -> tuple[np.ndarray, np.ndarray]:
        rng = numpy_rng(seed, "transform", part, i, *again)
        x, y = skew.transform(x, y, int(skew.groups[i]), rng)
        return np.ascontiguousarray(x, dtype=np.float32), y

    members = []
    for i, group in enumerate(skew.groups):
        x, y = altered(data.x_train[train[i]], data.y_train[train[i]], i, "train")
        x_test, y_test = altered(data.x_test[test[i]], data.y_test[test[i]], i, "test")
        members.append(Client(x, y, x_test, y_test, int(group)))
    return Clients(tuple(members), data.n_classes, data.name, setting)


def allocate(
    labels: np.ndarray,
    sizes: np.ndarray,
    shares: np.ndarray | None,
    wanted: int | None,
    rng: np.random.Generator,
    part: str,
) -> list[np.ndarray]:
    """Share samples out to clients, none given twice.

    Parameters
    ----------
    labels : of the dataset's samples, int64 [n].
    sizes : relative number of samples per client, [N].
    shares : P(y) per client, [N, n_classes]; None leaves classes as they fall.
    wanted : samples of a client of size 1; None for as many as all clients can have.
    rng : of the order in which samples are given out.
    part : what the samples are, for the error message.

    Returns
    -------
    list of N int64 index arrays. Clients are served in order, so that a client's samples do not
    depend on those that come after it.

    Raises
    ------
    InputError
        If there are not enough samples.
    """
    pool_of = np.zeros(len(labels), dtype=np.int64) if shares is None else labels
    per_client = np.ones((len(sizes), 1)) if shares is None else shares
    pools = [rng.permutation(np.flatnonzero(pool_of == c)) for c in range(per_client.shape[1])]
    available = np.array([len(pool) for pool in pools])

    def counts(n: int) -> np.ndarray:
        total = np.maximum(1, np.rint(n * sizes)).astype(np.int64)
        return np.array([_round_shares(m, p) for m, p in zip(total, per_client, strict=True)])

    most = int(len(labels) // sizes.sum())
    while most > 0 and (counts(most).sum(0) > available).any():
        most -= max(1, most // 200)
    while 0 < most < len(labels) and (counts(most + 1).sum(0) <= available).all():
        most += 1
    if most == 0 or (wanted is not None and (counts(wanted).sum(0) > available).any()):
        asked = 1 if wanted is None else wanted
        raise InputError(
            f"{len(sizes)} clients of {asked} {part} samples need more than the dataset's "
            f"{len(labels)}; this setting can give each at most {most}"
        )
    ends = counts(most if wanted is None else wanted).cumsum(0)
    starts = np.vstack([np.zeros_like(ends[:1]), ends[:-1]])
    return [
        np.concatenate([pool[s:e] for pool, s, e in zip(pools, starts[i], ends[i], strict=True)])
        for i in range(len(sizes))
    ]


def _round_shares(n: int, shares: np.ndarray) -> np.ndarray:
    """Whole counts that sum to `n` in proportion to `shares` (largest remainders)."""
    exact = n * shares / shares.sum()
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: n - counts.sum()]] += 1
    return counts
