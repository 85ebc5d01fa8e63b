"""Settings: who holds which samples, and what happens to them; natural groups; drift."""

from rndcfl.settings.catalogue import SETTINGS, Plan, Skew
from rndcfl.settings.partition import make_clients

__all__ = ["SETTINGS", "Plan", "Skew", "make_clients"]
