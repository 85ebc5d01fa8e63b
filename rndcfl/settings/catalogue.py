"""Non-IID settings: how clients of different groups differ.

A setting answers two questions: *who holds which images* (class shares, sizes) and *what happens to
them* (a transform per group). Train and test data of a client get the same treatment. Every setting
has a strength parameter; its weak end is IID (of quantity: the setting it comes on top of).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.seeding import numpy_rng
from rndcfl.data.catalogue import Dataset
from rndcfl.settings.transforms import Transform, equidistant_patterns, rotate, turned, unchanged


@dataclass(frozen=True)
class Plan:
    """What a setting is given: the dataset, the true groups int64 [n_clients], and the seed."""

    dataset: Dataset
    groups: np.ndarray
    n_groups: int
    seed: int

    @property
    def n_clients(self) -> int:
        """How many clients there are."""
        return len(self.groups)

    def needs(self, setting: str, kind: str) -> None:
        """Raise :class:`InputError` unless the dataset is of this kind."""
        held = {2: "table", 3: "series"}.get(self.dataset.x_train.ndim, "images")
        if held != kind:
            raise InputError(
                f"setting {setting!r} is for {kind}, and {self.dataset.name} is of kind {held}; "
                "take iid, classes, dirichlet or quantity, for series also mounting"
            )

    def rng(self, *key: str | int) -> np.random.Generator:
        """Generator of the setting's own draws, named by `key`."""
        return numpy_rng(self.seed, *key)


@dataclass(frozen=True)
class Skew:
    """What a setting answers.

    Attributes
    ----------
    groups : true groups [n_clients].
    transform : ``(x, y, group, rng) -> (x, y)``, applied to a client's train and test data.
    class_shares : P(y) per group, float64 [n_groups, n_classes]; None leaves classes as they fall.
    sizes : relative number of training samples per client [n_clients].
    """

    groups: np.ndarray
    transform: Transform = unchanged
    class_shares: np.ndarray | None = None
    sizes: np.ndarray | None = None


def iid(plan: Plan) -> Skew:
    """All clients draw from one distribution: one true group, whatever `n_groups` is."""
    return Skew(np.zeros(plan.n_clients, dtype=np.int64))


def pattern(plan: Plan, rms: float = 0.15) -> Skew:
    """A fixed Gaussian pattern per group is added to the image ("clustered feature skew").

    The paper's setting, with the values of the authors' code: patterns at equal distance from each
    other (the corners of a regular simplex spanned by smoothed Gaussian images made orthonormal),
    each of root mean square `rms` (theirs: 0.15), result clipped to [0, 1].
    """
    plan.needs("pattern", "images")
    check_number("rms", rms, 0.0)
    shape = plan.dataset.x_train.shape[1:]
    patterns = equidistant_patterns(plan.n_groups, shape, rms, plan.rng("patterns"))
    return Skew(plan.groups, lambda x, y, g, rng: (np.clip(x + patterns[g], 0, 1), y))


def rotation(plan: Plan, degrees: float | None = None, offset: float = 0.0) -> Skew:
    """Group g's images are turned by ``g * degrees + offset``; default: groups share a turn."""
    plan.needs("rotation", "images")
    step = 360.0 / plan.n_groups if degrees is None else degrees
    check_number("degrees", step, 0.0, 360.0)
    return Skew(plan.groups, lambda x, y, g, rng: (rotate(x, g * step + offset), y))


def noise(plan: Plan, sd: float = 0.3) -> Skew:
    """Independent Gaussian noise, from none in group 0 to standard deviation `sd` in the last."""
    plan.needs("noise", "images")
    check_number("sd", sd, 0.0)
    level = np.linspace(0, sd, plan.n_groups)
    return Skew(
        plan.groups,
        lambda x, y, g, rng: (np.clip(x + level[g] * rng.standard_normal(x.shape), 0, 1), y),
    )


def contrast(plan: Plan, lowest: float = 0.25) -> Skew:
    """Pixel values are multiplied by a factor, from 1 in group 0 to `lowest` in the last."""
    plan.needs("contrast", "images")
    check_number("lowest", lowest, 0.0, 1.0)
    factor = np.linspace(1, lowest, plan.n_groups)
    return Skew(plan.groups, lambda x, y, g, rng: (x * factor[g], y))


