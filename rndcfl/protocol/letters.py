"""Letters: what server and sites send each other, and the checks of what is read in one.

A letter has four parts, none of which need be there: a table of settings, named arrays, a model,
and a few numbers. What an engine cannot read of a part it leaves out; whoever needs it gets a
:class:`WireError` here, so that no answer of a site stops the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from rndcfl.common.errors import WireError
from rndcfl.engine.local import State
from rndcfl.engine.networks import device
from rndcfl.predictors import RND

# What reading an answer may raise, whatever the answer holds; WireError is a ValueError.
UNREADABLE = (KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, eq=False)
class Letter:
    """One question or answer; nothing in one that was received is checked yet.

    Attributes
    ----------
    config : settings by name, of what JSON knows; None: none.
    arrays : by name.
    model : parameters of a model by name; None: none.
    numbers : by name.
    """

    config: Any = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    model: Mapping[str, np.ndarray] | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def with_model(self, state: State) -> Letter:
        """The same letter with a model."""
        return replace(self, model={name: value.cpu().numpy() for name, value in state.items()})


def config_of(letter: Letter) -> dict[str, Any]:
    """The settings in a letter.

    Raises
    ------
    WireError
        If there are none, or they are no table of names and values.
    """
    if letter.config is None:
        raise WireError("the message has no readable settings")
    if not isinstance(letter.config, dict):
        raise WireError("the message's settings are no table of names and values")
    return letter.config


def array_of(letter: Letter, name: str) -> np.ndarray:
    """A named array of a letter, of any type and shape.

    Raises
    ------
    WireError
        If it is not there.
    """
    if name not in letter.arrays:
        raise WireError(f"the message has no readable array {name!r}")
    return letter.arrays[name]


def number_of(letter: Letter, name: str) -> float:
    """A named number of a letter.

    Raises
    ------
    WireError
        If it is not there, or is no number.
    """
    value = letter.numbers.get(name)
    if not isinstance(value, int | float):
        raise WireError(f"the message has no readable number {name!r}")
    return value


def state_of(letter: Letter, like: State) -> State:
    """The model in a letter, on the device of this machine.

    Raises
    ------
    WireError
        If it is not there, has other names, shapes or types than `like`, or is not finite.
    """
    if letter.model is None:
        raise WireError("the message has no readable model")
    if set(letter.model) != set(like):
        raise WireError(f"a model of parameters {', '.join(like)} is expected")
    return {name: _tensor(name, letter.model[name], wanted) for name, wanted in like.items()}


def _tensor(name: str, given: np.ndarray, wanted: torch.Tensor) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(given)).to(device())
    if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
        raise WireError(
            f"{name} must be {wanted.dtype} {list(wanted.shape)}, "
            f"got {tensor.dtype} {list(tensor.shape)}"
        )
    if not torch.isfinite(tensor).all():
        raise WireError(f"{name} holds NaN or infinite values")
    return tensor


def rnd_config(rnd: RND) -> dict[str, Any]:
    """A budget as settings of a letter; :func:`rnd_of` reads it."""
    return asdict(rnd)


def rnd_of(given: dict[str, Any]) -> RND:
    """A budget from a letter's settings.

    Raises
    ------
    TypeError, InputError
        For unknown fields, or values that cannot be meant.
    """
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    rnd = RND(**values)
    rnd.check()
    return rnd
