"""UCI Heart Disease: patients of four hospitals, with what each did not measure left missing.

The hospitals measured different things: a missing value shows where a patient was treated, and is
part of how clients differ. Zero cholesterol or blood pressure, which no living patient has, is
missing too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rndcfl.data.dataset import Origin, Samples, natural
from rndcfl.data.files import corrupt, download, find, find_each, sha256

HOSPITALS = ("Cleveland", "Budapest", "Switzerland", "Long Beach")
FILES = {
    "processed.cleveland.data": "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8",
    "processed.hungarian.data": "d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796",
    "processed.switzerland.data": "834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314",  # noqa: E501
    "processed.va.data": "e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f",
}
URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/heart-disease/"
LICENCE = "CC BY 4.0"
CITATION = (
    "Janosi, Steinbrunn (Hungarian Institute of Cardiology, Budapest; University Hospital, "
    "Zurich), Pfisterer (University Hospital, Basel), Detrano (V.A. Medical Center, Long Beach and "
    "Cleveland Clinic Foundation): Heart Disease, UCI Machine Learning Repository, 1988"
)

# What the 13 columns are; of the categories, the values that may occur.
COLUMNS = (
    "age",
    "sex",
    "cp",
    "trestbps",
    "chol",
    "fbs",
    "restecg",
    "thalach",
    "exang",
    "oldpeak",
    "slope",
    "ca",
    "thal",
)
CATEGORIES = {"cp": (1, 2, 3, 4), "restecg": (0, 1, 2), "slope": (1, 2, 3), "thal": (3, 6, 7)}
NEVER_ZERO = ("trestbps", "chol")


def read(root: Path | None) -> Samples:
    """The patients of all four hospitals.

    Returns
    -------
    Samples
        x float32 [920, 22], categories one-hot, NaN for missing numbers; y is 1 for heart disease
        (``num > 0``); a patient's owner is the position in :data:`HOSPITALS`.
    """
    tables = [_table(file, root) for file in FILES]
    rows = np.concatenate(tables)
    owner = np.repeat(np.arange(len(tables)), list(map(len, tables)))
    x, y = _inputs(rows[:, :-1]), (rows[:, -1] > 0).astype(np.int64)
    return natural(x, y, Origin.each_apart(owner, HOSPITALS), n_classes=2)


def files(root: Path | None) -> list[Path]:
    """The four files as they are on this machine, or none if any is missing."""
    return find_each("heart-disease", [[file] for file in FILES], root)


def _table(file: str, root: Path | None) -> np.ndarray:
    known = FILES[file]
    path = find("heart-disease", [file], root)
    path = path or download("heart-disease", URL + file, f"sha256:{known}", root)
    raw = path.read_bytes()
    if sha256([raw]) != known:
        raise corrupt(path, "wrong checksum")
    return np.genfromtxt(raw.decode().splitlines(), delimiter=",", missing_values="?")


def _inputs(rows: np.ndarray) -> np.ndarray:
    columns = []
    for name, values in zip(COLUMNS, rows.T, strict=True):
        if name in NEVER_ZERO:
            values = np.where(values == 0, np.nan, values)
        # A category that is missing is none of those there are.
        columns += [values == c for c in CATEGORIES[name]] if name in CATEGORIES else [values]
    return np.stack(columns, axis=1).astype(np.float32)
