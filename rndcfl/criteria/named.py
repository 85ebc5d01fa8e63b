"""A criterion by its name, with its parameters among those of all."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rndcfl.common.errors import InputError, check_name
from rndcfl.criteria import CRITERIA, Criterion

JUDGED = {f.name: f.default for kind in CRITERIA.values() for f in fields(kind)}  # type: ignore[arg-type]
JUDGED.pop("tolerance")  # is named on its own


def named(given: str | Criterion, tolerance: float | None, params: dict[str, Any]) -> Criterion:
    """The criterion of this name with its parameters; others must not have been set."""
    kind = None
    if not isinstance(given, Criterion):
        kind = CRITERIA[check_name("criterion", given, CRITERIA)]
    own = {f.name for f in fields(kind)} if kind else set()  # type: ignore[arg-type]
    for name, value in params.items():
        if name not in own and value != JUDGED[name]:
            raise InputError(f"{name}={value!r} is no parameter of criterion {given!r}")
    if tolerance is not None and "tolerance" not in own:
        raise InputError(f"criterion {given!r} takes no tolerance")
    if kind is None:
        assert isinstance(given, Criterion)
        return given
    values = {**params, "tolerance": tolerance}
    return kind(**{name: value for name, value in values.items() if name in own})
