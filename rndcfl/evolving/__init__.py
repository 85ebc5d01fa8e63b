"""Federations as data and members change: when to discover again, where newcomers belong."""

from rndcfl.evolving.newcomers import Federations, Placement
from rndcfl.evolving.watching import Standing, same_names

__all__ = ["Federations", "Placement", "Standing", "same_names"]
