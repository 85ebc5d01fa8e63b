"""What all sites of a run must agree on: kind and shape of data, classes, and a scale of tables."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from rndcfl.common.errors import WireError
from rndcfl.data.tables import Scale
from rndcfl.given import KINDS
from rndcfl.protocol.checkpoint import Progress
from rndcfl.protocol.config import Config
from rndcfl.protocol.letters import Letter, array_of

MOST = 10**7  # classes, or numbers in a sample


def checked(about: dict[str, Any]) -> dict[str, Any]:
    """What a site says of itself, if it is of the right types and of a size that can be meant.

    Raises
    ------
    KeyError, WireError
        If it is not.
    """
    number, n_classes, shape = about["number"], about["n_classes"], about["shape"]
    whole = isinstance(shape, list) and all(type(v) is int for v in (number, n_classes, *shape))
    if not whole or about["kind"] not in KINDS:
        raise WireError("it says nothing usable of itself")
    sizes = (n_classes, *shape)
    if number < 0 or min(sizes) < 0 or n_classes > MOST or not 0 < math.prod(shape) <= MOST:
        raise WireError(f"client {number} has samples or labels that are too large or empty")
    return about


def check_fits(about: dict[str, Any], config: Config, progress: Progress) -> None:
    """Raise :class:`WireError` unless a site's data go with the run and with the others' data."""
    number, known = about["number"], progress.about or about
    if not about["labels"]:
        raise WireError(f"client {number} has no labels to train with")
    if about["kind"] == "text" and config.model != "gru":
        raise WireError(f"client {number} has text, which needs model='gru'")
    columns = about.get("columns"), known.get("columns")
    if all(columns) and columns[0] != columns[1]:
        raise WireError(
            f"client {number} has other columns than the others, or in another order; their names "
            "must be the same"
        )
    for what in ("kind", "shape"):
        if about[what] != known[what]:
            raise WireError(
                f"client {number} has data of {what} {about[what]}, the others {known[what]}"
            )
    if progress.labels and about["n_classes"] > known["n_classes"]:
        raise WireError(
            f"client {number} has labels to {about['n_classes'] - 1}, the model "
            f"{known['n_classes']} classes"
        )


def sums_of(about: dict[str, Any], letter: Letter) -> np.ndarray | None:
    """The sums of a site's table, float64 [5, d]; None where its data are no table.

    Raises
    ------
    WireError
        If they are missing or unusable.
    """
    if about["kind"] != "table":
        return None
    sums = array_of(letter, "sums")
    if sums.shape != (5, *about["shape"]) or not np.isfinite(sums).all():
        raise WireError(f"client {about['number']} has sent no usable sums of its table")
    return sums


def agree(progress: Progress, came: list[dict[str, Any]], sums: Iterable[np.ndarray]) -> None:
    """Before the first federations, set what all agree on: number of classes, scale of tables.

    Parameters
    ----------
    progress : where it is set; once there are federations it stays as it is.
    came : what the sites that have just come say of themselves.
    sums : of the tables of all sites, [5, d] each.
    """
    known = progress.about
    if progress.labels or not came:
        return
    known["n_classes"] = max([known["n_classes"], *(about["n_classes"] for about in came)])
    if known["kind"] == "table":
        scale = Scale.of_sums(np.stack(list(sums)))
        marks = np.zeros(len(scale.mean))
        marks[scale.marked] = 1
        progress.scale = np.stack([scale.mean, scale.sd, marks])
