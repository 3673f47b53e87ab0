"""What a tracker is."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import ClassVar, Protocol

from ecgan.errors import ConfigError
from ecgan.track.record import Record, Row, Status


class Tracker(Protocol):
    """Sends one fold of a run somewhere. It may raise whatever it likes: the training does not depend on it.

    Making one costs nothing and fetches nothing; each sends one record and is thrown away. Its methods are called in
    the order below, from one thread of its own.

    Attributes:
        unbounded: it ends by itself after a bounded number of tries, however long they take, and is waited for.
    """

    unbounded: ClassVar[bool]

    def open(self, record: Record) -> int:
        """Begin, or go on with what was begun in an earlier attempt; return the number of rows that it has already."""

    def metrics(self, first: int, rows: Sequence[Row]) -> None:
        """Send rows of metrics, of which the first is row ``first`` of all."""

    def outcome(self, record: Record, status: Status) -> None:
        """Send what is known at the end: results, figures, and files if ``tracker.artifact`` says so."""

    def close(self, status: Status) -> None:
        """End it; called in any case, also when something before failed."""


def refuse_without(package: str, tracker: str) -> None:
    """Refuse a tracker whose client is not installed.

    Raises:
        ConfigError: naming the command that installs it.
    """
    try:
        found = find_spec(package)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise ConfigError(
            f"tracker={tracker} needs a package that is not installed; install it with: "
            f"python -m pip install 'ecgan[{tracker}]'."
        )
