"""Clients: who holds which samples, and the true group where it is known."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, overload

import numpy as np

from rndcfl.common.errors import InputError, check_number, notice
from rndcfl.common.seeding import numpy_rng
from rndcfl.given import Together, together


@dataclass(frozen=True, eq=False)
class Client:
    """One client ("device" in the paper) and its private data.

    Attributes
    ----------
    x : training inputs; images float32 [n, C, H, W] in [0, 1], series float32 [n, C, T], tables
        float32 [n, d] or text int64 [n, length].
    y : training labels int64 [n], or None where there are none (discovery needs no labels). For
        text also [n, length], a label for each place, ``IGNORED`` where there is none.
    x_test, y_test : held-out data of the same client, or None.
    group : true group, or None where it is not known.
    name : for people to read.
    """

    x: np.ndarray
    y: np.ndarray | None = None
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    group: int | None = None
    name: str = ""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def kind(self) -> str:
        """``"images"``, ``"series"``, ``"table"`` or ``"text"``."""
        if self.x.dtype == np.int64:
            return "text"
        return {2: "table", 3: "series"}.get(self.x.ndim, "images")


class _Door:
    """A way to make clients that a room beside the pipeline knows, imported when asked for."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> Callable[..., Clients]:
        found: Callable[..., Clients] = getattr(import_module(self.module), self.name)
        return found


