"""``tracking.json``: what of a run has been sent where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecgan.files import read_json, write_json

FILE = "tracking.json"


def mark(run: Path, record: str, tracker: str, error: str | None = None, sent: bool = False) -> None:
    """Write down how far a tracker is with a record: sent, failed, or begun.

    Args:
        run: the run directory.
        record: name of a fold, or ``summary``.
        tracker: its name.
        error: why it is not sent.
        sent: whether all of it is.
    """
    marks = read(run)
    marks.setdefault(record, {})[tracker] = {"sent": sent} | ({"error": error} if error else {})
    write_json(run / FILE, marks)


def read(run: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """All marks, by record and tracker."""
    file = run / FILE
    found: dict[str, dict[str, dict[str, Any]]] = read_json(file) if file.is_file() else {}
    return found


def is_sent(run: Path, record: str, tracker: str) -> bool:
    """Whether a tracker has all of a record."""
    return bool(read(run).get(record, {}).get(tracker, {}).get("sent"))
