"""What a sweep says of its jobs, from their folders."""

from __future__ import annotations

import csv
import io
import os
import time
from pathlib import Path

import pytest
from rich.console import Console

from ecgan.files import write_json
from ecgan.sweep.record import Job, claimed
from ecgan.sweep.results import (
    RESULTS,
    Row,
    at_the_end,
    duration,
    in_words,
    metrics_of,
    progress,
    recompute,
    rows,
    table,
)
from finished_runs import write_run


def finished(sweep: Path, name: str, auroc: list[float | None], **facts: object) -> None:
    write_run(sweep / name, {"knn": {"auroc": auroc}}, facts={"detectors": ["knn"], **facts})
    Job([f"seed={name}"]).after(2.0).write(sweep / name)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Three jobs: finished, failed, not begun."""
    finished(tmp_path, "a", [0.5, 1.0, None])
    Job(["seed=b"], failures=1, error="It broke, twice.").write(tmp_path / "b")
    Job(["seed=c", "model=vae"]).write(tmp_path / "c")
    return tmp_path


def shown(found: list[Row]) -> str:
    stream = io.StringIO()
    Console(width=100, file=stream).print(table(found))
    return stream.getvalue()


def test_means_over_folds(sweep: Path) -> None:
    assert metrics_of(sweep / "a") == {"val/loss": 0.5, "test/knn/auroc": 0.75}


def test_the_table_as_a_file(sweep: Path) -> None:
    recompute(sweep)
    with (sweep / RESULTS).open() as stream:
        a, b, c = csv.DictReader(stream)
    assert (a["job"], a["status"], a["seconds"], a["seed"], a["test/knn/auroc"]) == (
        "a",
        "finished",
        "2.0",
        "a",
        "0.75",
    )
    assert (b["status"], b["failures"], b["error"], b["test/knn/auroc"]) == ("failed", "1", "It broke, twice.", "")
    assert (c["status"], c["model"], a["model"]) == ("pending", "vae", "")


def test_it_is_not_made_again_at_once_where_there_are_many_jobs(sweep: Path) -> None:
    assert recompute(sweep) is not None
    long_ago = time.time() - 60
    for n in range(2000):
        Job().write(sweep / f"more{n}")
    os.utime(sweep / RESULTS, (long_ago, long_ago))
    assert recompute(sweep) is not None
    assert recompute(sweep) is None
    assert recompute(sweep, always=True) is not None


def test_what_is_shown_of_a_run(sweep: Path) -> None:
    headlines = {row.name: row.headline for row in rows(sweep)}
    assert headlines == {"a": "test/knn/auroc", "b": None, "c": None}
    assert rows(sweep, ["a"], "val/loss")[0].headline == "val/loss"
    write_run(sweep / "d", {"-": {"balanced_accuracy": [0.9]}, "knn": {"auroc": [0.6]}}, facts={"detectors": ["knn"]})
    assert rows(sweep, ["d"])[0].headline == "test/balanced_accuracy"
    assert in_words("test/knn/auroc") == "auroc of knn (test)"
    assert in_words("val/loss") == "loss (val)"


def test_progress_and_what_is_left(sweep: Path) -> None:
    job = Job().after(2.0)
    told = progress(sweep / "a", job, rows(sweep), started=time.time() - 20)
    assert told.startswith("[2/3] a: finished in 2.0 s, auroc of knn (test) 0.750; about 20 s to go")
    told = progress(sweep / "a", job, rows(sweep), started=time.time() - 20, total=11)
    assert told.endswith("about 3 min to go")
    assert progress(sweep / "a", job, None, started=0) == "a: finished in 2.0 s"


@pytest.mark.parametrize(("seconds", "words"), [(3, "3 s"), (119, "119 s"), (120, "2 min"), (7300, "2 h")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_killed_job_is_told_from_one_that_runs_elsewhere(sweep: Path) -> None:
    write_json(sweep / "c" / "run.json", {"status": "running"})
    assert [row.status for row in at_the_end(sweep, ["b", "c"])] == ["failed", "interrupted"]
    with claimed(sweep / "c"):
        found = at_the_end(sweep, ["b", "c"])
    assert found[1].status == "running"
    text = shown(found)
    assert "running elsewhere" in text
    assert "It broke, twice." in text


def test_a_long_table_shows_what_needs_attention(sweep: Path) -> None:
    for n in range(60):
        finished(sweep, f"m{n}", [0.5])
    text = shown(rows(sweep))
    assert "and 13 more" in text
    assert "It broke, twice." in text
