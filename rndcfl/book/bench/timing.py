"""Timing side by side: works take turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from rndcfl.common.progress import silent
from rndcfl.engine.networks import device


@dataclass
class Timed:
    """Seconds that a work took in each round, and what it returned last.

    `cpu_seconds` are those of all cores together, which others on the machine slow down less; with
    several threads they count waiting for each other as well.
    """

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    value: Any = None

    @property
    def median(self) -> float:
        """Median over the rounds."""
        return float(np.median(self.seconds))

    @property
    def cpu_median(self) -> float:
        """Median of the processor's seconds."""
        return float(np.median(self.cpu_seconds))

    def scaled(self, factor: float) -> Timed:
        """The same for a whole of which this was a sample."""
        seconds, cpu = ([factor * s for s in v] for v in (self.seconds, self.cpu_seconds))
        return Timed(seconds, cpu, self.value)

    def summary(self) -> dict[str, Any]:
        """Median, least and most, and all of them, in seconds."""
        return dict(
            median=self.median,
            least=min(self.seconds),
            most=max(self.seconds),
            all=self.seconds,
            cpu_median=self.cpu_median,
        )


def clock() -> float:
    """Seconds now, once the GPU, if there is one, has done what it was asked to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def alternate(works: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, Timed]:
    """Run all works one after the other, `repeats` times over.

    Parameters
    ----------
    works : name -> function without arguments.
    repeats : rounds.

    Returns
    -------
    dict
        Name -> :class:`Timed`.
    """
    timed = {name: Timed() for name in works}
    with tqdm(total=repeats * len(works), unit="run", **silent()) as bar:
        for _ in range(repeats):
            for name, work in works.items():
                bar.set_description(name)
                start, cpu = clock(), time.process_time()
                timed[name].value = work()
                timed[name].seconds.append(clock() - start)
                timed[name].cpu_seconds.append(time.process_time() - cpu)
                bar.update()
    return timed


def matrix_product_gflops(size: int = 2048, times: int = 5) -> float:
    """The best of `times` products of two float32 matrices, in 1e9 operations per second."""
    a = torch.ones(size, size, device=device())
    seconds = []
    for _ in range(times + 1):
        start = clock()
        torch.mm(a, a)
        seconds.append(clock() - start)
    return 2 * size**3 / min(seconds[1:]) / 1e9
