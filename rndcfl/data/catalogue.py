"""Datasets by name: the bundled one, a local folder, or one checked download.

``fashion-mnist-mini`` travels with the package: the 10,000 images of Fashion-MNIST's official test
file (Xiao et al., arXiv 1708.07747), split 8,000 / 2,000 by a fixed seed. The others are looked for
below `root`, which defaults to the folder named by the environment variable ``RNDCFL_DATA``, then
in the user's cache, and are downloaded into that cache once if they are nowhere and their licence
allows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError, check_name
from rndcfl.common.seeding import numpy_rng
from rndcfl.data import cifar, digits, heart_disease, idx, texts
from rndcfl.data.files import DATA_VARIABLE, sha256


@dataclass(frozen=True, eq=False)
class Origin:
    """Whose samples they are, where a dataset says so: hospitals, scanners, people.

    Attributes
    ----------
    owner : which owner each training sample comes from, int64 [n].
    names : of the owners.
    groups : the natural group of each owner, int64 [owners].
    group_names : of the groups, or none where nobody has grouped them.
    """

    owner: np.ndarray
    names: tuple[str, ...]
    groups: np.ndarray
    group_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled dataset.

    Attributes
    ----------
    x_train, x_test : images float32 [n, C, H, W] in [0, 1], tables float32 [n, d] with NaN for
        missing values, or text int64 [n, length]. Data with natural clients have no test part:
        each client's own is split.
    y_train, y_test : int64 [n], or [n, length] for text (the next characters).
    name : the name it is loaded by.
    title : the name for captions; says so where the pixels are not the official ones.
    n_classes : number of classes.
    sha256 : checksum of the arrays as read (uint8 pixels and labels), for provenance.
    licence, citation : to be passed on with results.
    origin : whose samples they are, where that is known.
    alphabet : of text, the character that each number stands for.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str
    title: str
    n_classes: int
    sha256: str
    licence: str
    citation: str
    origin: Origin | None = None
    alphabet: str = ""


def load_dataset(name: str = "fashion-mnist-mini", root: str | Path | None = None) -> Dataset:
    """Load a dataset by name.

    Parameters
    ----------
    name : one of :data:`DATASETS`; the bundled ``"fashion-mnist-mini"`` needs no files.
    root : folder that holds ``mnist/``, ``heart-disease/`` and so on; default ``$RNDCFL_DATA``.

    Returns
    -------
    Dataset
        Its arrays are read-only: the same object is given to everybody who asks.

    Raises
    ------
    InputError
        For an unknown name, and for a missing or corrupt file: which, where it was looked for, and
        how to get it.
    """
    check_name("dataset", name, DATASETS)
    given, source = (root, "root") if root else (os.environ.get(DATA_VARIABLE), DATA_VARIABLE)
    root = str(given or "")
    if root and name != "fashion-mnist-mini" and not Path(root).is_dir():
        raise InputError(f"data folder {root!r} does not exist ({source}); give another or none")
    return _load(name, root)


@lru_cache(maxsize=3)  # a notebook asks for the same dataset again and again
def _load(name: str, root: str) -> Dataset:
    return DATASETS[name](Path(root) if root else None)


_FASHION = dict(
    licence="MIT", citation="Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv 1708.07747, 2017"
)


def _fashion_mnist_mini(root: Path | None) -> Dataset:
    folder = Path(__file__).parent
    x, y = (idx.FASHION_MNIST.array(k, folder / f"fashion-mnist-{idx.FILES[k]}.gz") for k in (2, 3))
    order = numpy_rng(0, "fashion-mnist-mini").permutation(len(x))
    train, test = order[:8000], order[8000:]
    title = "Fashion-MNIST (official test file, split 8,000/2,000)"
    return _dataset([x[train], y[train], x[test], y[test]], "fashion-mnist-mini", title, **_FASHION)


def _fashion_mnist(root: Path | None) -> Dataset:
    parts = idx.FASHION_MNIST.read(root)
    return _dataset(parts, "fashion-mnist", "Fashion-MNIST", **_FASHION)


def _mnist(root: Path | None) -> Dataset:
    citation = "LeCun, Cortes, Burges: The MNIST database of handwritten digits, 1998"
    return _dataset(idx.MNIST.read(root), "mnist", "MNIST", "CC BY-SA 3.0", citation)


def _cifar10(root: Path | None) -> Dataset:
    parts, title = cifar.read(root)
    citation = "Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009"
    return _dataset(parts, "cifar10", title, "none stated; free to use with citation", citation)


def _dataset(
    parts: list[np.ndarray], name: str, title: str, licence: str, citation: str
) -> Dataset:
    """Bring uint8 arrays (x_train, y_train, x_test, y_test) to the shapes of the contract."""
    checksum = sha256(parts)
    x_train, x_test = (part.astype(np.float32) / np.float32(255) for part in parts[::2])
    y_train, y_test = (part.astype(np.int64) for part in parts[1::2])
    arrays = x_train, y_train, x_test, y_test
    for array in arrays:
        array.setflags(write=False)
    return Dataset(*arrays, name, title, int(y_train.max()) + 1, checksum, licence, citation)


def _natural(
    x: np.ndarray,
    y: np.ndarray,
    origin: Origin,
    n_classes: int,
    name: str,
    title: str,
    licence: str,
    citation: str,
    alphabet: str = "",
) -> Dataset:
    """A dataset with natural clients; its test part is empty."""
    for array in (x, y, origin.owner):
        array.setflags(write=False)
    checksum = sha256([x, y, origin.owner])
    return Dataset(
        x, y, x[:0], y[:0], name, title, n_classes, checksum, licence, citation, origin, alphabet
    )


def _heart_disease(root: Path | None) -> Dataset:
    x, y, owner = heart_disease.read(root)
    origin = Origin(owner, heart_disease.HOSPITALS, np.arange(4), heart_disease.HOSPITALS)
    title = "UCI Heart Disease, four hospitals"
    return _natural(
        x, y, origin, 2, "heart-disease", title, heart_disease.LICENCE, heart_disease.CITATION
    )


def _digits(root: Path | None) -> Dataset:
    x, y, owner = digits.read(root)
    origin = Origin(owner, digits.SOURCES, np.arange(4), digits.SOURCES)
    title = "digits of MNIST, USPS, Optdigits and Semeion, 16x16"
    return _natural(x, y, origin, 10, "digits", title, digits.LICENCE, digits.CITATION)


def _sms(root: Path | None) -> Dataset:
    title = "NUS SMS Corpus, English and Chinese"
    return _people(texts.sms(root), "sms", title, texts.SMS_LICENCE, texts.SMS_CITATION)


def _shakespeare(root: Path | None) -> Dataset:
    citation = "Shakespeare, as collected by Karpathy in char-rnn, 2015"
    people = texts.shakespeare(root)
    return _people(people, "shakespeare", "tinyshakespeare, by speaker", "public domain", citation)


def _people(
    people: list[texts.Person], name: str, title: str, licence: str, citation: str
) -> Dataset:
    """Everybody's text; a group of one name is no grouping."""
    x, y, owner, alphabet = texts.windows(people)
    kinds = tuple(dict.fromkeys(person.group for person in people))
    groups = np.array([kinds.index(person.group) for person in people])
    names = tuple(person.name for person in people)
    origin = Origin(owner, names, groups, kinds if len(kinds) > 1 else ())
    return _natural(x, y, origin, len(alphabet), name, title, licence, citation, alphabet)


