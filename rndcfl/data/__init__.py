"""Where do samples come from: datasets by name, one reader each, and tables of your own."""

from rndcfl.data.catalogue import DATASETS, load_dataset
from rndcfl.data.dataset import Dataset
from rndcfl.data.tables import from_tables

__all__ = ["DATASETS", "Dataset", "from_tables", "load_dataset"]
