"""Who works on a run directory: one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ecgan.errors import RunError

LOCK = "run.lock"


@contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Own a run directory for the time of the block.

    Raises:
        RunError: when another process owns it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(f"Another process works on {directory}; wait until it ends.") from error
    try:
        yield
    finally:
        lock.release()


def is_owned(directory: Path) -> bool:
    """Tell whether a process works on a run directory at this moment."""
    if not (directory / LOCK).exists():
        return False
    try:
        with FileLock(directory / LOCK, timeout=0):
            return False
    except Timeout:
        return True
