"""Work on many items in several processes, results in the order of the items."""

from __future__ import annotations

import os
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
    """Yield ``work(item)`` for every item, in order; the results do not depend on the number of workers.

    Args:
        work: a function that can be pickled.
        items: what to work on.
        workers: processes; with one, or with one item, all is done in this process.

    Raises:
        DataError: when a process is killed.
    """
    if min(workers, len(items)) <= 1:
        yield from map(work, items)
        return
    workers = min(workers, len(items))
    pool = ProcessPoolExecutor(workers, initializer=_end_with, initargs=(os.getpid(),))
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > AHEAD * workers:
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
