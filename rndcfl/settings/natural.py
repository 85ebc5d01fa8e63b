"""Natural clients: groups that were not drawn, from data whose samples are known by owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError
from rndcfl.common.seeding import numpy_rng
from rndcfl.data.catalogue import Dataset, Origin
from rndcfl.data.tables import Scale

TEST_SHARE = 0.25


def natural_clients(
    data: Dataset,
    origin: Origin,
    n_clients: int,
    seed: int,
    samples_per_client: int | None = None,
    test_per_client: int | None = None,
    draw: int = 0,
) -> Clients:
    """Clients from the owners of a dataset's samples.

    Where there are more owners than clients (people), a client is one owner with enough samples,
    drawn by group in turn. Where there are fewer (hospitals, scanners), the owners' samples are cut
    into as many portions as it takes, and an owner is a group.

    Parameters
    ----------
    data, origin : the samples and whose they are.
    n_clients : how many.
    seed : of the draws.
    samples_per_client : most training samples of a client; default all it has.
    test_per_client : its test samples; default a quarter of what it has.
    draw : another number gives other samples of the same owners.

    Returns
    -------
    Clients
        Tables are filled and on one scale (:mod:`rndcfl.data.tables`).

    Raises
    ------
    InputError
        For more clients than owners who have enough, or portions too small to train and test.
    """

    least = 1 if samples_per_client is None else samples_per_client

    def n_test(held: int) -> int:
        return round(TEST_SHARE * held) if test_per_client is None else test_per_client

    def suffices(held: int) -> bool:
        return n_test(held) >= 1 and held - n_test(held) >= least

    owners, holdings = (
        _portions(origin, n_clients, seed)
        if n_clients > len(origin.names)
        else _people(origin, n_clients, suffices, seed)
    )
    again = (draw,) if draw else ()
    members = []
    for i, (owner, held) in enumerate(zip(owners, holdings, strict=True)):
        order = numpy_rng(seed, "natural", i, *again).permutation(held)
        test, train = np.split(order, [n_test(len(held))])
        train = train[:samples_per_client]
        if not len(train) or not len(test):
            raise InputError(
                f"natural: client {i} would have {len(train)} samples to train and {len(test)} to "
                f"test; take fewer than {n_clients} clients, or fewer test samples"
            )
        name = origin.names[owner]
        if n_clients > len(origin.names):
            name += f" {1 + owners[:i].tolist().count(owner)}"
        group = int(origin.groups[owner]) if origin.group_names else None
        x, y = data.x_train, data.y_train
        members.append(Client(x[train], y[train], x[test], y[test], group, name))
    if members[0].kind == "table":
        members = _scaled(members)
    return Clients(tuple(members), data.n_classes, data.name, "natural")


def _portions(origin: Origin, n_clients: int, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Client i takes a portion of owner i modulo their number: owner, and samples, of each."""
    n = len(origin.names)
    owners = np.arange(n_clients) % n
    cut = []
    for owner in range(n):
        held = np.flatnonzero(origin.owner == owner)
        shuffled = held[numpy_rng(seed, "portions", owner).permutation(len(held))]
        cut.append(np.array_split(shuffled, (owners == owner).sum()))
    return owners, [cut[owner][i // n] for i, owner in enumerate(owners)]


def _people(
    origin: Origin, n_clients: int, suffices: Callable[[int], bool], seed: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Owners who have enough samples, drawn by group in turn: owner, and samples, of each."""
    have = np.bincount(origin.owner, minlength=len(origin.names))
    enough = np.array([suffices(n) for n in have])
    rng, kinds = numpy_rng(seed, "people"), np.unique(origin.groups)
    drawn = [list(rng.permutation(np.flatnonzero((origin.groups == k) & enough))) for k in kinds]
    wanted = np.bincount(np.arange(n_clients) % len(kinds), minlength=len(kinds))
    for k, count in zip(kinds, wanted, strict=True):
        if count > len(drawn[k]):
            group = f" of group {origin.group_names[k]}" if origin.group_names else ""
            raise InputError(
                f"natural: {n_clients} clients would take {count} owners{group}, and "
                f"{len(drawn[k])} have enough samples; take fewer clients or samples of each"
            )
    owners = [int(drawn[i % len(kinds)].pop()) for i in range(n_clients)]
    return np.array(owners), [np.flatnonzero(origin.owner == owner) for owner in owners]


def _scaled(members: list[Client]) -> list[Client]:
    """Tables on a scale agreed from training rows."""
    scale = Scale.agreed([client.x for client in members])
    scaled = []
    for client in members:
        assert client.x_test is not None  # every natural client has test data
        scaled.append(replace(client, x=scale.fill(client.x), x_test=scale.fill(client.x_test)))
    return scaled
