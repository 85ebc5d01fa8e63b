"""CIFAR-10: the official python batches, read without running what a pickle may ask for."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError
from rndcfl.data.files import corrupt, download, find

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
FIRST_BATCH_MD5 = "c99cafc152244af753f735de768cd75f"  # of the official data_batch_1
FOLDER = "cifar-10-batches-py"
FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def read(root: Path | None) -> tuple[list[np.ndarray], str]:
    """x_train uint8 [50000, 3, 32, 32], y_train uint8 [50000], x_test, y_test; and a title.

    The title says so where the pixels are not those of the official release.
    """
    folder = _folder(root)
    batches = [_read_batch(folder / name) for name in FILES]
    x = np.concatenate([data for data, _ in batches]).reshape(-1, 3, 32, 32)
    y = np.concatenate([labels for _, labels in batches])
    return [x[:50000], y[:50000], x[50000:], y[50000:]], _title(folder)


def files(root: Path | None) -> list[Path]:
    """The six batches as they are on this machine, or none if they are missing."""
    found = find("cifar10", [f"{FOLDER}/{FILES[0]}", FILES[0]], root)
    return [found.parent / name for name in FILES] if found else []


def _folder(root: Path | None) -> Path:
    there = files(root)
    if there:
        return there[0].parent
    archive = download("cifar10", URL, f"sha256:{ARCHIVE_SHA256}", root)
    with tarfile.open(archive) as tar:
        tar.extractall(archive.parent, filter="data")
    return archive.parent / FOLDER


def _title(folder: Path) -> str:
    first = (folder / FILES[0]).read_bytes()
    if hashlib.md5(first, usedforsecurity=False).hexdigest() == FIRST_BATCH_MD5:
        return "CIFAR-10"
    # Left behind by the script that makes the batches from JPEG files.
    from_jpeg = (folder / "make_cifar10.json").exists()
    return f"CIFAR-10 ({'JPEG re-encoding' if from_jpeg else 'not the official pixels'})"


class _ArraysOnly(pickle.Unpickler):
    """Unpickler that can build lists, dictionaries and NumPy arrays, and nothing that runs code."""

    allowed = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 [10000, 3072] and labels uint8 [10000] of one batch."""
    if not path.is_file():
        raise InputError(f"{path} is missing; get {URL} and unpack it there")
    try:
        batch = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="latin1").load()
        data, labels = np.asarray(batch["data"]), np.asarray(batch["labels"])
    except Exception as problem:  # a damaged pickle can raise nearly anything
        raise corrupt(path, problem) from None
    if data.dtype != np.uint8 or data.shape != (10000, 3072) or labels.shape != (10000,):
        raise corrupt(path, "not 10,000 labelled images of 3 x 32 x 32")
    if labels.min() < 0 or labels.max() > 9:
        raise corrupt(path, "labels outside 0 to 9")
    return data, labels.astype(np.uint8)
