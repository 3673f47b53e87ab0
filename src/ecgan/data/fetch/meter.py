"""How far a download is: one bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

LINE_EVERY_S = 15.0


class Meter:
    """Adds up what several downloads at once have received.

    Args:
        title: name of the data set.
        files: number of files to come.
        console: where to draw; only a terminal gets a bar.
    """

    def __init__(self, title: str, files: int, console: Console) -> None:
        self.title, self.files = title, files
        self.finished, self.bytes = 0, 0
        self._under_way: dict[str, tuple[int, int | None]] = {}
        self._lock = threading.Lock()
        self._said = time.monotonic()
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.task = self.progress.add_task(title, total=files, note="")

    def __enter__(self) -> Self:
        """Start the bar."""
        log.info("downloading %d file%s of %s", self.files, "" if self.files == 1 else "s", self.title)
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back."""
        self.progress.stop()
        log.info("downloaded %s of %s", self.note(), self.title)

    def received(self, name: str, done: int, total: int | None) -> None:
        """Say that ``done`` of ``total`` bytes of a file are there."""
        with self._lock:
            self._under_way[name] = (done, total)
            self._show()

    def finish(self, name: str, size: int) -> None:
        """Say that a file is complete."""
        with self._lock:
            self._under_way.pop(name, None)
            self.finished += 1
            self.bytes += size
            self._show()

    def note(self) -> str:
        """What has come so far, such as ``3 of 148 files, 12.4 MB``."""
        size = self.bytes + sum(done for done, _ in self._under_way.values())
        return f"{self.finished} of {self.files} files, {decimal(size)}"

    def _show(self) -> None:
        # the bar counts files, and those under way by their share: it moves for one large file and for many small ones
        shares = sum(min(done / total, 1.0) for done, total in self._under_way.values() if total)
        self.progress.update(self.task, completed=self.finished + shares, note=self.note())
        if self.progress.disable and time.monotonic() - self._said > LINE_EVERY_S:
            self._said = time.monotonic()
            log.info("%s: %s", self.title, self.note())
