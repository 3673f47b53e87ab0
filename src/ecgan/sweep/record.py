"""``job.json``: what a sweep knows of one of its jobs; and how the job stands, from that and the run itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ecgan.errors import RunError
from ecgan.files import read_json, write_json
from ecgan.provenance import read_facts

Status = Literal["pending", "running", "interrupted", "failed", "pruned", "finished"]
FILE, LOCK = "job.json", "job.lock"
PATIENCE_S = 1.0
"""How long to wait for a job's lock: whoever only looks whether it is taken holds it for a moment too."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        overrides: settings of this job.
        failures: attempts that failed.
        error: of the last attempt; None when it did not fail or goes on.
        pruned: given up by a search, because others were better by then.
        seconds: of all attempts that ended.
        ended: when the last one did.
    """

    overrides: list[str] = field(default_factory=list)
    failures: int = 0
    error: str | None = None
    pruned: bool = False
    seconds: float = 0.0
    ended: str | None = None

    def begun(self) -> Job:
        """The same with a new attempt."""
        return replace(self, error=None)

    def after(self, seconds: float, error: str | None = None, pruned: bool = False) -> Job:
        """The same after an attempt.

        Args:
            seconds: that it took.
            error: why it failed.
            pruned: whether a search gave it up.
        """
        ended = datetime.now(UTC).isoformat(timespec="milliseconds")
        failures, total = self.failures + (error is not None), round(self.seconds + seconds, 3)
        return replace(self, failures=failures, error=error, pruned=pruned, seconds=total, ended=ended)

    def write(self, directory: Path) -> None:
        """Write ``job.json``."""
        write_json(directory / FILE, asdict(self))


def read_job(directory: Path) -> Job:
    """Read ``job.json``; an empty one where there is none yet.

    Raises:
        RunError: when it is damaged.
    """
    if not (directory / FILE).is_file():
        return Job()
    try:
        return Job(**read_json(directory / FILE))
    except TypeError as error:
        raise RunError(f"{directory / FILE} is damaged ({error}); remove the folder to run this job again.") from error


def status_of(directory: Path, job: Job) -> Status:
    """How a job stands. One that was killed counts as running until somebody asks ``is_claimed``."""
    run = _status_of_run(directory)
    if job.pruned:
        return "pruned"
    if run == "finished":
        return "finished"
    if job.error is not None:
        return "failed"
    if run is None:
        return "pending"
    return "running" if run == "running" else "interrupted"


def _status_of_run(directory: Path) -> str | None:
    if not (directory / "run.json").is_file():
        return None
    try:
        return str(read_facts(directory).get("status", "running"))
    except RunError:
        return "interrupted"  # whoever goes on with it says what is wrong


@contextmanager
def claimed(directory: Path) -> Iterator[bool]:
    """Hold a job for the time of the block; tells whether it could be had, since another process may work on it."""
    from filelock import FileLock, Timeout

    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=PATIENCE_S)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def is_claimed(directory: Path) -> bool:
    """Tell whether a process works on a job at this moment."""
    from filelock import FileLock, Timeout

    if not (directory / LOCK).exists():
        return False
    try:
        with FileLock(directory / LOCK, timeout=0):
            return False
    except Timeout:
        return True
