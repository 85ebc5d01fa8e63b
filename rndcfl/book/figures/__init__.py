"""One function per figure: a tidy table (or arrays) in, a matplotlib figure out."""

from rndcfl.book.figures.discovery import (
    discovery_cost,
    evidence,
    margins,
    power,
    profiles,
    quantiles,
    recovery,
    sensitivity,
    tolerance,
)
from rndcfl.book.figures.flower import many_sites, message_bytes
from rndcfl.book.figures.hostile import hostile, poisoned, torn
from rndcfl.book.figures.methods import accuracy_against_cost, gains
from rndcfl.book.figures.natural import distances, resolution, worth
from rndcfl.book.figures.novelty import (
    LEVELS,
    level_table,
    novelty_levels,
    novelty_matrix,
    pair_table,
    toy_novelty,
)
from rndcfl.book.figures.playing import cadence, compatibility, skew
from rndcfl.book.figures.privacy import membership, private_recovery, reconstruction
from rndcfl.book.figures.scale import exponent, scaling
from rndcfl.book.figures.training import (
    accuracy_by_client,
    cost_and_accuracy,
    curves,
    drift,
    pictures,
)

__all__ = [
    "LEVELS",
    "accuracy_against_cost",
    "accuracy_by_client",
    "cadence",
    "compatibility",
    "cost_and_accuracy",
    "curves",
    "discovery_cost",
    "distances",
    "drift",
    "evidence",
    "exponent",
    "gains",
    "hostile",
    "level_table",
    "many_sites",
    "margins",
    "membership",
    "message_bytes",
    "novelty_levels",
    "novelty_matrix",
    "pair_table",
    "pictures",
    "poisoned",
    "power",
    "private_recovery",
    "profiles",
    "quantiles",
    "reconstruction",
    "recovery",
    "resolution",
    "scaling",
    "sensitivity",
    "skew",
    "tolerance",
    "torn",
    "toy_novelty",
    "worth",
]
