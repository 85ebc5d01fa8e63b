"""What everything costs: bytes, multiply-adds and seconds, by phase, round and client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd
from torch import Tensor

SEED_BYTES = 8  # a network that is drawn from a seed travels as that
COSTS = ("bytes_up", "bytes_down", "seconds", "multiply_adds")


@dataclass
class Ledger:
    """A list of entries, one per phase, round and client.

    Phases are ``training`` and, for finding federations: ``discovery/predictors`` (train and send
    them) and ``discovery/novelty`` (score with them) or ``discovery/features`` of ``rnd``,
    ``discovery/subspaces`` of ``pacfl``, ``discovery/assignment`` of ``ifca`` and ``psfl``. Bytes
    are those of the tensors that would be sent; seconds are measured on this machine, and shared
    equally where clients are computed as one stack.
    """

    entries: list[dict[str, int | float | str]] = field(default_factory=list)

    def add(
        self,
        phase: str,
        client: int,
        round: int = 0,
        *,
        bytes_up: int = 0,
        bytes_down: int = 0,
        multiply_adds: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Enter what one client sent to the server, received from it, and computed."""
        self.entries.append(
            dict(
                phase=phase,
                round=round,
                client=client,
                bytes_up=bytes_up,
                bytes_down=bytes_down,
                multiply_adds=multiply_adds,
                seconds=seconds,
            )
        )

    def extend(self, other: Ledger, round: int) -> None:
        """Enter all of another ledger's entries as part of `round`."""
        self.entries += [{**entry, "round": round} for entry in other.entries]

    @property
    def table(self) -> pd.DataFrame:
        """Tidy table with one row per entry: phase, round, client and the four costs."""
        return pd.DataFrame(self.entries, columns=["phase", "round", "client", *COSTS])

    def total(self, phase: str = "") -> pd.Series:
        """The four costs summed over all entries whose phase starts with `phase`."""
        table = self.table
        return table.loc[table["phase"].str.startswith(phase), list(COSTS)].sum()


def nbytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors as they are sent: all elements, buffers such as BatchNorm's included."""
    return sum(t.numel() * t.element_size() for t in tensors)


class Stopwatch:
    """Seconds spent inside ``with`` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time from here to the end of the block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start
