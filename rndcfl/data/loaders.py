"""PyTorch's loaders and subsets: which samples of which dataset they go through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    default_collate,
    default_convert,
)

from rndcfl.common.errors import InputError
from rndcfl.common.seeding import torch_seeded
from rndcfl.data.hugging_face import is_hugging_face
from rndcfl.given.arrays import reading

MOST = 10_000_000  # samples that a sampler may pick


class Collated:
    """A dataset's samples as a loader's own ``collate_fn`` makes them, one in each batch."""

    def __init__(self, data: Any, collate: Callable[[list[Any]], Any]) -> None:
        self.data, self.collate = data, collate

    def __iter__(self) -> Iterator[Any]:
        every: Iterable[Any] = self.data
        if not isinstance(self.data, IterableDataset):
            every = (self.data[k] for k in range(len(self.data)))
        for sample in every:
            batch = self.collate([sample])
            if isinstance(batch, Mapping):
                yield {name: values[0] for name, values in batch.items()}
            elif isinstance(batch, tuple | list):
                yield tuple(values[0] for values in batch)
            else:
                yield batch[0]


def unwrapped(who: str, given: Any) -> Any:
    """The samples that a loader or a subset picks, in the order of the dataset if it shuffles.

    Raises
    ------
    InputError
        For a sampler that fails or never ends.
    """
    if isinstance(given, DataLoader):
        picked = given.dataset
        if not isinstance(picked, IterableDataset):
            indices = _indices(who, given)
            picked = unwrapped(who, picked if indices is None else Subset(picked, indices))
        if given.collate_fn not in (default_collate, default_convert):
            return Collated(picked, given.collate_fn)
        return picked
    if type(given) is Subset:
        data = unwrapped(who, given.dataset)
        if is_hugging_face(data) and hasattr(data, "select"):
            with reading(f"{who}: its subset"):
                return data.select(list(map(int, given.indices)))
    return given


def _indices(who: str, loader: Any) -> list[int] | None:
    """Which samples a loader picks; None for all of them."""
    batches = loader.batch_sampler
    if type(batches) is BatchSampler:
        sampler: Any = batches.sampler
    else:
        sampler = loader.sampler if batches is None else batches
    with reading(f"{who}: its sampler"), torch_seeded(0, "loader"):
        if isinstance(sampler, SubsetRandomSampler):
            return sorted(map(int, sampler.indices))
        if isinstance(sampler, SequentialSampler):
            once = True
        else:
            once = isinstance(sampler, RandomSampler) and not sampler.replacement
        if once and len(sampler) == len(loader.dataset):
            return None
        picked: list[int] = []
        for one in islice(sampler, MOST):
            picked += map(int, one) if isinstance(one, tuple | list) else [int(one)]
    if len(picked) >= MOST:
        raise InputError(f"{who}: its sampler has no end after {MOST:,} samples; give a Subset")
    return picked
