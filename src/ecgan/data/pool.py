"""Work on many items in several processes, results in the order of the items."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import Connection
from typing import TypeVar

from ecgan.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Results per process that may wait to be taken; more would only fill the memory."""
LOOK_AFTER_S = 1.0

_busy = threading.Lock()
"""Held by a process of a pool but for the time of an item, in which it may end.

Its parent would wait forever for the rest of half a result."""


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
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(os.getpid(), theirs, ours))
    work = partial(_worked, work)
    waiting = deque(pool.submit(work, item) for item in items[: AHEAD * workers])
    return _drained(pool, ours, waiting, work, items[AHEAD * workers :])


def _drained(
    pool: ProcessPoolExecutor,
    ours: Connection,
    waiting: deque[Future[Result]],
    work: Callable[[Item], Result],
    rest: Sequence[Item],
) -> Iterator[Result]:
    try:
        for item in rest:
            waiting.append(pool.submit(work, item))
            yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        pool.shutdown()
    except BrokenProcessPool as error:
        raise DataError(
            "A process that reads the data was killed, perhaps for want of memory; use preprocess.workers=1."
        ) from error
    finally:  # also when somebody has asked to stop: no item is worth waiting for
        ours.close()
        pool.shutdown(cancel_futures=True)


def _worked(work: Callable[[Item], Result], item: Item) -> Result:
    _busy.release()
    try:
        return work(item)
    finally:
        _busy.acquire()


def _begin(parent: int, theirs: Connection, ours: Connection) -> None:
    """End this process when its parent closes its end of a pipe or is gone; signals are for the parent to hear of."""
    ours.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _busy.acquire()

    def look() -> None:
        theirs.poll(None)
        while not _busy.acquire(timeout=LOOK_AFTER_S) and os.getppid() == parent:
            pass  # it hands over a result, or has no item and will be told to end
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
