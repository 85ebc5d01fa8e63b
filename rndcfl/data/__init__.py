"""Where do samples come from: datasets by name, one reader each, and data of your own.

Own data come through one door: ``Clients.from_arrays``, and beside it :func:`from_tables`,
:func:`from_datasets` and :func:`from_files`, which are also ``Clients.from_tables`` and so on.
"""

from rndcfl.data.catalogue import DATASETS, load_dataset
from rndcfl.data.dataset import Dataset
from rndcfl.data.datasets import from_datasets
from rndcfl.data.own_files import from_files
from rndcfl.data.tables import from_tables

__all__ = ["DATASETS", "Dataset", "from_datasets", "from_files", "from_tables", "load_dataset"]
