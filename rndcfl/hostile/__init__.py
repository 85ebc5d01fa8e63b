"""What one bad client can do: attacks on what it sends, in :func:`discover` and :func:`simulate`.

A client sends three things, its predictor, its row of the reports and its trained model; an
:class:`Attack` replaces any of them. Attackers here know everything, all predictors and all rows
included, which is more than the protocol gives them: what fails against them fails against less.
"""

from rndcfl.hostile.attackers import Attack, Attackers, one_party
from rndcfl.hostile.catalogue import DISCOVERY, TRAINING, cast
from rndcfl.hostile.predictors import Copy, Garbage, Replay, Universal
from rndcfl.hostile.rows import Compatible, Impersonate, Incompatible, Nonsense, Twin, Wedge
from rndcfl.hostile.trials import Trials, honest_accuracy, infiltrated
from rndcfl.hostile.updates import Scaled

__all__ = [
    "DISCOVERY",
    "TRAINING",
    "Attack",
    "Attackers",
    "Compatible",
    "Copy",
    "Garbage",
    "Impersonate",
    "Incompatible",
    "Nonsense",
    "Replay",
    "Scaled",
    "Trials",
    "Twin",
    "Universal",
    "Wedge",
    "cast",
    "honest_accuracy",
    "infiltrated",
    "one_party",
]
