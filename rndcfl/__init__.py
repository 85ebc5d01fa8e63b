"""Random network distillation for clustered federated learning.

A reproducible companion to Domini, Aguzzi, Dusparic, Pianini, Viroli: *Discovering Collaboration
from Novelty: Random Network Distillation for Clustered Federated Learning*, arXiv 2606.30499.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if os.environ.get("RNDCFL_REACHED"):  # what a published result rests on, noted as it runs
    import_module("rndcfl.reached").record()

if TYPE_CHECKING:
    from rndcfl.clients import Client, Clients
    from rndcfl.datasets import DATASETS, Dataset, load_dataset
    from rndcfl.discovery import discover
    from rndcfl.drift import Drift, make_drift
    from rndcfl.errors import InputError
    from rndcfl.findings import Discovery
    from rndcfl.landmarks import ScaleDiscovery, discover_at_scale
    from rndcfl.ledger import Ledger
    from rndcfl.methods import METHODS
    from rndcfl.partition import make_clients
    from rndcfl.predictors import RND
    from rndcfl.private import Privacy
    from rndcfl.settings import SETTINGS
    from rndcfl.simulation import History, simulate
    from rndcfl.tables import from_tables

__version__ = "1.0.0"

_HOME = {  # public name -> its module, imported when the name is first asked for
    "DATASETS": "datasets",
    "METHODS": "methods",
    "RND": "predictors",
    "SETTINGS": "settings",
    "Client": "clients",
    "Clients": "clients",
    "Dataset": "datasets",
    "Discovery": "findings",
    "Drift": "drift",
    "History": "simulation",
    "InputError": "errors",
    "Ledger": "ledger",
    "Privacy": "private",
    "ScaleDiscovery": "landmarks",
    "discover": "discovery",
    "discover_at_scale": "landmarks",
    "from_tables": "tables",
    "load_dataset": "datasets",
    "make_clients": "partition",
    "make_drift": "drift",
    "simulate": "simulation",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
