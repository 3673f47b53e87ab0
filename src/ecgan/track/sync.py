"""``ecgan-report --sync``: send what trackers have not been told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ecgan import provenance
from ecgan.comparison.runs import find
from ecgan.config import compose
from ecgan.errors import ConfigError, RunError
from ecgan.ownership import is_owned
from ecgan.track.live import Tracking, label
from ecgan.track.marks import is_sent
from ecgan.track.record import Record, Status

FLAG = "--sync"
WAIT_S = 1800.0
"""Nothing else waits for this, so that there is time."""


@dataclass
class Synced:
    """What became of it.

    Attributes:
        sent: number of folds and summaries, counted for each tracker.
        failed: why others were not sent, in sentences.
    """

    sent: int = 0
    failed: list[str] = field(default_factory=list)


def sync(arguments: Sequence[str]) -> Synced:
    """Send all that is not marked as sent of the runs in some folders. Again, it sends nothing twice.

    Raises:
        ConfigError: when no folder is named, or the package of a tracker is not installed.
        RunError: when a folder does not exist.
    """
    folders = [Path(argument) for argument in arguments if argument != FLAG]
    if not folders:
        raise ConfigError(f"Which runs? Name run directories, or folders that hold some, such as {FLAG} outputs.")
    synced = Synced()
    for run in find(folders):
        config = run / ".hydra" / "config.yaml"
        if not config.is_file() or not (run / "run.json").is_file() or is_owned(run):
            continue  # whoever works on a run tells its trackers
        try:
            if "detection_of" not in provenance.read_facts(run):
                _sync(run, Tracking(compose(file=config), run, Console(quiet=True)), synced)
        except RunError as error:  # a damaged run; the others do not depend on it
            synced.failed.append(f"nothing of {run} was sent ({error})")
    return synced


def _sync(run: Path, tracking: Tracking, synced: Synced) -> None:
    tracking.wait_s = WAIT_S
    with provenance.logged(run):
        for record, status in _ended(run) if tracking.trackers else ():
            due = [name for name in tracking.trackers if not is_sent(run, record.name, name)]
            tracking.tell(record, status, due)
            synced.sent += sum(name not in tracking.failed for name in due)
    synced.failed += [f"not everything of {run} was sent to {label(n)} ({why})" for n, why in tracking.failed.items()]


def _ended(run: Path) -> Iterator[tuple[Record, Status]]:
    """What of a run nobody is working on any more."""
    facts = provenance.read_facts(run)
    known, ended = facts.get("folds", {}), facts["status"] in ("finished", "incomplete")
    for folder in sorted(run.glob("fold_*")):
        record = Record(run, int(folder.name.removeprefix("fold_")))
        if folder.name in known:
            yield record, "failed" if known[folder.name].get("status") == "failed" else "finished"
        elif facts["status"] != "running":
            yield record, "interrupted"
    if ended:
        yield Record(run), "finished"
