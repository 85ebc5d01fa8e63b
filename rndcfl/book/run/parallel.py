"""Several seeds side by side: worker processes with one thread each, so that bits do not change."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from loky import ProcessPoolExecutor  # unlike the standard one, it takes functions of notebooks

from rndcfl.book.provenance.reached import unrecorded
from rndcfl.common.orphans import or_at_once


def over_seeds(
    function: Callable[[int], Any], seeds: Iterable[int], workers: int | None = None
) -> list[Any]:
    """``[function(seed) for seed in seeds]``, computed by `workers` processes (None: one per core).

    Every call has one thread, so that a result does not depend on how many run at once.
    """
    seeds = list(seeds)
    workers = min(workers or os.cpu_count() or 1, len(seeds))
    if workers > 1:
        with ProcessPoolExecutor(workers, initializer=end_with_parent) as pool:
            return list(pool.map(partial(_alone, function), seeds))
    threads = torch.get_num_threads()
    try:
        return [_alone(function, seed) for seed in seeds]
    finally:
        torch.set_num_threads(threads)


def _alone(function: Callable[[int], Any], seed: int) -> Any:
    torch.set_num_threads(1)
    return function(seed)


def end_with_parent() -> None:
    """Let this process end soon after its parent, even if that is killed; for workers' start."""
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()


def _follow(parent: int) -> None:
    known = multiprocessing.parent_process()
    if sys.platform == "win32" and known is not None:
        known.join()
    else:
        while os.getppid() == parent:  # an orphan is given to another parent
            time.sleep(0.1)
    os._exit(1)


# No decorator, for published runs rest on the function as it stands; they rest on no more of this.
end_with_parent = unrecorded(unrecorded(or_at_once)(end_with_parent))
