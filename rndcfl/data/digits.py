"""Handwritten digits through four devices: MNIST, USPS, Optdigits and Semeion, all at 16x16.

The same task; what differs are pens, scanners and what was done to the images afterwards.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from scipy import ndimage

from rndcfl.data import idx
from rndcfl.data.dataset import Origin, Samples, natural
from rndcfl.data.files import corrupt, download, find, find_each, not_found, sha256

SOURCES = ("MNIST", "USPS", "Optdigits", "Semeion")
LICENCE = "CC BY-SA 3.0 (MNIST), none stated (USPS), CC BY 4.0 (Optdigits, Semeion)"
CITATION = (
    "LeCun, Cortes, Burges: MNIST, 1998; Hull: A database for handwritten text recognition "
    "research, 1994 (USPS); Alpaydin, Kaynak: Optical Recognition of Handwritten Digits, UCI, "
    "1998; Buscema, Terzi: Semeion Handwritten Digit, UCI, 1994"
)
SIZE = 16
MOST = 10_000  # of MNIST, so that no source is more than the others together
UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/"
USPS = ("usps.bz2", "usps.t.bz2")
USPS_FROM = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps"
CONTENT = {  # sha256 of labels and images as uint8, sorted
    "Optdigits": "f3efc235228efaf8d9763a187a3382ec99025f3f00cf1ebb336c3e6fb572e96f",
    "Semeion": "58d1b6447f7a6cc9516d69b58b3861990979ae25a83c5e1ffb48248deea5a045",
}


def read(root: Path | None) -> Samples:
    """The digits of all four sources.

    Returns
    -------
    Samples
        x float32 [n, 1, 16, 16] in [0, 1]; an image's owner is the position in :data:`SOURCES`.
    """
    usps = _usps(root)  # first: it is not downloaded, so that it may be what is missing
    parts = [_mnist(root), usps, _optdigits(root), _semeion(root)]
    x = np.concatenate([_resized(images) for images, _ in parts])
    y = np.concatenate([labels for _, labels in parts])
    owner = np.repeat(np.arange(4), [len(labels) for _, labels in parts])
    origin = Origin.each_apart(owner, SOURCES)
    return natural(x[:, None], y.astype(np.int64), origin, n_classes=10)


def files(root: Path | None) -> list[Path]:
    """The files of all four sources as they are on this machine, or none if any is missing."""
    others = [
        _complete(names, root)
        for names in (
            (["usps.npz"], USPS),
            (["optdigits.npz"], ["optdigits.tra", "optdigits.tes"]),
            (["semeion.npz"], ["semeion.data"]),
        )
    ]
    mnist = idx.MNIST.files(root)
    return [*mnist, *chain(*others)] if mnist and all(others) else []


def _complete(choices: Iterable[Sequence[str]], root: Path | None) -> list[Path]:
    """The paths of the first choice whose files are all there, or none."""
    found = (find_each("digits", [[name] for name in names], root) for names in choices)
    return next(filter(None, found), [])


def _resized(images: np.ndarray) -> np.ndarray:
    """[n, h, w] -> float32 [n, 16, 16], bilinear."""
    zoom = (1, SIZE / images.shape[1], SIZE / images.shape[2])
    return np.clip(ndimage.zoom(images.astype(np.float32), zoom, order=1), 0, 1)


def _mnist(root: Path | None) -> tuple[np.ndarray, np.ndarray]:
    x, y = idx.MNIST.read(root)[:2]
    return x[:MOST, 0] / 255, y[:MOST]


def _usps(root: Path | None) -> tuple[np.ndarray, np.ndarray]:
    packed = find("digits", ["usps.npz"], root)
    if packed:
        arrays = _arrays(packed, "x_train", "y_train", "x_test", "y_test")
        x = np.concatenate([arrays["x_train"], arrays["x_test"]])
        return x / 255, np.concatenate([arrays["y_train"], arrays["y_test"]])
    official = [find("digits", [name], root) for name in USPS]
    if not all(official):
        raise not_found("digits", USPS, USPS_FROM, root)
    try:
        from sklearn.datasets import load_svmlight_file  # a second to import: only where needed

        rows = [load_svmlight_file(str(path), n_features=SIZE**2) for path in official]
    except (OSError, EOFError, ValueError) as problem:
        raise corrupt(Path(f"{official[0]} or {USPS[1]}"), problem) from None
    x = np.concatenate([images.toarray() for images, _ in rows]).reshape(-1, SIZE, SIZE)
    return (x + 1) / 2, np.concatenate([labels for _, labels in rows]) - 1  # classes 1 to 10


def _optdigits(root: Path | None) -> tuple[np.ndarray, np.ndarray]:
    packed = find("digits", ["optdigits.npz"], root)
    if packed:
        a = _arrays(packed, "x_train", "y_train", "x_test", "y_test")
        x = np.concatenate([a["x_train"], a["x_test"]])
        y = np.concatenate([a["y_train"], a["y_test"]])
        x, y = _checked("Optdigits", packed, x, y)
        return x / 16, y
    parts = [_numbers(f"optdigits/optdigits.{part}", ",", 65, root) for part in ("tra", "tes")]
    rows = np.concatenate([part for part, _ in parts])
    x, y = _checked("Optdigits", parts[0][1], rows[:, :-1].reshape(-1, 8, 8), rows[:, -1])
    return x / 16, y


def _semeion(root: Path | None) -> tuple[np.ndarray, np.ndarray]:
    packed = find("digits", ["semeion.npz"], root)
    if packed:
        arrays = _arrays(packed, "x", "y")
        return _checked("Semeion", packed, arrays["x"], arrays["y"])
    rows, path = _numbers("semeion/semeion.data", None, 266, root)
    x, y = rows[:, :256].reshape(-1, SIZE, SIZE), rows[:, 256:].argmax(1)
    return _checked("Semeion", path, x, y)


def _arrays(path: Path, *names: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as packed:
            return {name: packed[name] for name in names}
    except (OSError, EOFError, ValueError, KeyError, zlib.error, zipfile.BadZipFile) as problem:
        raise corrupt(path, problem) from None


def _numbers(
    file: str, delimiter: str | None, columns: int, root: Path | None
) -> tuple[np.ndarray, Path]:
    """The numbers in an official text file, and where it lies."""
    path = find("digits", [file.split("/")[1]], root)
    path = path or download("digits", UCI + file, None, root)
    try:
        return np.loadtxt(path, delimiter=delimiter, ndmin=2).reshape(-1, columns), path
    except (OSError, ValueError) as problem:
        raise corrupt(path, problem) from None


def _checked(
    source: str, path: Path, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same as uint8, if they are the official images and labels, however packed."""
    x, y = x.astype(np.uint8), y.astype(np.uint8)
    rows = sorted(np.insert(x.reshape(len(x), -1), 0, y, axis=1).tolist())  # in any order
    if sha256(map(bytes, rows)) != CONTENT[source]:
        raise corrupt(path, "wrong checksum")
    return x, y
