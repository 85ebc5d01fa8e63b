"""What travels: Flower's records from and to our arrays, checked where they arrive.

A row of the novelty matrix is one array: novelty [N], profile [m] and the upper triangle of its
covariance [m (m + 1) / 2], float64; the symmetric half is not sent.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from rndcfl.engine.local import State
from rndcfl.engine.networks import device
from rndcfl.predictors import RND
from rndcfl.protocol.packing import WireError

# What reading an answer may raise, whatever the answer holds; WireError is a ValueError.
UNREADABLE = (KeyError, TypeError, ValueError, OverflowError)


def record(config: dict[str, Any] | None = None, **arrays: np.ndarray) -> RecordDict:
    """Settings (anything JSON knows) and named arrays as one record."""
    content: dict[str, Any] = {"config": ConfigRecord({"json": json.dumps(config or {})})}
    if arrays:
        content["arrays"] = ArrayRecord({k: Array.from_numpy_ndarray(v) for k, v in arrays.items()})
    return RecordDict(content)


def config_of(content: RecordDict) -> dict[str, Any]:
    """The settings in a record."""
    try:
        found = json.loads(str(content.config_records["config"]["json"]))
    except (KeyError, ValueError, RecursionError):
        raise WireError("the message has no readable settings") from None
    if not isinstance(found, dict):
        raise WireError("the message's settings are no table of names and values")
    return found


def array_of(content: RecordDict, name: str) -> np.ndarray:
    """A named array of a record; never unpickled."""
    try:
        return content.array_records["arrays"][name].numpy()
    except (KeyError, ValueError, TypeError, EOFError):
        raise WireError(f"the message has no readable array {name!r}") from None


def with_state(content: RecordDict, state: State) -> RecordDict:
    """The same record with a model."""
    content["model"] = ArrayRecord({k: v.cpu() for k, v in state.items()})
    return content


def state_of(content: RecordDict, like: State) -> State:
    """The model in a record, of the names, shapes and types of `like` and all finite."""
    try:
        arrays = {k: v.numpy() for k, v in content.array_records["model"].items()}
    except (KeyError, ValueError, TypeError, EOFError):
        raise WireError("the message has no readable model") from None
    if set(arrays) != set(like):
        raise WireError(f"a model of parameters {', '.join(like)} is expected")
    state = {}
    for name, wanted in like.items():
        tensor = torch.from_numpy(np.array(arrays[name])).to(device())
        if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
            raise WireError(
                f"{name} must be {wanted.dtype} {list(wanted.shape)}, "
                f"got {tensor.dtype} {list(tensor.shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise WireError(f"{name} holds NaN or infinite values")
        state[name] = tensor
    return state


def rnd_config(rnd: RND) -> dict[str, Any]:
    """A budget as JSON takes it; :func:`rnd_of` reads it."""
    return asdict(rnd)


def rnd_of(given: dict[str, Any]) -> RND:
    """A budget from a message, checked."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    rnd = RND(**values)
    rnd.check()
    return rnd


def pack_row(novelty: np.ndarray, profile: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """One client's report as one array, float64 [N + m + m (m + 1) / 2]."""
    return np.concatenate([novelty, profile, covariance[np.triu_indices(len(profile))]])


def unpack_row(row: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Novelty [n], profile [m] and covariance [m, m] of a row, checked.

    Raises
    ------
    WireError
        For another type or length, NaN or infinite values, or novelty that is not positive.
    """
    width = n + m + m * (m + 1) // 2
    if row.dtype != np.float64 or row.shape != (width,):
        raise WireError(f"a row is float64 [{width}], got {row.dtype} {list(row.shape)}")
    if not np.isfinite(row).all():
        raise WireError("the row holds NaN or infinite values")
    if not (row[:n] > 0).all():
        raise WireError("the row holds novelty that is not positive")
    covariance = np.zeros((m, m))
    covariance[np.triu_indices(m)] = row[n + m :]
    covariance += np.triu(covariance, 1).T
    if not (np.diag(covariance) >= 0).all():
        raise WireError("the row holds a negative variance")
    return row[:n], row[n : n + m], covariance


def metrics(**values: float) -> MetricRecord:
    """A few numbers."""
    return MetricRecord(dict(values))


def count_bytes(content: RecordDict) -> int:
    """Bytes of all records of a message, without framing."""
    return sum(value.count_bytes() for value in content.values())
