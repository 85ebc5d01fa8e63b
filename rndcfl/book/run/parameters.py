"""Parameters of notebooks: declared in one tagged cell, checked strictly."""

from __future__ import annotations

import ast
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rndcfl.book import paths
from rndcfl.common.errors import InputError, check_name

PROFILES = ("smoke", "demo", "paper")
TYPES: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool, "list": list}


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell: ``name = default  # type: kind  help``."""

    name: str
    kind: str
    default: Any
    help: str

    def check(self, given: Any, where: str) -> Any:
        """Return `given` (whole numbers as float where that is wanted), or raise."""
        value = _as(TYPES[self.kind], given)
        if type(value) is not TYPES[self.kind]:
            raise InputError(f"{where}.{self.name} must be of type {self.kind}, got {given!r}")
        if self.kind == "list" and self.default:
            kind = type(self.default[0])
            value = [_as(kind, entry) for entry in given]
            if {type(entry) for entry in value} - {kind}:
                raise InputError(
                    f"{where}.{self.name} must be a list of {kind.__name__}, got {given!r}"
                )
        return value


def _as(kind: type, given: Any) -> Any:
    """A whole number as float where that is wanted; anything else as it is."""
    if kind is float and type(given) is int:
        with contextlib.suppress(OverflowError):
            return float(given)
    return given


def declared(path: Path) -> dict[str, Parameter]:
    """Name -> parameter of the notebook at `path`, as papermill reads them."""
    import papermill  # takes a second and a half, which commands without notebooks need not wait

    logging.getLogger("papermill").setLevel(logging.ERROR)
    found = papermill.inspect_notebook(str(path))
    return {
        name: Parameter(
            name, about["inferred_type_name"], ast.literal_eval(about["default"]), about["help"]
        )
        for name, about in found.items()
    }


def profiles() -> dict[str, Any]:
    """The contents of ``notebooks/profiles.yaml``: per notebook, minutes and changed parameters."""
    text = (paths.sources() / "profiles.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text) or {}


def expected_minutes(name: str, profile: str) -> float:
    """Minutes a notebook takes on two cores, as measured; see ``profiles.yaml``."""
    return float(profiles().get(name, {}).get("minutes", {}).get(profile, 0))


def parameters_for(name: str, profile: str, changes: dict[str, Any]) -> dict[str, Any]:
    """All parameters of notebook `name`: its own defaults (demo), the profile's, then `changes`.

    Raises
    ------
    InputError
        For an unknown parameter (with the nearest name) or a value of the wrong type.
    """
    check_name("profile", profile, PROFILES)
    known = declared(paths.notebooks()[name])
    values = {p.name: p.default for p in known.values()}
    for given in (profiles().get(name, {}).get(profile) or {}, changes):
        for key, value in given.items():
            check_name(f"parameter of notebook {name}", key, known)
            values[key] = known[key].check(value, name)
    return values


def parse_changes(given: Iterable[str]) -> dict[str, dict[str, Any]]:
    """``["03.rounds=5"]`` -> ``{"03_federated_training": {"rounds": 5}}``; values are YAML."""
    changes: dict[str, dict[str, Any]] = {}
    for text in given:
        target, equals, value = text.partition("=")
        notebook, dot, key = target.partition(".")
        if not equals or not dot:
            raise InputError(
                f"--set wants NOTEBOOK.PARAMETER=VALUE such as 03.rounds=5, got {text!r}"
            )
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {text}: the value cannot be read as YAML") from None
        if parsed == value:  # unquoted text; YAML takes 1e-3 for that, we do not
            with contextlib.suppress(ValueError):
                parsed = float(value)
        changes.setdefault(paths.notebook_name(notebook), {})[key] = parsed
    return changes
