"""Federations as data and members change: when to discover again, where newcomers belong."""

from rndcfl.evolving.newcomers import Federations, Placement
from rndcfl.evolving.reported import Reported
from rndcfl.evolving.watching import Standing, same_names

__all__ = ["Federations", "Placement", "Reported", "Standing", "same_names"]
