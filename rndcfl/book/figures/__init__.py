"""One function per figure: a tidy table (or arrays) in, a matplotlib figure out."""

# ruff: noqa: F401 (the names that notebooks take from here)

from rndcfl.book.figures.discovery import discovery_cost, evidence, recovery, tolerance
from rndcfl.book.figures.distillation import budget, distillation
from rndcfl.book.figures.flower import many_sites, message_bytes
from rndcfl.book.figures.hostile import hostile, poisoned, torn
from rndcfl.book.figures.methods import accuracy_against_cost, gains
from rndcfl.book.figures.natural import distances, federation_tree, resolution, worth
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
from rndcfl.book.figures.testing import (
    calibration_curve,
    margins,
    power,
    profiles,
    quantiles,
    sensitivity,
    simultaneous_bands,
)
from rndcfl.book.figures.training import (
    accuracy_by_client,
    cost_and_accuracy,
    curves,
    drift,
    pictures,
)
