"""Hugging Face's datasets, partitions of flwr-datasets among them, read by what they can do."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rndcfl.common.progress import progress
from rndcfl.data.samples import input_column, inputs_of, label_column, labels_of
from rndcfl.given.arrays import reading


def is_hugging_face(given: Any) -> bool:
    """Whether it is a Hugging Face dataset, by what it can do."""
    return all(hasattr(given, name) for name in ("column_names", "features", "to_pandas", "format"))


def is_transformed(given: Any) -> bool:
    """Whether its samples are what a function of its owner makes of them."""
    return bool(is_hugging_face(given) and given.format.get("type") == "custom")


def is_table(given: Any) -> bool:
    """Whether no column of it is an image or an array."""
    if not is_hugging_face(given) or is_transformed(given) or not given.features:
        return False
    plain = ("Value", "ClassLabel")
    return all(type(feature).__name__ in plain for feature in given.features.values())


def as_frame(who: str, given: Any, y: str | None) -> tuple[Any, Any]:
    """A dataset of numbers and words as a table and its labels."""
    with reading(who):
        frame = given.to_pandas()
    column = label_column(who, list(frame.columns), y)
    if column is None:
        return frame, None
    return frame.drop(columns=column), _by_name(frame[column].to_numpy(), given.features[column])


def of_columns(who: str, given: Any, x: str | None, y: str | None) -> tuple[Any, Any]:
    """The columns of inputs and labels."""
    columns = list(given.column_names)
    label = label_column(who, columns, y)
    x = input_column(who, columns, label, x)
    with reading(who):
        samples = list(progress(given[x], "samples"))
        labels = None if label is None else _by_name(list(given[label]), given.features[label])
    return inputs_of(who, samples), None if labels is None else labels_of(who, list(labels))


def _by_name(labels: Any, feature: Any) -> Any:
    """Labels by the names that a ``ClassLabel`` gives them."""
    names = getattr(feature, "names", None)
    if not names:
        return labels
    return [None if pd.isna(k) or k < 0 else names[int(k)] for k in labels]
