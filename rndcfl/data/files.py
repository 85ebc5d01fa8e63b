"""Find a dataset's files in a local folder, or download them once with a checksum.

Looked for below `root`, then in the user's cache; downloads go to the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pooch

from rndcfl.common.errors import InputError

DATA_VARIABLE = "RNDCFL_DATA"


def cache_folder(name: str) -> Path:
    """Where downloads of dataset `name` are kept."""
    return Path(pooch.os_cache("rndcfl")) / name


def find(name: str, files: list[str], root: Path | None) -> Path | None:
    """The first of `files` that exists in a folder where dataset `name` may lie, or None."""
    candidates = (place / file for place in places(name, root) for file in files)
    return next((path for path in candidates if path.is_file()), None)


def find_each(name: str, files: Iterable[list[str]], root: Path | None) -> list[Path]:
    """For each list of `files` what :func:`find` finds, or nothing at all if one is missing."""
    found = [find(name, choices, root) for choices in files]
    return [path for path in found if path] if all(found) else []


def places(name: str, root: Path | None) -> list[Path]:
    """Folders where dataset `name` is looked for: ours below `root`, torchvision's, the cache."""
    torchvision = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw", "cifar10": "."}
    local = [root / name] if root else []
    if root and name in torchvision:
        local.append(root / torchvision[name])
    return [*local, cache_folder(name)]


def download(name: str, url: str, known_hash: str | None, root: Path | None) -> Path:
    """Download a file into the cache with a progress bar and check it; its path.

    Without `known_hash` the reader checks what is in it.

    Raises
    ------
    InputError
        If that fails: which file, where it was looked for, and how to get it.
    """
    file = url.rsplit("/", 1)[1]
    pooch.get_logger().setLevel("WARNING")  # the progress bar is enough
    try:
        return Path(pooch.retrieve(url, known_hash, file, cache_folder(name), progressbar=True))
    except Exception as problem:  # no network, a dead link, a wrong checksum, a full disk
        looked = ", ".join(str(place) for place in places(name, root))
        reason = (str(problem).splitlines() or [type(problem).__name__])[0][:100]
        raise InputError(
            f"{name}: {file} was not found in {looked}, and downloading {url} failed ({reason}); "
            f"put it into {places(name, root)[0]}, or set {DATA_VARIABLE} to the folder above it"
        ) from None


def not_found(name: str, files: Sequence[str], where_from: str, root: Path | None) -> InputError:
    """The error for files that we may not download: which, where to get them and to put them."""
    looked = ", ".join(str(place) for place in places(name, root))
    return InputError(
        f"{name}: {' and '.join(files)} not found in {looked}; get them from {where_from}, put "
        f"them into a folder {name}/ and set {DATA_VARIABLE} to the folder above it"
    )


def sha256(parts: Iterable[np.ndarray | bytes]) -> str:
    """Checksum of arrays and bytes, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def corrupt(path: Path, why: object) -> InputError:
    """The error for a file that is not what it should be."""
    return InputError(f"{path} is corrupt ({why}); delete it and get it again")
