"""What a dataset is: arrays, whose samples they are, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rndcfl.data.files import sha256


@dataclass(frozen=True, eq=False)
class Origin:
    """Whose samples they are, where a dataset says so: hospitals, scanners, people.

    Attributes
    ----------
    owner : which owner each training sample comes from, int64 [n].
    names : of the owners.
    groups : the natural group of each owner, int64 [owners].
    group_names : of the groups, or none where the owners are not grouped.
    """

    owner: np.ndarray
    names: tuple[str, ...]
    groups: np.ndarray
    group_names: tuple[str, ...]

    @classmethod
    def each_apart(cls, owner: np.ndarray, names: tuple[str, ...]) -> Origin:
        """Every owner is a group of its own."""
        return cls(owner, names, np.arange(len(names)), names)


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


@dataclass(frozen=True, eq=False)
class Samples:
    """What a reader gives: those fields of :class:`Dataset` that depend on the files.

    `title` replaces that of the source where the files are not the official ones.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    n_classes: int
    sha256: str
    origin: Origin | None = None
    alphabet: str = ""
    title: str = ""


@dataclass(frozen=True)
class Source:
    """Where a dataset comes from.

    Attributes
    ----------
    name : the name it is loaded by.
    title : the name for captions.
    licence, citation : to be passed on with results.
    read : data folder, or None -> its samples, from files that lie there or are downloaded.
    files : data folder, or None -> the files that it would be read from, or none where they are
        not on this machine.
    """

    name: str
    title: str
    licence: str
    citation: str
    read: Callable[[Path | None], Samples]
    files: Callable[[Path | None], list[Path]]

    def load(self, root: Path | None) -> Dataset:
        """The dataset, from the data folder `root`."""
        found = vars(self.read(root))
        return Dataset(
            **found | {"title": found["title"] or self.title},
            name=self.name,
            licence=self.licence,
            citation=self.citation,
        )


def images(parts: Sequence[np.ndarray], title: str = "") -> Samples:
    """Samples of uint8 pixels and labels x_train, y_train, x_test, y_test."""
    checksum = sha256(parts)
    x_train, x_test = (part.astype(np.float32) / np.float32(255) for part in parts[::2])
    y_train, y_test = (part.astype(np.int64) for part in parts[1::2])
    arrays = x_train, y_train, x_test, y_test
    for array in arrays:
        array.setflags(write=False)
    return Samples(*arrays, int(y_train.max()) + 1, checksum, title=title)


def natural(
    x: np.ndarray, y: np.ndarray, origin: Origin, n_classes: int, alphabet: str = ""
) -> Samples:
    """Samples with natural clients; the test part is empty."""
    for array in (x, y, origin.owner):
        array.setflags(write=False)
    checksum = sha256([x, y, origin.owner])
    return Samples(x, y, x[:0], y[:0], n_classes, checksum, origin, alphabet)
