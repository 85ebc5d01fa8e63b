"""Who holds which samples, and what happens to them: settings, natural groups, drift."""

from rndcfl.settings.catalogue import SETTINGS, Plan, Skew
from rndcfl.settings.drift import Drift, make_drift
from rndcfl.settings.partition import make_clients

__all__ = ["SETTINGS", "Drift", "Plan", "Skew", "make_clients", "make_drift"]
