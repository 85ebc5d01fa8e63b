"""Several seeds side by side: worker processes with one thread each, so that bits do not change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from joblib.externals.loky import ProcessPoolExecutor  # unlike the standard one: from notebooks too


def over_seeds(
    function: Callable[[int], Any], seeds: Iterable[int], workers: int | None = None
) -> list[Any]:
    """``[function(seed) for seed in seeds]``, computed by `workers` processes (None: one per core).

    Every call has one thread, so that a result does not depend on how many run at once.
    """
    seeds = list(seeds)
    workers = min(workers or os.cpu_count() or 1, len(seeds))
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            return list(pool.map(partial(_alone, function), seeds))
    threads = torch.get_num_threads()
    try:
        return [_alone(function, seed) for seed in seeds]
    finally:
        torch.set_num_threads(threads)


def _alone(function: Callable[[int], Any], seed: int) -> Any:
    torch.set_num_threads(1)
    return function(seed)
