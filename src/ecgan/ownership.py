"""Who works on a run directory: one process at a time, which the system knows even when it is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ecgan.errors import RunError
from ecgan.files import explain_os_error

LOCK = ".lock"
"""File that is locked, not one that is there: the system lets go of it when its process ends, however it ends."""
WAIT_S = 3.0
"""How long to wait for one that is taken: processes that read data outlive a killed one by a second and hold it too."""


@contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Own a run directory for the length of the block.

    Raises:
        RunError: when another process works on it, or it cannot be written.
    """
    lock = FileLock(directory / LOCK)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=WAIT_S)
    except Timeout as error:
        raise RunError(f"Another process works on {directory}; wait for it, or choose another directory.") from error
    except OSError as error:
        raise RunError(explain_os_error(error, directory)) from error
    try:
        yield
    finally:
        lock.release()


def is_owned(directory: Path) -> bool:
    """Whether a process works on a run directory."""
    if not (directory / LOCK).exists():
        return False
    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
