"""MNIST and Fashion-MNIST: idx files, checked against the official ones.

The test file of Fashion-MNIST travels with the package, as a dataset of its own.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rndcfl.common.seeding import numpy_rng
from rndcfl.data.files import corrupt, download, find, find_each

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class IdxSource:
    """Where an idx dataset comes from.

    Attributes
    ----------
    url : the four official archives lie below it.
    archive_md5 : of these archives.
    sha256 : of the four unpacked files.
    """

    name: str
    url: str
    archive_md5: tuple[str, str, str, str]
    sha256: tuple[str, str, str, str]

    def read(self, root: Path | None) -> list[np.ndarray]:
        """x_train uint8 [n, 1, 28, 28], y_train uint8 [n], x_test, y_test."""
        return [self.array(k, self._path(k, root)) for k in range(4)]

    def _path(self, k: int, root: Path | None) -> Path:
        url, md5 = f"{self.url}{FILES[k]}.gz", f"md5:{self.archive_md5[k]}"
        found = find(self.name, [FILES[k], FILES[k] + ".gz"], root)
        return found or download(self.name, url, md5, root)

    def files(self, root: Path | None) -> list[Path]:
        """The four files as they are on this machine, or none if any is missing."""
        return find_each(self.name, [[file, file + ".gz"] for file in FILES], root)

    def array(self, k: int, path: Path) -> np.ndarray:
        """The array in file `k`, which lies at `path`, after checking it."""
        try:
            raw = path.read_bytes()
            raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
        except (OSError, EOFError, zlib.error) as problem:
            raise corrupt(path, problem) from None
        if hashlib.sha256(raw).hexdigest() != self.sha256[k]:
            raise corrupt(path, "wrong checksum")
        # Two zero bytes, type 8 (uint8), rank, sizes (big-endian), data.
        rank = raw[3]
        shape = np.frombuffer(raw, ">u4", rank, 4)
        data = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)
        return data[:, None] if rank == 3 else data


MNIST = IdxSource(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

FASHION_MNIST = IdxSource(
    "fashion-mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
FASHION_LICENCE = "MIT"
FASHION_CITATION = "Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv 1708.07747, 2017"


def bundled() -> list[np.ndarray]:
    """Fashion-MNIST's test file, split 8,000 / 2,000 by a fixed seed; arrays as of a source."""
    x, y = (FASHION_MNIST.array(k, path) for k, path in zip((2, 3), bundled_files(), strict=True))
    order = numpy_rng(0, "fashion-mnist-mini").permutation(len(x))
    train, test = order[:8000], order[8000:]
    return [x[train], y[train], x[test], y[test]]


def bundled_files() -> list[Path]:
    """Images and labels of the test file, in the package."""
    return [Path(__file__).parent / f"fashion-mnist-{FILES[k]}.gz" for k in (2, 3)]
