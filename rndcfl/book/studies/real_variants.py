"""Harder natural clients: the same owners, with less that gives them away.

Hospitals differ in what they measure, scanners in how they frame, people in their alphabet. Each
variant takes one of these away from everybody, by the same rule, and leaves the groups as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import ndimage

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.data.catalogue import load_dataset
from rndcfl.data.dataset import Dataset, Origin
from rndcfl.data.heart_disease import CATEGORIES, COLUMNS
from rndcfl.settings.natural import natural_clients

BLUR = 2.0  # pixels of 16
INK = 0.3  # share of the pixels
COUNTRIES = ("Singapore", "India", "United States")  # with most people who write English


def lacking(x: np.ndarray) -> np.ndarray:
    """Which of the 13 variables a patient lacks: rows of the table [n, 22] -> bool [n, 13].

    A category is missing where it is none of those there are.
    """
    ends = np.cumsum([len(CATEGORIES.get(name, (0,))) for name in COLUMNS])
    blocks = np.split(x, ends[:-1], axis=1)
    return np.stack(
        [
            (b == 0).all(1) if name in CATEGORIES else np.isnan(b[:, 0])
            for name, b in zip(COLUMNS, blocks, strict=True)
        ],
        axis=1,
    )


def measured(data: Dataset) -> pd.DataFrame:
    """Share of each hospital's patients who have each of the 13 variables; a row per hospital."""
    origin = _origin(data)
    table = pd.DataFrame(~lacking(data.x_train), columns=list(COLUMNS))
    return table.groupby(origin.owner).mean().set_axis(list(origin.names))


def marks_alone(data: Dataset) -> Dataset:
    """Patients with nothing but what was not measured: 13 columns of zeros and ones."""
    return replace(data, x_train=lacking(data.x_train).astype(np.float32))


def shared_variables(data: Dataset, least: float, complete: bool = False) -> Dataset:
    """Patients with the variables that at least a share of `least` has in *every* hospital.

    `complete` leaves out patients who lack one of them, so that nothing is missing.
    """
    kept = (measured(data) >= least).all().to_numpy()
    columns = np.repeat(kept, [len(CATEGORIES.get(name, (0,))) for name in COLUMNS])
    lack = lacking(data.x_train)[:, kept].sum(axis=1) if complete else np.zeros(len(data.x_train))
    return _part(replace(data, x_train=data.x_train[:, columns]), lack == 0)


def blurred(x: np.ndarray) -> np.ndarray:
    """Images [n, 1, h, w] through a Gaussian blur of :data:`BLUR` pixels, wider than a stroke."""
    return ndimage.gaussian_filter(x, (0, 0, BLUR, BLUR))


