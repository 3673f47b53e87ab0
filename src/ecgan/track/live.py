"""A run that is told to trackers while it goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback
from rich.console import Console

from ecgan import provenance
from ecgan.checks import UPLOADS
from ecgan.config import build
from ecgan.errors import EcganError
from ecgan.track import marks
from ecgan.track.checkpoints import CheckpointCopies
from ecgan.track.record import Record, Row, Status
from ecgan.track.sender import Sender

log = logging.getLogger(__name__)

WIDTH = 240
"""How much is told of an error; some clients put whole answers of servers into theirs."""
NEWS_S = 2.0
"""How often trackers hear of a training at most: reading its metrics takes the time of the training itself."""


class Tracking:
    """The trackers of a run. One that fails is told of once and left alone for the rest of the run.

    Args:
        cfg: the run's config.
        run: the run directory.
        console: where to tell.
    """

    def __init__(self, cfg: DictConfig, run: Path, console: Console) -> None:
        self.run, self.console, self.wait_s = run, console, float(cfg.tracker.wait_s)
        self.trackers: dict[str, Any] = {name: partial(build, node) for name, node in cfg.tracker.backends.items()}
        if cfg.tracker.checkpoints:
            self.trackers[UPLOADS] = partial(CheckpointCopies, cfg.tracker.checkpoints)
        self.failed: dict[str, str] = {}

    @contextmanager
    def fold(self, number: int) -> Iterator[list[Callback]]:
        """Tell trackers of a fold, however the block ends; hands out what the trainer must call."""
        record = Record(self.run, number)
        senders = self._begin(record, self.trackers)
        status: Status = "interrupted"  # but for what is named here
        try:
            yield [News(record, senders, self)] if senders else []
            status = "finished"
        except Exception:
            status = "failed"
            raise
        finally:
            self._end(record, senders, status)

    def tell(self, record: Record, status: Status, trackers: Collection[str]) -> None:
        """Tell some trackers of something that has ended, from its beginning."""
        self._end(record, self._begin(record, trackers), status)

    def _begin(self, record: Record, trackers: Collection[str]) -> dict[str, Sender]:
        for name in trackers:
            self._mark(record, name)
        return {name: Sender(self.trackers[name], record, self.wait_s) for name in trackers if name not in self.failed}

    def _end(self, record: Record, senders: dict[str, Sender], status: Status) -> None:
        rows = self.rows_of(record)
        for name, sender in senders.items():
            error = sender.finish(rows, status)
            if error is not None:
                self.note(name, error)
            self._mark(record, name, sent=error is None and status != "interrupted")  # that one goes on later

    def rows_of(self, record: Record) -> list[Row]:
        """Rows of metrics; none where the file cannot be read, which no training shall fail of."""
        try:
            return record.rows()
        except (OSError, ValueError) as error:
            log.warning("cannot read the metrics of %s: %s", record.name, error)
            return []

    def _mark(self, record: Record, name: str, sent: bool = False) -> None:
        with suppress(EcganError):  # a full disk is for the run itself to tell
            marks.mark(self.run, record.name, name, self.failed.get(name), sent)

    def note(self, name: str, error: BaseException) -> None:
        """Tell once, on the screen and in the log, that a tracker has failed."""
        if name not in self.failed:
            why = " ".join(str(error).split())
            self.failed[name] = shorten(f"{type(error).__name__}: {why}", WIDTH, placeholder=" …").rstrip(".")
            told = (
                f"not everything was sent to {label(name)} ({self.failed[name]}). The run goes on, and its directory "
                f"is complete; send the rest later with: ecgan-report --sync {self.run}"
            )
            log.warning("%s", told)
            self.console.print(f"Warning: {told}", soft_wrap=True, highlight=False, markup=False)


def label(tracker: str) -> str:
    """What users call a tracker."""
    return "tracker.checkpoints" if tracker == UPLOADS else tracker


class News(Callback):
    """Tells senders during a fit that there are more metrics.

    Args:
        record: of the fold.
        senders: by tracker.
        tracking: where failures are told.
    """

    def __init__(self, record: Record, senders: dict[str, Sender], tracking: Tracking) -> None:
        self.record, self.senders, self.tracking, self._told = record, dict(senders), tracking, 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Metrics of the epoch before are in the file by now."""
        now = time.monotonic()
        if now - self._told < NEWS_S or not self.senders:
            return
        rows = self.tracking.rows_of(self.record)
        for name, sender in list(self.senders.items()):
            sender.news(rows)
            if sender.error is not None:
                self.tracking.note(name, sender.error)
                del self.senders[name]
        self._told = time.monotonic()


@contextmanager
def tracking(cfg: DictConfig, run: Path, console: Console) -> Iterator[Tracking]:
    """The trackers of a run; enter it before the log of the run, so that the run's end is known when it is left."""
    told = Tracking(cfg, run, console)
    try:
        yield told
    finally:
        if told.trackers and provenance.read_facts(run)["status"] in ("finished", "incomplete"):
            with provenance.logged(run):
                told.tell(Record(run), "finished", told.trackers)
