"""Clients of other people's dataset objects: PyTorch's, Hugging Face's, flwr-datasets' partitions.

Nothing is imported for them: an object is read by what it can do.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
)

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.common.progress import progress
from rndcfl.common.seeding import torch_seeded
from rndcfl.data.hugging_face import as_frame, is_hugging_face, is_table, of_columns
from rndcfl.data.samples import input_column, label_column, stack
from rndcfl.data.tables import from_tables
from rndcfl.given import called, listed
from rndcfl.given.arrays import as_array

MOST = 1_000_000  # samples read of a dataset that does not say how many it has


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
    names, rows = listed(datasets)
    who = called(names)
    pairs = [_train_and_test(row) for row in rows]
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
    if isinstance(given, DataLoader):
        return _of_loader(who, given, x, y)
    if isinstance(given, TensorDataset):
        return _of_tensors(who, given.tensors)
    if isinstance(given, Subset) and isinstance(given.dataset, TensorDataset):
        picked = torch.as_tensor(list(given.indices), dtype=torch.long)
        return _of_tensors(who, tuple(t[picked] for t in given.dataset.tensors))
    if is_hugging_face(given) and given.format.get("type") != "custom":
        return of_columns(who, given, x, y)
    return _stacked(who, _samples(who, given), x, y)


def _train_and_test(row: Any) -> tuple[Any, ...]:
    if isinstance(row, Mapping) and "train" in row:
        return (row["train"], row["test"]) if "test" in row else (row["train"],)
    return tuple(row) if isinstance(row, tuple | list) and len(row) == 2 else (row,)


def _named(names: list[str], parts: list[Any]) -> Any:
    return dict(zip(names, parts, strict=True)) if any(names) else parts


def _of_tensors(who: str, tensors: tuple[torch.Tensor, ...]) -> tuple[Any, Any]:
    if not tensors:
        raise InputError(f"{who} holds no tensors")
    return tensors[0], tensors[1] if len(tensors) > 1 else None


def _of_loader(who: str, loader: Any, x: str | None, y: str | None) -> tuple[Any, Any]:
    """What a loader goes through, in the order of the dataset where its sampler only shuffles."""
    sampler, data = loader.sampler, loader.dataset
    if isinstance(data, IterableDataset):
        return read_dataset(who, data, x, y)
    if isinstance(sampler, SubsetRandomSampler):
        return read_dataset(who, Subset(data, sorted(map(int, sampler.indices))), x, y)
    if isinstance(sampler, SequentialSampler) or (
        isinstance(sampler, RandomSampler) and not sampler.replacement
    ):
        return read_dataset(who, data, x, y)
    with torch_seeded(0, "loader"):
        picked = list(map(int, sampler))
    return read_dataset(who, Subset(data, picked), x, y)


def _samples(who: str, given: Any) -> list[Any]:
    """All samples of a dataset, one after the other."""
    if not hasattr(given, "__getitem__") and not hasattr(given, "__iter__"):
        raise InputError(
            f"{who} is {type(given).__name__}, no dataset; give a PyTorch or Hugging Face dataset"
        )
    found: list[Any] = []
    with torch_seeded(0, "transforms"):
        try:
            if hasattr(given, "__len__") and hasattr(given, "__getitem__"):
                every: Iterable[Any] = (given[k] for k in range(len(given)))
                total = len(given)
            else:
                every, total = iter(given), None
            for sample in progress(every, "samples", total):
                found.append(sample)
                if len(found) > MOST:
                    break
        except Exception as problem:  # whatever the dataset's own code raises
            reason = f"{type(problem).__name__}: {problem}".splitlines()[0]
            raise InputError(f"{who}: sample {len(found)} cannot be read: {reason}") from problem
    if len(found) > MOST:
        raise InputError(f"{who} has no end after {MOST:,} samples; give a Subset of it")
    if not found:
        raise InputError(f"{who} has no samples in x; leave it out or give it data")
    return found


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
        except (KeyError, TypeError):
            raise InputError(f"{who}: not every sample has {inputs} and {label}") from None
    elif isinstance(first, tuple | list) and len(first) >= 2:
        if any(not isinstance(s, tuple | list) or len(s) < 2 for s in samples):
            raise InputError(f"{who}: not every sample is a pair (x, y)")
        xs, ys = [s[0] for s in samples], [s[1] for s in samples]
    elif isinstance(first, tuple | list) and len(first) == 1:
        xs, ys = [s[0] if isinstance(s, tuple | list) else s for s in samples], None
    else:
        xs, ys = samples, None
    labels = None if ys is None else stack(who, [_one_label(who, v) for v in ys], "y")
    return stack(who, [as_array(f"{who}: x", value) for value in xs]), labels


def _one_label(who: str, value: Any) -> Any:
    found = as_array(f"{who}: y", value)
    return found.item() if found.size == 1 else found
