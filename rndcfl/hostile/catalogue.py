"""The attacks of notebook 11 by name, and who carries them out against whom."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.seeding import numpy_rng
from rndcfl.hostile.attackers import Attack, Attackers, one_party
from rndcfl.hostile.predictors import Copy, Garbage, Replay, Universal
from rndcfl.hostile.rows import Compatible, Impersonate, Incompatible, Nonsense, Twin, Wedge
from rndcfl.hostile.updates import Scaled

HIDING = 1e-3  # noise on a copied predictor, so that it is not the same to the bit

DISCOVERY: dict[str, Callable[[int], Attack]] = {  # victim -> what the attacker sends
    "garbage_random": lambda v: Attack(Garbage("random")),
    "garbage_huge": lambda v: Attack(Garbage("huge")),
    "garbage_nan": lambda v: Attack(Garbage("nan")),
    "copy": lambda v: Attack(Copy(v)),
    "universal": lambda v: Attack(Universal("everything")),
    "universal_noise": lambda v: Attack(Universal("noise")),
    "replay": lambda v: Attack(Replay(v)),
    "nan_row": lambda v: Attack(row=Nonsense()),
    "all_compatible": lambda v: Attack(row=Compatible()),
    "all_incompatible": lambda v: Attack(row=Incompatible()),
    "one_victim": lambda v: Attack(row=Twin(v)),
    "one_victim_plausible": lambda v: Attack(row=Wedge(v)),
    "masquerade": lambda v: Attack(Copy(v, HIDING), Impersonate(v)),
    "glue": lambda v: Attack(Universal("everything"), Compatible()),
    "sybils_compatible": lambda v: Attack(row=Compatible()),
    "sybils_one_victim": lambda v: Attack(row=Twin(v)),
    "sybils_plausible": lambda v: Attack(row=Wedge(v)),
}
TRAINING: dict[str, Callable[[int], Attack]] = {
    "sign_flip": lambda v: Attack(update=Scaled(-1.0)),
    "scaled": lambda v: Attack(update=Scaled(10.0)),
    "scaled_sign_flip": lambda v: Attack(update=Scaled(-10.0)),
    "masquerade_sign_flip": lambda v: Attack(Copy(v, HIDING), Impersonate(v), Scaled(-10.0)),
}


def cast(clients: Clients, name: str, hostile: int, seed: int) -> Attackers:
    """Let `hostile` clients, drawn at random, carry out an attack of the catalogue.

    The same seed draws the same clients for every attack, and of them the first few for a smaller
    share. Each has a victim of its own, an honest client with an honest peer in its group if there
    is one; Sybils (names that begin so) are one party with one data set and one victim.

    Parameters
    ----------
    clients : all clients, with known groups.
    name : of :data:`DISCOVERY` or :data:`TRAINING`.
    hostile : how many of them attack.
    seed : of the draw.

    Returns
    -------
    Attackers
        Whose `clients` are to be used from here on.
    """
    attacks = DISCOVERY | TRAINING
    check_name("attack", name, attacks)
    check_number("hostile", hostile, 1, len(clients) - 1, whole=True)
    if clients.groups is None:
        raise InputError("attacks of the catalogue need clients whose true groups are known")
    rng = numpy_rng(seed, "hostile")
    bad = rng.permutation(len(clients))[:hostile].tolist()
    party = name.startswith("sybils")
    if party:
        clients = one_party(clients, bad)
    groups = clients.groups
    assert groups is not None
    honest = np.setdiff1d(np.arange(len(clients)), bad)
    peers = (groups[honest][:, None] == groups[honest]).sum(1) > 1
    worth = honest[peers] if peers.any() else honest
    draw = numpy_rng(seed, "victims")
    victims = [int(draw.choice(worth)) for _ in bad]
    return Attackers(
        clients,
        {i: attacks[name](victims[0] if party else v) for i, v in zip(bad, victims, strict=True)},
    )
