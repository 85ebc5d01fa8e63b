"""Criteria: from what clients report to federations, one file each."""

from rndcfl.criteria.base import Criterion
from rndcfl.criteria.calibrated import Calibrated
from rndcfl.criteria.paper import Paper

CRITERIA: dict[str, type[Criterion]] = {"calibrated": Calibrated, "paper": Paper}

__all__ = ["CRITERIA", "Calibrated", "Criterion", "Paper"]
