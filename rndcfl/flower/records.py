"""Letters as Flower's records, and back; nothing is ever unpickled."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from rndcfl.protocol.letters import Letter

CONFIG, ARRAYS, MODEL, METRICS = "config", "arrays", "model", "metrics"
DAMAGED = (KeyError, TypeError, ValueError, EOFError, RecursionError)


def record_of(letter: Letter) -> RecordDict:
    """A letter as one record; parts that it does not have are not sent."""
    content: dict[str, Any] = {}
    if letter.config is not None:
        content[CONFIG] = ConfigRecord({"json": json.dumps(letter.config)})
    if letter.arrays:
        content[ARRAYS] = _record(dict(letter.arrays))
    if letter.model is not None:
        content[MODEL] = _record(dict(letter.model))
    if letter.numbers:
        content[METRICS] = MetricRecord(dict(letter.numbers))
    return RecordDict(content)


def letter_of(content: RecordDict) -> Letter:
    """The letter in a record, whatever came: what of it cannot be read is left out."""
    numbers = content.metric_records.get(METRICS)
    model = content.array_records.get(MODEL)
    return Letter(
        _config(content),
        _arrays(content.array_records.get(ARRAYS) or {}),
        None if model is None else _arrays(model),
        {} if numbers is None else dict(numbers),
    )


def count_bytes(content: RecordDict) -> int:
    """Bytes of all records of a message, without framing."""
    return sum(value.count_bytes() for value in content.values())


def _record(arrays: dict[str, np.ndarray]) -> ArrayRecord:
    return ArrayRecord({name: Array.from_numpy_ndarray(value) for name, value in arrays.items()})


def _config(content: RecordDict) -> Any:
    try:
        return json.loads(str(content.config_records[CONFIG]["json"]))
    except DAMAGED:
        return None


def _arrays(record: Any) -> dict[str, np.ndarray]:
    readable = {}
    for name, array in record.items():
        try:
            readable[name] = array.numpy()
        except DAMAGED:
            continue
    return readable