DATASETS: dict[str, Callable[[Path | None], Dataset]] = {
    "fashion-mnist-mini": _fashion_mnist_mini,
    "mnist": _mnist,
    "fashion-mnist": _fashion_mnist,
    "cifar10": _cifar10,
    "heart-disease": _heart_disease,
    "digits": _digits,
    "sms": _sms,
    "shakespeare": _shakespeare,
}


def named(parameters: dict[str, Any]) -> list[str]:
    """The datasets a notebook's parameters name: ``dataset``, then ``datasets``."""
    names = [parameters["dataset"]] if "dataset" in parameters else []
    return list(dict.fromkeys([*names, *parameters.get("datasets", [])]))


def data_files(name: str) -> list[Path]:
    """The files dataset `name` would be read from, or none where they are not on this machine."""
    check_name("dataset", name, DATASETS)
    given = os.environ.get(DATA_VARIABLE)
    root = Path(given) if given else None
    if name == "fashion-mnist-mini":
        return sorted(Path(__file__).parent.glob("*.gz"))
    files = {
        "cifar10": cifar.files,
        "mnist": idx.MNIST.files,
        "heart-disease": heart_disease.files,
        "digits": digits.files,
        "sms": texts.sms_files,
        "shakespeare": texts.shakespeare_files,
    }
    return files.get(name, idx.FASHION_MNIST.files)(root)
