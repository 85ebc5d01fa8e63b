"""Datasets by name: the bundled one, a local folder, or one checked download.

``fashion-mnist-mini`` travels with the package: the 10,000 images of Fashion-MNIST's official test
file (Xiao et al., arXiv 1708.07747), split 8,000 / 2,000 by a fixed seed. The others are looked for
below `root`, which defaults to the folder named by the environment variable ``RNDCFL_DATA``, then
in the user's cache, and are downloaded into that cache once if they are not found and their licence
allows it.

To add a dataset, write a reader beside those here and add one :class:`Source`.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from rndcfl.common.errors import InputError, check_name
from rndcfl.data import cifar, digits, heart_disease, idx, texts, waves
from rndcfl.data.dataset import Dataset, Origin, Source, images
from rndcfl.data.files import DATA_VARIABLE

__all__ = ["DATASETS", "Dataset", "Origin", "Source", "data_files", "load_dataset", "named"]

BUNDLED = "fashion-mnist-mini"

_SOURCES = (
    Source(
        name=BUNDLED,
        title="Fashion-MNIST (official test file, split 8,000/2,000)",
        licence=idx.FASHION_LICENCE,
        citation=idx.FASHION_CITATION,
        read=lambda root: images(idx.bundled()),
        files=lambda root: idx.bundled_files(),
    ),
    Source(
        name="waves",
        title=waves.TITLE,
        licence=waves.LICENCE,
        citation=waves.CITATION,
        read=waves.read,
        files=lambda root: [],
    ),
    Source(
        name="mnist",
        title="MNIST",
        licence="CC BY-SA 3.0",
        citation="LeCun, Cortes, Burges: The MNIST database of handwritten digits, 1998",
        read=lambda root: images(idx.MNIST.read(root)),
        files=idx.MNIST.files,
    ),
    Source(
        name="fashion-mnist",
        title="Fashion-MNIST",
        licence=idx.FASHION_LICENCE,
        citation=idx.FASHION_CITATION,
        read=lambda root: images(idx.FASHION_MNIST.read(root)),
        files=idx.FASHION_MNIST.files,
    ),
    Source(
        name="cifar10",
        title="CIFAR-10",
        licence="none stated; free to use with citation",
        citation="Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
        read=lambda root: images(*cifar.read(root)),
        files=cifar.files,
    ),
    Source(
        name="heart-disease",
        title="UCI Heart Disease, four hospitals",
        licence=heart_disease.LICENCE,
        citation=heart_disease.CITATION,
        read=heart_disease.read,
        files=heart_disease.files,
    ),
    Source(
        name="digits",
        title="digits of MNIST, USPS, Optdigits and Semeion, 16x16",
        licence=digits.LICENCE,
        citation=digits.CITATION,
        read=digits.read,
        files=digits.files,
    ),
    Source(
        name="sms",
        title="NUS SMS Corpus, English and Chinese",
        licence=texts.SMS_LICENCE,
        citation=texts.SMS_CITATION,
        read=lambda root: texts.of_people(texts.sms(root)),
        files=texts.sms_files,
    ),
    Source(
        name="shakespeare",
        title="tinyshakespeare, by speaker",
        licence="public domain",
        citation="Shakespeare, as collected by Karpathy in char-rnn, 2015",
        read=lambda root: texts.of_people(texts.shakespeare(root)),
        files=texts.shakespeare_files,
    ),
)
DATASETS: dict[str, Source] = {source.name: source for source in _SOURCES}


def load_dataset(name: str = BUNDLED, root: str | Path | None = None) -> Dataset:
    """Load a dataset by name.

    Parameters
    ----------
    name : one of :data:`DATASETS`; the bundled ``"fashion-mnist-mini"`` (images) and ``"waves"``
        (series) need no files.
    root : folder that holds ``mnist/``, ``heart-disease/`` and so on; default ``$RNDCFL_DATA``.

    Returns
    -------
    Dataset
        Its arrays are read-only: all callers get the same object.

    Raises
    ------
    InputError
        For an unknown name, and for a missing or corrupt file: which, where it was looked for, and
        how to get it.
    """
    check_name("dataset", name, DATASETS)
    given, source = (root, "root") if root else (os.environ.get(DATA_VARIABLE), DATA_VARIABLE)
    root = str(given or "")
    if root and name not in (BUNDLED, "waves") and not Path(root).is_dir():
        raise InputError(f"data folder {root!r} does not exist ({source}); give another or none")
    return _load(name, root)


@lru_cache(maxsize=3)  # a notebook asks for the same dataset again and again
def _load(name: str, root: str) -> Dataset:
    return DATASETS[name].load(Path(root) if root else None)


def named(parameters: dict[str, Any]) -> list[str]:
    """The datasets a notebook's parameters name: ``dataset``, then ``datasets``."""
    names = [parameters["dataset"]] if "dataset" in parameters else []
    return list(dict.fromkeys([*names, *parameters.get("datasets", [])]))


def data_files(name: str) -> list[Path]:
    """The files dataset `name` would be read from, or none where they are not on this machine."""
    check_name("dataset", name, DATASETS)
    given = os.environ.get(DATA_VARIABLE)
    return DATASETS[name].files(Path(given) if given else None)
