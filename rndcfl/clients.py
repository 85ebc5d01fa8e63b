"""Clients: who holds which samples, and the true group where it is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from rndcfl.common.errors import InputError, check_number
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.inputs import checked_inputs, checked_labels


@dataclass(frozen=True, eq=False)
class Client:
    """One client ("device" in the paper) and its private data.

    Attributes
    ----------
    x : training inputs; images float32 [n, C, H, W] in [0, 1], tables float32 [n, d] or text
        int64 [n, length].
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
        """``"images"``, ``"table"`` or ``"text"``."""
        if self.x.dtype == np.int64:
            return "text"
        return "table" if self.x.ndim == 2 else "images"


@dataclass(frozen=True, eq=False)
class Clients(Sequence[Client]):
    """A sequence of :class:`Client`, all with inputs of one shape.

    Attributes
    ----------
    members : the clients.
    n_classes : number of classes of the labels (0 where there are no labels).
    dataset, setting : names for tables and captions.
    """

    members: tuple[Client, ...]
    n_classes: int
    dataset: str = "own data"
    setting: str = "natural"

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
    def kind(self) -> str:
        """Of all inputs: ``"images"``, ``"table"`` or ``"text"``."""
        return self.members[0].kind

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.members[0].x.shape[1:]

    @classmethod
    def from_arrays(
        cls,
        arrays: Iterable[tuple[Any, ...]],
        groups: Sequence[int] | None = None,
        dataset: str = "own data",
    ) -> Clients:
        """Make clients of your own data.

        Parameters
        ----------
        arrays : per client ``(x, y)``, or ``(x, y, x_test, y_test)`` to bring held-out data too;
            anything NumPy can read. `y` may be None if you only want to discover federations.
            Bring the columns of a table to comparable scale first.
        groups : true groups [N] where you know them; they are only used to score the result.
        dataset : a name for tables and captions.

        Returns
        -------
        Clients

        Raises
        ------
        InputError
            For a client without samples, NaN or infinite inputs, clients of different shapes,
            labels that do not match their inputs, or no clients at all.

        Examples
        --------
        >>> import numpy as np
        >>> x = np.random.default_rng(0).random((60, 1, 8, 8))
        >>> clients = Clients.from_arrays([(x[:30], None), (x[30:], None)])
        >>> len(clients)
        2
        """
        given = list(arrays)
        if not given:
            raise InputError("no clients given; give a list with one (x, y) per client")
        if groups is not None and len(groups) != len(given):
            raise InputError(f"{len(groups)} groups given for {len(given)} clients; give one each")
        members = []
        for i, parts in enumerate(given):
            check_parts(i, parts)
            x, y = checked_inputs(i, parts[0], "x"), parts[1]
            y = None if y is None else checked_labels(i, y, x, "y")
            held_out: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
            if len(parts) == 4:
                x_test = checked_inputs(i, parts[2], "x_test")
                held_out = x_test, checked_labels(i, parts[3], x_test, "y_test")
            group = None if groups is None else _group(i, groups[i])
            members.append(Client(x, y, *held_out, group))
        _same_shape(members)
        tops = [v.max() for c in members for v in (c.y, c.y_test) if v is not None]
        if members[0].y is not None and members[0].y.ndim == 2:  # the next of the same characters
            tops += [x.max() for c in members for x in (c.x, c.x_test) if x is not None]
        return cls(tuple(members), int(max(tops)) + 1 if tops else 0, dataset)

    def with_test(self, share: float = 0.2, seed: int = 0) -> Clients:
        """Hold out `share` of each client's samples for testing, where it has no test data yet.

        Raises
        ------
        InputError
            If a client has no labels or too few samples to keep one of each kind.
        """
        check_number("share", share, 0.0, 1.0)
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


def check_parts(i: int, parts: Any) -> None:
    """Raise unless client i's data are ``(x, y)`` or ``(x, y, x_test, y_test)``."""
    if not isinstance(parts, tuple | list) or len(parts) not in (2, 4):
        raise InputError(f"client {i}: give (x, y) or (x, y, x_test, y_test)")


def _same_shape(members: list[Client]) -> None:
    first = members[0].x
    for i, client in enumerate(members):
        for x in (client.x, client.x_test):
            if x is not None and (x.shape[1:] != first.shape[1:] or x.dtype != first.dtype):
                raise InputError(
                    f"client {i} has samples of shape {x.shape[1:]} and type {x.dtype}, client 0 "
                    f"of shape {first.shape[1:]} and type {first.dtype}; all must be alike"
                )


def _group(i: int, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise InputError(f"client {i}: its group must be a whole number, got {given!r}")
    return int(given)
