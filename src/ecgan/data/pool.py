"""Work on many items in several processes, results in the order of the items."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ecgan.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Results per process that may wait to be taken; more would only fill the memory."""
LOOK_AFTER_S = 1.0


def in_order(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Give ``work(item)`` for every item, in order; the results do not depend on the number of workers.

    The processes start at once, not when the first result is asked for: there may be more threads by then.

    Args:
        work: a function that can be pickled.
        items: what to work on.
        workers: processes; with one, or with one item, all is done in this process.

    Raises:
        DataError: when a process is killed.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        return map(work, items)
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_end_with, initargs=(os.getpid(),))
    waiting = deque(pool.submit(work, item) for item in items[: AHEAD * workers])
    return _drained(pool, waiting, work, items[AHEAD * workers :])


def _drained(
    pool: ProcessPoolExecutor, waiting: deque[Future[Result]], work: Callable[[Item], Result], rest: Sequence[Item]
) -> Iterator[Result]:
    try:
        for item in rest:
            waiting.append(pool.submit(work, item))
            yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "A process that reads the data was killed, perhaps for want of memory; use preprocess.workers=1."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: a killed parent cannot tell it to."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_AFTER_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
