"""Random network distillation for clustered federated learning.

A reproducible companion to Domini, Aguzzi, Dusparic, Pianini, Viroli: *Discovering Collaboration
from Novelty: Random Network Distillation for Clustered Federated Learning*, arXiv 2606.30499.
"""

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

__all__ = [
    "DATASETS",
    "METHODS",
    "RND",
    "SETTINGS",
    "Client",
    "Clients",
    "Dataset",
    "Discovery",
    "Drift",
    "History",
    "InputError",
    "Ledger",
    "Privacy",
    "ScaleDiscovery",
    "discover",
    "discover_at_scale",
    "from_tables",
    "load_dataset",
    "make_clients",
    "make_drift",
    "simulate",
]
