"""What a sweep has given so far, read from its folders: ``sweep_results.csv``, the progress, the table at the end."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from ecgan.files import write_text
from ecgan.provenance import read_facts
from ecgan.sweep.record import FILE, Job, Status, is_claimed, read_job, status_of

if TYPE_CHECKING:
    from rich.console import Group

RESULTS = "sweep_results.csv"
MODEL, ENDS = "-", ("_low", "_high")
HEADLINES = ("test/balanced_accuracy", "test/{}/auroc", "test/generated_mmd", "val/loss")
"""What to show of a run, of what it has: a classifier's own, a detector's, a generator's."""
SHOWN = 50
"""Rows of the table at the end."""
SHARE_S = 0.02
"""Seconds per job that must have passed before the table is made again: reading it all takes a fraction of that."""

Metrics = dict[str, float]
"""By part, detector and metric: test/knn/auroc, or val/loss for the model's own; means over folds."""


@dataclass(frozen=True)
class Row:
    """A job as it stands."""

    name: str
    job: Job
    status: Status
    metrics: Metrics
    headline: str | None


def rows(sweep: Path, names: Iterable[str] | None = None, headline: str | None = None) -> list[Row]:
    """All jobs of a sweep, or those named, in the order of their folders.

    Args:
        sweep: its folder.
        names: folders of jobs.
        headline: the metric to show, where a job has it.
    """
    found = sorted(file.parent.name for file in sweep.glob(f"*/{FILE}")) if names is None else names
    return [_row(sweep / name, headline) for name in found]


def _row(directory: Path, headline: str | None) -> Row:
    job = read_job(directory)
    status = status_of(directory, job)
    ended = status in ("finished", "failed")  # of a failed one, the folds that did not fail
    metrics = metrics_of(directory) if ended and (directory / "results.csv").is_file() else {}
    return Row(directory.name, job, status, metrics, _headline(directory, metrics, headline) if metrics else None)


def metrics_of(directory: Path) -> Metrics:
    """Means over folds of the metrics in ``results.csv``; NaN where a metric is defined in none."""
    values: dict[str, list[float]] = {}
    text = (directory / "results.csv").read_text(encoding="utf-8")
    for line in csv.DictReader(io.StringIO(text)):
        if line["metric"].endswith(ENDS):
            continue
        detector = [] if line["detector"] == MODEL else [line["detector"]]
        value = float(line["value"] or "nan")
        values.setdefault("/".join([line["split"], *detector, line["metric"]]), []).extend(
            [] if math.isnan(value) else [value]
        )
    return {name: fmean(defined) if defined else math.nan for name, defined in values.items()}


def _headline(directory: Path, metrics: Metrics, preferred: str | None) -> str | None:
    if preferred is not None:  # a search is not shown what it must not be chosen by
        return preferred if preferred in metrics else None
    detectors = read_facts(directory).get("detectors", [])
    names = [name.format(detector) for name in HEADLINES for detector in (detectors if "{}" in name else [""])]
    return next((name for name in names if name in metrics), None)


def recompute(sweep: Path, always: bool = False, headline: str | None = None) -> list[Row] | None:
    """Write ``sweep_results.csv`` from the folders of the jobs, unless that has just been done.

    Any process of a sweep may call it at any time.

    Args:
        sweep: its folder.
        always: whether to do it in any case.
        headline: the metric to show, where a job has it.

    Returns:
        The rows, or None when there was nothing to do.
    """
    file = sweep / RESULTS
    if not always and file.is_file():
        with file.open(encoding="utf-8") as stream:
            jobs = sum(1 for _ in stream) - 1
        if time.time() - file.stat().st_mtime < jobs * SHARE_S:
            return None
    found = rows(sweep, None, headline)
    write_text(file, _as_csv(found))
    return found


def _as_csv(found: Sequence[Row]) -> str:
    settings = list(dict.fromkeys(key for row in found for key in _settings(row.job)))
    metrics = sorted({name for row in found for name in row.metrics})
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["job", "status", "failures", "seconds", *settings, *metrics, "error"])
    for row in found:
        given = _settings(row.job)
        cells = [_cell(row.metrics.get(name, math.nan)) for name in metrics]
        about = [row.name, row.status, row.job.failures, row.job.seconds]
        writer.writerow([*about, *(given.get(key, "") for key in settings), *cells, row.job.error or ""])
    return stream.getvalue()


def _settings(job: Job) -> dict[str, str]:
    return dict(override.partition("=")[::2] for override in job.overrides)


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def progress(directory: Path, job: Job, found: Sequence[Row] | None, started: float, total: int = 0) -> str:
    """One line about a job that has just ended, with an estimate of the time that the others need.

    Args:
        directory: of the job.
        job: how it ended.
        found: the whole sweep, if it was read.
        started: when the command was given.
        total: jobs that there will be, where more are to come than there are folders.
    """
    status = status_of(directory, job)
    told = f"{directory.name}: {status} in {job.seconds:.1f} s"
    if status == "failed":
        told += f": {job.error}"
    if not found:
        return told
    mine = next((row for row in found if row.name == directory.name), None)
    if mine is not None and mine.headline is not None:
        told += f", {in_words(mine.headline)} {mine.metrics[mine.headline]:.3f}"
    total = max(total, len(found))
    left = total - sum(row.status in ("finished", "pruned", "failed") for row in found)
    ended = sum(row.job.ended is not None and _seconds(row.job.ended) >= started for row in found)
    told = f"[{total - left}/{total}] {told}"
    return f"{told}; about {duration((time.time() - started) / ended * left)} to go" if left and ended else told


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, roughly."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def in_words(metric: str) -> str:
    """``test/knn/auroc`` as ``auroc of knn (test)``."""
    part, *detector, name = metric.split("/")
    return f"{name} of {detector[0]} ({part})" if detector else f"{name} ({part})"


def at_the_end(sweep: Path, names: Sequence[str], headline: str | None = None) -> list[Row]:
    """The jobs of a command once it is done, those that were killed told from those that run elsewhere."""
    found = []
    for row in rows(sweep, names, headline):
        killed = row.status == "running" and not is_claimed(sweep / row.name)
        found.append(Row(row.name, row.job, "interrupted" if killed else row.status, row.metrics, row.headline))
    return found


def table(found: Sequence[Row]) -> Group:
    """The jobs as a table, those that need attention first."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    shown = sorted(found, key=lambda row: (row.status in ("finished", "pruned"), row.name))[:SHOWN]
    result = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    result.add_column("job", overflow="fold")
    for name in ("status", "result", "seconds"):
        result.add_column(name)
    for row in shown:
        value = f"{in_words(row.headline)} {row.metrics[row.headline]:.3f}" if row.headline else row.job.error or ""
        status = "running elsewhere" if row.status == "running" else row.status
        result.add_row(row.name, status, value, f"{row.job.seconds:.1f}")
    more = [f"and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
    return Group(result, *more)
