"""Whatever a tracker does, the training hears of it at the end and waits no longer than it has to."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from ecgan.track.record import Record, Row, Status
from ecgan.track.sender import Sender

ROWS = [Row(i, {"loss": float(i)}) for i in range(5)]
RECORD = Record(Path("run"), 0)


class Told:
    """Writes down what it is told; ``has`` rows were there before."""

    unbounded: ClassVar[bool] = False

    def __init__(self, has: int = 0) -> None:
        self.has, self.calls, self.rows = has, list[str](), list[Row]()

    def open(self, record: Record) -> int:
        self.calls.append("open")
        return self.has

    def metrics(self, first: int, rows: Sequence[Row]) -> None:
        assert first == self.has + len(self.rows)
        self.rows += rows

    def outcome(self, record: Record, status: Status) -> None:
        self.calls.append(f"outcome {status}")

    def close(self, status: Status) -> None:
        self.calls.append(f"close {status}")


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
@pytest.mark.parametrize("has", [0, 2, 5, 9])
def test_every_row_once_then_the_outcome(status: Status, has: int) -> None:
    tracker = Told(has)
    sender = Sender(lambda: tracker, RECORD, 60)
    for upto in (1, 3, 3):
        sender.news(ROWS[:upto])
    assert sender.finish(ROWS, status) is None
    assert tracker.rows == ROWS[has:]
    assert tracker.calls == ["open", f"outcome {status}", f"close {status}"]


def broken(method: str, error: Callable[[], object]) -> Told:
    """A tracker of which one method fails."""

    def fail(*_: object) -> int:
        error()
        return 0

    tracker = Told()
    setattr(tracker, method, fail)
    return tracker


def refuse() -> None:
    raise ConnectionError("no route")


@pytest.mark.parametrize("method", ["open", "metrics", "outcome", "close"])
@pytest.mark.parametrize("error", [refuse, sys.exit], ids=["error", "exit"])
def test_what_fails_is_kept_and_the_tracker_closed(method: str, error: Callable[[], object]) -> None:
    tracker = broken(method, error)
    sender = Sender(lambda: tracker, RECORD, 60)
    sender.news(ROWS)
    kept = sender.finish(ROWS, "finished")
    assert type(kept) is (ConnectionError if error is refuse else SystemExit)
    assert method == "close" or tracker.calls[-1].startswith("close")


def test_a_tracker_that_cannot_be_made() -> None:
    def make() -> Told:
        raise ImportError("no client")

    assert isinstance(Sender(make, RECORD, 60).finish(ROWS, "finished"), ImportError)


def test_one_that_hangs_is_given_up_and_told_nothing_more() -> None:
    answer = threading.Event()
    tracker = broken("open", answer.wait)
    sender = Sender(lambda: tracker, RECORD, 0.05)
    assert isinstance(sender.finish(ROWS, "finished"), TimeoutError)
    answer.set()
    sender._thread.join(60)
    assert (tracker.rows, tracker.calls) == ([], ["close finished"])


def test_an_upload_is_waited_for_but_not_by_whom_somebody_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Upload(Told):
        unbounded: ClassVar[bool] = True

    monkeypatch.setattr("ecgan.track.sender.INTERRUPTED_WAIT_S", 0.05)
    for status, error in {"finished": None, "interrupted": TimeoutError}.items():
        tracker = Upload()
        begun = threading.Event()

        def slow(record: Record, status: Status, begun: threading.Event = begun) -> None:
            begun.set()
            time.sleep(0.5)

        tracker.outcome = slow  # type: ignore[method-assign]
        kept = Sender(lambda made=tracker: made, RECORD, 0.05).finish(ROWS, status)  # type: ignore[misc,arg-type]
        assert isinstance(kept, error) if error else kept is None
