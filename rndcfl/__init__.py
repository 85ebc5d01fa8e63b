"""Random network distillation for clustered federated learning.

A reproducible companion to Domini, Aguzzi, Dusparic, Pianini, Viroli: *Discovering Collaboration
from Novelty: Random Network Distillation for Clustered Federated Learning*, arXiv 2606.30499.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if os.environ.get("RNDCFL_REACHED"):  # what a published result rests on, noted as it runs
    import_module("rndcfl.book.provenance.reached").record()

if TYPE_CHECKING:
    from rndcfl.clients import Client, Clients
    from rndcfl.common.errors import InputError, Notice
    from rndcfl.common.ledger import Ledger
    from rndcfl.data.catalogue import DATASETS, Dataset, load_dataset
    from rndcfl.data.datasets import from_datasets
    from rndcfl.data.own_files import from_files
    from rndcfl.data.tables import from_tables
    from rndcfl.discovery import discover
    from rndcfl.federations import Discovery
    from rndcfl.methods import METHODS
    from rndcfl.predictors import RND
    from rndcfl.privacy.promise import Privacy
    from rndcfl.scale.landmarks import ScaleDiscovery, discover_at_scale
    from rndcfl.settings.catalogue import SETTINGS
    from rndcfl.settings.drift import Drift, make_drift
    from rndcfl.settings.partition import make_clients
    from rndcfl.simulation import History, simulate

__version__ = "2.0.0"

_HOME = {  # public name -> its module, imported when the name is first asked for
    "DATASETS": "data.catalogue",
    "METHODS": "methods",
    "RND": "predictors",
    "SETTINGS": "settings.catalogue",
    "Client": "clients",
    "Clients": "clients",
    "Dataset": "data.catalogue",
    "Discovery": "federations",
    "Drift": "settings.drift",
    "History": "simulation",
    "InputError": "common.errors",
    "Ledger": "common.ledger",
    "Notice": "common.errors",
    "Privacy": "privacy.promise",
    "ScaleDiscovery": "scale.landmarks",
    "discover": "discovery",
    "discover_at_scale": "scale.landmarks",
    "from_datasets": "data.datasets",
    "from_files": "data.own_files",
    "from_tables": "data.tables",
    "load_dataset": "data.catalogue",
    "make_clients": "settings.partition",
    "make_drift": "settings.drift",
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
