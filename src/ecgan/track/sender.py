"""One tracker and one record: sent from a thread of its own, so that no server can hold up or end a training."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from ecgan.track.record import Record, Row, Status
from ecgan.track.tracker import Tracker

log = logging.getLogger(__name__)

INTERRUPTED_WAIT_S = 5.0
"""How long the end of a run is put off that somebody has interrupted."""


class Sender:
    """Sends a record while it grows. The files of the run are what waits to be sent; nothing piles up here.

    Args:
        make: makes the tracker.
        record: what is sent.
        wait_s: how long to wait at the end, unless the tracker is one that ends by itself.
    """

    def __init__(self, make: Callable[[], Tracker], record: Record, wait_s: float) -> None:
        self.record, self.wait_s = record, wait_s
        self.error: BaseException | None = None
        self._make, self._rows, self._status = make, list[Row](), None
        self._unbounded = False
        self._news, self._given_up = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name=f"ecgan-{record.name}", daemon=True)
        self._thread.start()

    _rows: Sequence[Row]
    _status: Status | None

    def news(self, rows: Sequence[Row]) -> None:
        """There are more rows of metrics now; these are all."""
        self._rows = rows
        self._news.set()

    def finish(self, rows: Sequence[Row], status: Status) -> BaseException | None:
        """Send what is left, wait for the end within reason, and return what went wrong, if anything."""
        self._rows, self._status = rows, status
        self._news.set()
        self._thread.join(INTERRUPTED_WAIT_S if status == "interrupted" else self.wait_s)
        if self._thread.is_alive() and self._unbounded and status != "interrupted":
            self._thread.join()
        if self._thread.is_alive():
            self._given_up = True
            return TimeoutError(f"no end after {self.wait_s:g} s")
        return self.error

    def _work(self) -> None:
        """Never raises: whatever a client raises is kept, and told by the thread that trains."""
        tracker: Tracker | None = None
        try:
            tracker = self._make()
            self._unbounded = tracker.unbounded
            self._send(tracker)
        except BaseException as error:
            self.error = error
        try:
            if tracker is not None:
                tracker.close("failed" if self._status is None else self._status)
        except BaseException as error:
            self.error = self.error or error

    def _send(self, tracker: Tracker) -> None:
        done, status = tracker.open(self.record), None
        while status is None and not self._given_up:
            self._news.wait()
            self._news.clear()
            status, rows = self._status, self._rows  # in this order: the last rows come before the status
            if len(rows) > done:
                tracker.metrics(done, rows[done:])
                done = len(rows)
        if status is not None and not self._given_up:
            tracker.outcome(self.record, status)
