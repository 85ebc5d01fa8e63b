"""Processes that work side by side, each in a place of its own.

One that is killed takes no other with it, and none outlives the process that started it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import Any, TypeVar

from rndcfl.book.run.parallel import end_with_parent
from rndcfl.common.orphans import Terminated, terminated

Item = TypeVar("Item")
GRACE = 15  # seconds that an interrupted worker has to end by itself
CONTEXT = multiprocessing.get_context("spawn")


def side_by_side(
    function: Callable[[Item], Any], items: list[Item], workers: int
) -> Iterator[tuple[Item, Any]]:
    """Yield ``(item, function(item))`` as each ends; None for one whose process was killed.

    What `function` raises is raised here, when all that had begun have ended.
    """
    todo = list(items)
    with ExitStack() as stack:

        def place() -> ProcessPoolExecutor:
            pool = ProcessPoolExecutor(1, CONTEXT, initializer=end_with_parent)
            return stack.enter_context(pool)

        free = [place() for _ in range(min(workers, len(todo)))]
        running: dict[Future, tuple[Item, ProcessPoolExecutor]] = {}
        try:
            while todo or running:
                # Nothing waits inside a pool, so that an interrupt leaves nothing to be begun.
                while todo and free:
                    item, pool = todo.pop(0), free.pop()
                    running[pool.submit(function, item)] = item, pool
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    item, pool = running.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        result, pool = None, place()
                    free.append(pool)
                    yield item, result
        except (KeyboardInterrupt, GeneratorExit, Terminated):
            # An interrupt in a terminal reaches the workers, too; what ends this process does not.
            if wait(running, 0 if terminated() else GRACE).not_done:
                for process in multiprocessing.active_children():
                    process.kill()  # its kernel sees that and ends, too
            raise
