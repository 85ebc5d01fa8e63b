"""Clients of other people's dataset objects: PyTorch's, Hugging Face's, flwr-datasets' partitions.

Nothing is imported for them: an object is read by what it can do.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.common.progress import progress
from rndcfl.common.seeding import torch_seeded
from rndcfl.data.hugging_face import as_frame, is_hugging_face, is_table, is_transformed, of_columns
from rndcfl.data.loaders import unwrapped
from rndcfl.data.samples import input_column, inputs_of, label_column, labels_of, named
from rndcfl.data.tables import from_tables
from rndcfl.given import called, listed
from rndcfl.given.arrays import one_line, reading

MOST = 1_000_000  # samples read of a dataset that does not say how many it has
BYTES = 2**32  # that they take at most
ARRAYS = (np.ndarray, torch.Tensor, pd.DataFrame, pd.Series)


def from_datasets(
    datasets: Iterable[Any] | Mapping[Any, Any],
    groups: Sequence[int] | None = None,
    dataset: str = "own data",
    *,
    x: str | None = None,
    y: str | None = None,
    kind: str | None = None,
    classes: Sequence[Hashable] | None = None,
) -> Clients:
    """Clients of dataset objects, one each.

    Parameters
    ----------
    datasets : a list, or a dictionary whose keys name the clients. Each is a PyTorch ``Dataset``,
        ``Subset`` or ``DataLoader`` of ``(x, y)``, of x alone or of dictionaries; a Hugging Face
        ``Dataset``, such as a partition of flwr-datasets; or a pair ``(train, test)`` of these,
        also as a dictionary with keys train and test.
    groups, dataset, kind, classes : as for :meth:`~rndcfl.Clients.from_arrays`.
    x, y : columns of inputs and labels where samples have names; default the usual ones. A Hugging
        Face dataset of numbers and words without x is read as a table.

    Returns
    -------
    Clients
        All is read once, in order, into memory. Random transforms draw from a fixed seed.

    Raises
    ------
    InputError
        As for :meth:`~rndcfl.Clients.from_arrays`; for samples that cannot be read or have unlike
        shapes, and for unknown columns.

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> ours = TensorDataset(torch.rand(30, 1, 8, 8), torch.arange(30) % 3)
    >>> from_datasets({"ours": ours, "theirs": ours}).n_classes
    3
    """
    _check_several(datasets)
    names, rows = listed(datasets)
    who = called(names)
    pairs = [
        [unwrapped(w, part) for part in _train_and_test(w, row)]
        for w, row in zip(who, rows, strict=True)
    ]
    if x is None and all(is_table(part) for pair in pairs for part in pair):
        tables = [
            tuple(v for part in pair for v in as_frame(w, part, y))
            for w, pair in zip(who, pairs, strict=True)
        ]
        return from_tables(_named(names, tables), groups, dataset, classes=classes)
    arrays = [
        tuple(v for part in pair for v in read_dataset(w, part, x, y))
        for w, pair in zip(who, pairs, strict=True)
    ]
    return Clients.from_arrays(_named(names, arrays), groups, dataset, kind=kind, classes=classes)


def read_dataset(
    who: str, given: Any, x: str | None = None, y: str | None = None
) -> tuple[Any, Any]:
    """All inputs and labels of a dataset object; None where there are no labels."""
    given = unwrapped(who, given)
    if _is_plain(given):
        return _of_tensors(who, given.tensors)
    if type(given) is Subset and _is_plain(given.dataset):
        whole: Any = given.dataset
        with reading(f"{who}: its subset"):
            picked = torch.as_tensor(list(map(int, given.indices)), dtype=torch.long)
            return _of_tensors(who, tuple(t[picked] for t in whole.tensors))
    if is_hugging_face(given) and not is_transformed(given):
        return of_columns(who, given, x, y)
    return _stacked(who, _samples(who, given), x, y)


def _check_several(datasets: Any) -> None:
    """Raise for a single dataset, whose samples would be taken for clients."""
    if isinstance(datasets, Dataset | DataLoader) or is_hugging_face(datasets):
        raise InputError("clients are a list with one dataset for each, got a single dataset")
    if isinstance(datasets, Mapping) and {"train", "test"} <= set(datasets):
        raise InputError(
            "train and test are parts of one client, got no client around them; give a list with "
            "{'train': ..., 'test': ...} for each"
        )


def _train_and_test(who: str, row: Any) -> tuple[Any, ...]:
    if isinstance(row, pd.DataFrame):
        raise InputError(f"{who} is a DataFrame; from_tables reads tables")
    if isinstance(row, Mapping):
        if "train" not in row:
            raise InputError(
                f"{who} is a dictionary with keys {named(list(row))}; give a dataset, or one with "
                "keys train and test"
            )
        return (row["train"], row["test"]) if "test" in row else (row["train"],)
    pair = isinstance(row, tuple) or (isinstance(row, list) and len(row) == 2)
    if pair and any(isinstance(part, ARRAYS) for part in row):
        raise InputError(f"{who} holds arrays; from_arrays reads (x, y)")
    return tuple(row) if pair and len(row) == 2 else (row,)


def _named(names: list[str], parts: list[Any]) -> Any:
    return dict(zip(names, parts, strict=True)) if any(names) else parts


def _is_plain(given: Any) -> bool:
    """Whether a dataset is nothing but its tensors."""
    return isinstance(given, TensorDataset) and type(given).__getitem__ is TensorDataset.__getitem__


def _of_tensors(who: str, tensors: tuple[torch.Tensor, ...]) -> tuple[Any, Any]:
    if not tensors:
        raise InputError(f"{who} holds no tensors")
    return tensors[0], tensors[1] if len(tensors) > 1 else None


def _samples(who: str, given: Any) -> list[Any]:
    """All samples of a dataset, one after the other."""
    if not hasattr(given, "__getitem__") and not hasattr(given, "__iter__"):
        raise InputError(
            f"{who} is {type(given).__name__}, no dataset; give a PyTorch or Hugging Face dataset"
        )
    found: list[Any] = []
    most = None
    with torch_seeded(0, "transforms"):
        try:
            total = _length(given)
            for sample in progress(_every(given, total), "samples", total):
                found.append(sample)
                if total is None and most is None:
                    most = min(MOST, max(1, BYTES // max(1, _bytes(sample))))
                if most is not None and len(found) > most:
                    break
        except Exception as problem:  # whatever the dataset's own code raises
            reason = one_line(f"{type(problem).__name__}: {problem}")
            raise InputError(f"{who}: sample {len(found)} cannot be read: {reason}") from problem
    if most is not None and len(found) > most:
        raise InputError(f"{who} has no end after {most:,} samples; give a Subset of it")
    if not found:
        raise InputError(f"{who} has no samples in x; leave it out or give it data")
    return found


def _length(given: Any) -> int | None:
    """How many samples it has, or None where it does not say, or can only be gone through."""
    if isinstance(given, IterableDataset) or not hasattr(given, "__getitem__"):
        return None
    return len(given) if hasattr(given, "__len__") else None


def _every(given: Any, total: int | None) -> Iterator[Any]:
    return iter(given) if total is None else (given[k] for k in range(total))


def _bytes(sample: Any) -> int:
    """Roughly what a sample takes of memory."""
    if isinstance(sample, Mapping):
        return sum(map(_bytes, sample.values()))
    if isinstance(sample, tuple | list):
        return sum(map(_bytes, sample))
    return int(getattr(sample, "nbytes", 64))


def _stacked(who: str, samples: list[Any], x: str | None, y: str | None) -> tuple[Any, Any]:
    """Samples ``(x, y)``, x alone or dictionaries, as arrays."""
    first = samples[0]
    if isinstance(first, Mapping):
        columns = list(map(str, first))
        label = label_column(who, columns, y)
        inputs = input_column(who, columns, label, x)
        try:
            xs = [sample[inputs] for sample in samples]
            ys = None if label is None else [sample[label] for sample in samples]
        except (KeyError, TypeError, IndexError):
            raise InputError(f"{who}: not every sample has {inputs} and {label}") from None
    elif isinstance(first, tuple | list) and len(first) >= 2:
        if any(not isinstance(s, tuple | list) or len(s) < 2 for s in samples):
            raise InputError(f"{who}: not every sample is a pair (x, y)")
        xs, ys = [s[0] for s in samples], [s[1] for s in samples]
    elif isinstance(first, tuple | list) and len(first) == 1:
        xs, ys = [s[0] if isinstance(s, tuple | list) and s else s for s in samples], None
    else:
        xs, ys = samples, None
    return inputs_of(who, xs), None if ys is None else labels_of(who, ys)