def mounting(plan: Plan, degrees: float | None = None) -> Skew:
    """For series: group g wears the sensor turned by ``g * degrees`` about its last axis, so that
    the first two channels are mixed; default: groups share a turn."""
    plan.needs("mounting", "series")
    step = 360.0 / plan.n_groups if degrees is None else degrees
    check_number("degrees", step, 0.0, 360.0)
    return Skew(plan.groups, lambda x, y, g, rng: (turned(x, g * step), y))


def classes(plan: Plan, strength: float = 1.0) -> Skew:
    """The classes are dealt out over the groups; `strength` is the share of a client's samples that
    come from its group's own classes (the rest from all classes)."""
    check_number("strength", strength, 0.0, 1.0)
    n_classes = plan.dataset.n_classes
    if plan.n_groups > n_classes:
        raise InputError(f"classes: {plan.n_groups} groups cannot share out {n_classes} classes")
    owner = np.empty(n_classes, dtype=np.int64)
    owner[plan.rng("classes").permutation(n_classes)] = np.arange(n_classes) % plan.n_groups
    own = (owner == np.arange(plan.n_groups)[:, None]).astype(float)
    shares = strength * own / own.sum(1, keepdims=True) + (1 - strength) / n_classes
    return Skew(plan.groups, class_shares=shares)


def dirichlet(plan: Plan, alpha: float = 0.1) -> Skew:
    """Each group's class shares are a draw from Dirichlet(`alpha`); a small one is strong skew."""
    check_number("alpha", alpha, 1e-3)
    draws = [
        plan.rng("dirichlet", g).dirichlet(np.full(plan.dataset.n_classes, alpha))
        for g in range(plan.n_groups)
    ]
    return Skew(plan.groups, class_shares=np.array(draws))


def label_swap(plan: Plan, share: float = 0.5) -> Skew:
    """Concept shift: same images, other labels. Among `share` of the classes, group g takes each
    label for the one g places on. Invisible to RND by construction, which sees inputs only."""
    check_number("share", share, 0.0, 1.0)
    n_classes = plan.dataset.n_classes
    moved = plan.rng("label_swap").permutation(n_classes)[: round(share * n_classes)]
    if plan.n_groups > n_classes:
        raise InputError(
            f"label_swap: {n_classes} classes cannot tell {plan.n_groups} groups apart"
        )
    if 0 < len(moved) < plan.n_groups:
        raise InputError(
            f"label_swap: share {share} moves {len(moved)} of {n_classes} classes, too few to tell "
            f"{plan.n_groups} groups apart; take share of at least {plan.n_groups / n_classes:.2f}"
        )

    def swap(x: np.ndarray, y: np.ndarray, g: int, rng: np.random.Generator) -> Any:
        new_label = np.arange(n_classes)
        new_label[moved] = np.roll(moved, -g)
        return x, new_label[y]

    return Skew(plan.groups, swap)


def quantity(plan: Plan, sd: float = 1.0, base: str = "rotation", **base_params: Any) -> Skew:
    """Clients of very different size: log-normal with `sd` of the log, on top of setting `base`,
    which makes the groups."""
    check_number("sd", sd, 0.0)
    if base == "quantity":
        raise InputError("quantity: base must be another setting")
    skew = bound(base, base_params)(plan)
    draws = [plan.rng("quantity", i).standard_normal() for i in range(plan.n_clients)]
    sizes = np.exp(sd * np.array(draws) - sd**2 / 2)  # of mean 1
    return Skew(skew.groups, skew.transform, skew.class_shares, sizes)


def natural(plan: Plan) -> Skew:
    """The clients that data come with: hospitals, scanners, people
    (:mod:`rndcfl.settings.natural`)."""
    raise InputError(
        f"{plan.dataset.name} does not say whose its samples are; setting 'natural' is for "
        "heart-disease, digits, sms and shakespeare"
    )


SETTINGS: dict[str, Callable[..., Skew]] = {
    f.__name__: f
    for f in (
        *(
            iid,
            pattern,
            rotation,
            noise,
            contrast,
            classes,
            dirichlet,
            label_swap,
            quantity,
            mounting,
        ),
        natural,
    )
}


def bound(name: str, params: dict[str, Any]) -> Callable[[Plan], Skew]:
    """The setting function with its parameters bound, or one clear error."""
    function = SETTINGS[check_name("setting", name, SETTINGS)]
    known = inspect.signature(function).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for given in params:
            check_name(f"parameter of setting {name!r}", given, list(known)[1:])
    return lambda plan: function(plan, **params)