@dataclass(frozen=True, eq=False)
class Clients(Sequence[Client]):
    """A sequence of :class:`Client`, all with inputs of one shape.

    Attributes
    ----------
    members : the clients.
    n_classes : number of classes of the labels (0 where there are no labels).
    dataset, setting : names for tables and captions.
    classes : names of the classes in the order of their numbers, where they are not the numbers.
    columns : names of a table's columns, where they are known.
    units : mean and standard deviation by which each column was brought to 0 and 1, [2, d], or
        None.
    unlabelled : why there are no labels although some were given, or empty.
    notices : what was said of the data when they were read.
    """

    members: tuple[Client, ...]
    n_classes: int
    dataset: str = "own data"
    setting: str = "natural"
    classes: tuple[Any, ...] = ()
    columns: tuple[str, ...] = ()
    units: np.ndarray | None = None
    unlabelled: str = ""
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.members)

    @overload
    def __getitem__(self, index: int) -> Client: ...
    @overload
    def __getitem__(self, index: slice) -> Clients: ...
    def __getitem__(self, index: int | slice) -> Client | Clients:
        if isinstance(index, slice):
            return replace(self, members=self.members[index])
        return self.members[index]

    def __iter__(self) -> Iterator[Client]:
        return iter(self.members)

    def __repr__(self) -> str:
        groups = "unknown" if self.groups is None else len(np.unique(self.groups))
        return (
            f"Clients({len(self)} clients of {self.dataset}, setting {self.setting}, "
            f"{min(map(len, self))} to {max(map(len, self))} samples of shape "
            f"{self.input_shape}, true groups: {groups})"
        )

    @property
    def groups(self) -> np.ndarray | None:
        """True groups int64 [N], or None where any is unknown."""
        if any(client.group is None for client in self):
            return None
        return np.array([client.group for client in self], dtype=np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the clients, or their numbers where they have none."""
        return tuple(client.name or str(i) for i, client in enumerate(self))

    @property
    def kind(self) -> str:
        """Of all inputs: ``"images"``, ``"series"``, ``"table"`` or ``"text"``."""
        return self.members[0].kind

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.members[0].x.shape[1:]

    @classmethod
    def from_arrays(
        cls,
        arrays: Iterable[tuple[Any, ...]] | Mapping[Any, tuple[Any, ...]],
        groups: Sequence[int] | None = None,
        dataset: str = "own data",
        *,
        kind: str | None = None,
        classes: Sequence[Hashable] | None = None,
    ) -> Clients:
        """Make clients of your own data.

        Parameters
        ----------
        arrays : per client ``(x, y)``, or ``(x, y, x_test, y_test)`` to bring held-out data too;
            a list of them, or a dictionary whose keys name the clients. Arrays, tensors, lists: x
            is images [n, C, H, W], gray ones [n, H, W], series [n, C, T] or a table [n, d]. Labels
            y are whole numbers, words, truth values or one-hot rows, numbered over all clients;
            None if you only want to discover federations.
        groups : true groups [N] where you know them; they are only used to score the result.
        dataset : a name for tables and captions.
        kind : ``"images"``, ``"series"``, ``"table"`` or ``"text"`` (whole numbers [n, length], one
            for each character), where the shape does not say it; text is never guessed.
        classes : names of the classes in their order, where others than those that occur are known,
            as for clients that join later.

        Returns
        -------
        Clients
            What was turned, scaled or looks like a slip is said as a
            :class:`~rndcfl.common.errors.Notice`.

        Raises
        ------
        InputError
            For a client without samples, NaN or infinite inputs, clients of different shapes,
            labels that do not match their inputs, or no clients at all.

        Examples
        --------
        >>> import numpy as np
        >>> x = np.random.default_rng(0).random((60, 1, 8, 8))
        >>> clients = Clients.from_arrays({"north": (x[:30], None), "south": (x[30:], None)})
        >>> clients.names
        ('north', 'south')
        """
        return cls.of(together(arrays, kind=kind, classes=classes), groups, dataset)

    @classmethod
    def of(
        cls, data: Together, groups: Sequence[int] | None = None, dataset: str = "own data"
    ) -> Clients:
        """The clients of data that have been read; what is to be said of them is said."""
        n = len(data.parts)
        if groups is not None and len(groups) != n:
            raise InputError(f"{len(groups)} groups given for {n} clients; give one each")
        own = [None] * n if groups is None else [_group(i, group) for i, group in enumerate(groups)]
        members = tuple(
            Client(*parts, group, name)
            for parts, group, name in zip(data.parts, own, data.names, strict=True)
        )
        notice(data.said)
        return cls(
            members,
            data.n_classes,
            dataset,
            classes=data.classes,
            columns=data.columns,
            units=data.units,
            unlabelled=data.unlabelled,
            notices=tuple(data.said),
        )

    from_tables = _Door("rndcfl.data.tables")
    from_datasets = _Door("rndcfl.data.datasets")
    from_files = _Door("rndcfl.data.own_files")

    def with_test(self, share: float = 0.2, seed: int = 0) -> Clients:
        """Hold out `share` of each client's samples for testing, where it has no test data yet.

        Raises
        ------
        InputError
            If a client has no labels or too few samples to keep one of each kind.
        """
        check_number("share", share, 0.0, 1.0)
        if self.unlabelled:
            raise InputError(f"{self.unlabelled}; training needs (x, y) for every client")
        return replace(self, members=tuple(hold_out(c, i, share, seed) for i, c in enumerate(self)))


def hold_out(client: Client, i: int, share: float = 0.2, seed: int = 0) -> Client:
    """Client i with a share of its samples held out; see :meth:`Clients.with_test`."""
    if client.y is None:
        raise InputError(f"client {i} has no labels; training needs (x, y) for every client")
    if client.x_test is not None:
        return client
    n_test = max(1, round(share * len(client)))
    if n_test >= len(client):
        raise InputError(
            f"client {i} has {len(client)} samples, too few to hold out {n_test} for testing; "
            "give (x, y, x_test, y_test)"
        )
    order = numpy_rng(seed, "hold out", i).permutation(len(client))
    test, train = order[:n_test], order[n_test:]
    x, y = client.x, client.y
    return replace(client, x=x[train], y=y[train], x_test=x[test], y_test=y[test])


def _group(i: int, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise InputError(f"client {i}: its group must be a whole number, got {given!r}")
    return int(given)