def coarsest(x: np.ndarray) -> np.ndarray:
    """Images on the grid of Optdigits, the coarsest, in the two greys of Semeion; size is kept."""
    n, channels, h, w = x.shape
    coarse = x.reshape(n, channels, h // 2, 2, w // 2, 2).mean((3, 5)) > 0.5
    return coarse.repeat(2, 2).repeat(2, 3).astype(np.float32)


def framed(x: np.ndarray) -> np.ndarray:
    """Images cut to the digit, stretched to the whole frame, blurred; the darkest share is ink.

    Margins, contrast, greys and amount of ink are then the same for all. Of seven such treatments
    it is the one that brings the scanners closest together (features, mean distance 1.6 standard
    deviations, from 4.8), tried on two seeds.
    """
    out = np.empty_like(x)
    for cut, image in zip(out[:, 0], x[:, 0], strict=True):
        dark = image >= 0.3 * image.max()
        rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
        digit = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        cut[:] = ndimage.zoom(digit, np.divide(image.shape, digit.shape), order=1)
    flat = blurred(out).reshape(len(x), -1)
    ranks = flat.argsort(1, kind="stable").argsort(1)
    return (ranks >= round((1 - INK) * flat.shape[1])).astype(np.float32).reshape(x.shape)


def english_by_country(data: Dataset, n_countries: int = 2) -> Dataset:
    """Those who write English in the first of :data:`COUNTRIES`, grouped by country."""
    origin, countries = _origin(data), COUNTRIES[:n_countries]
    english = origin.groups == origin.group_names.index("English")
    homes = np.array([name.partition(" ")[2] for name in origin.names])
    people = np.flatnonzero(english & np.isin(homes, countries))
    groups = np.array([countries.index(home) for home in homes[people]], dtype=np.int64)
    number = np.full(len(homes), -1)
    number[people] = np.arange(len(people))
    owner = number[origin.owner]
    names = tuple(origin.names[i] for i in people)
    return _part(replace(data, origin=Origin(owner, names, groups, countries)), owner >= 0)


def dealt(data: Dataset) -> Dataset:
    """All samples in one hand, so that clients are all alike and one federation is right."""
    owner = np.zeros(len(data.x_train), dtype=np.int64)
    return replace(data, origin=Origin.each_apart(owner, ("all",)))


def variant_of(dataset: str, name: str) -> Variant:
    """One of :data:`VARIANTS`, by name."""
    return next(variant for variant in VARIANTS[dataset] if variant.name == name)


def _origin(data: Dataset) -> Origin:
    if data.origin is None:
        raise InputError(f"{data.name} does not say whose its samples are")
    return data.origin


def _part(data: Dataset, rows: np.ndarray) -> Dataset:
    """Some of the samples."""
    origin = replace(_origin(data), owner=_origin(data).owner[rows])
    return replace(data, x_train=data.x_train[rows], y_train=data.y_train[rows], origin=origin)


def _images(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Dataset], Dataset]:
    return lambda data: replace(data, x_train=change(data.x_train))


@dataclass(frozen=True)
class Variant:
    """What the clients of a dataset hold.

    Attributes
    ----------
    name, words : for tables, and for readers.
    change : of the dataset, before clients are drawn.
    taken : what :func:`~rndcfl.settings.natural.natural_clients` takes instead.
    effect : smallest distance that counts, instead of the dataset's.
    """

    name: str
    words: str
    change: Callable[[Dataset], Dataset] = lambda data: data
    taken: Mapping[str, int] = field(default_factory=dict)
    effect: float | None = None

    def data(self, dataset: str) -> Dataset:
        """The dataset as this variant has it."""
        return self.change(load_dataset(dataset))

    def clients(self, dataset: str, seed: int, **taken: int) -> Clients:
        """Natural clients of this variant."""
        data = self.data(dataset)
        return natural_clients(data, _origin(data), seed=seed, **{**taken, **self.taken})


VARIANTS = {
    "heart-disease": (
        Variant("all", "all values, and marks where one is missing"),
        Variant("marks", "the marks alone, no value", marks_alone),
        Variant("shared", "age, sex, chest pain, resting ECG", lambda d: shared_variables(d, 0.95)),
        Variant(
            "complete",
            "these, blood pressure and exercise; patients who have all",
            lambda d: shared_variables(d, 0.7, complete=True),
        ),
        Variant("dealt", "all values; patients dealt to clinics at random", dealt),
    ),
    "digits": (
        Variant("original", "images as they are"),
        Variant("blurred", "all blurred", _images(blurred)),
        Variant("coarsest", "all on 8x8 pixels, black and white", _images(coarsest)),
        Variant("framed", "all cut to the digit, the same share of ink", _images(framed)),
        Variant("dealt", "as they are, dealt to offices at random", dealt),
    ),
    "sms": (
        Variant("language", "English or Chinese"),
        Variant(
            "country_120",
            "English from Singapore or India, 120 windows",
            english_by_country,
            {"n_clients": 16, "samples_per_client": 120},
            0.1,
        ),
        Variant(
            "country_600",
            "the same, 600 windows",
            english_by_country,
            {"n_clients": 16, "samples_per_client": 600},
            0.1,
        ),
        Variant(
            "country_1200",
            "English from there or the United States, 1,200 windows",
            lambda d: english_by_country(d, 3),
            {"n_clients": 15, "samples_per_client": 1200},
            0.1,
        ),
    ),
}
