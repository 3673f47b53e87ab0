"""What trackers are told comes from the files of the run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from ecgan.files import write_json, write_text
from ecgan.track import marks
from ecgan.track.record import Record, Row
from tracked_runs import with_trackers


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return with_trackers(tiny_run, tmp_path)


def test_rows_are_those_of_the_file_but_for_what_is_not_whole(run: Path) -> None:
    text = "epoch,step,train/loss,val/loss\n0,4,,0.5\n0,4,0.25,\n1,9,nan,\n1,1"
    write_text(run / "fold_0" / "lightning" / "metrics.csv", text)
    rows = Record(run, 0).rows()
    assert rows[:2] == [Row(4, {"epoch": 0.0, "val/loss": 0.5}), Row(4, {"epoch": 0.0, "train/loss": 0.25})]
    assert [row.step for row in rows] == [4, 4, 9]
    assert math.isnan(rows[2].values["train/loss"])
    assert Record(run).rows() == []
    assert Record(run, 7).rows() == []


def test_results_of_a_fold_are_those_of_results_csv(run: Path) -> None:
    found = Record(run, 1).results()
    table = pd.read_csv(run / "results.csv", float_precision="round_trip")
    table = table[(table["fold"] == 1) & ~table["metric"].str.endswith(("_low", "_high"))]
    part = table["split"].map({"test": "", "val": "val/"})
    names = table["detector"].replace("-", "model") + "/" + part + table["metric"]
    expected = dict(zip(names, table["value"], strict=True))
    assert "knn/auroc" in found
    assert found == pytest.approx(expected, nan_ok=True, rel=0, abs=0)


def test_results_of_a_run_are_those_of_its_summary(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))["knn"]
    found = Record(run).results()
    assert (found["knn/auroc"], found["knn/auroc_std"]) == (summary["auroc"]["mean"], summary["auroc"]["std"])
    write_json(run / "summary.json", {"protocol": {}, "knn": {"f1": {"mean": float("nan"), "std": None, "n": 0}}})
    assert all(math.isnan(value) for value in Record(run).results().values())


def test_files_of_a_fold_and_of_the_run_are_all_files_once(run: Path) -> None:
    for name in ("fold_0/wandb/debug.log", "tensorboard/events", "fold_0/.results.csv.1a.part", "tracking.json"):
        write_text(run / name, "x")
    records = (Record(run), Record(run, 0), Record(run, 1))
    told = [path for record in records for path in record.files().values()]
    assert len(set(told)) == len(told)
    left = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file() and path not in told}
    assert left == {"fold_0/wandb/debug.log", "tensorboard/events", "fold_0/.results.csv.1a.part", "tracking.json"}
    assert [file.name for file in records[1].figures()] == ["loss.png"]
    assert [file.name for file in records[0].figures()] == ["report.html"]


def test_an_id_is_the_same_every_time_and_another_one_for_every_fold(run: Path, tmp_path: Path) -> None:
    first = Record(run, 0).id
    assert len({first, Record(run, 1).id, Record(run).id}) == 3
    place = run.relative_to(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / place.parts[0]).rename(tmp_path / "elsewhere" / place.parts[0])
    assert Record(tmp_path / "elsewhere" / place, 0).id == first, "a run that is moved with all others is the same"


def test_jobs_of_two_sweeps_are_two_groups(run: Path) -> None:
    assert Record(run).group == run.name
    job = run.parent / "sweep_1" / "0"
    job.parent.mkdir()
    run.rename(job)
    assert Record(job).group == "sweep_1/0"
    alone = run.parents[3] / "alone"
    job.rename(alone)
    assert Record(alone).group == "alone"


def test_marks(tmp_path: Path) -> None:
    assert not marks.is_sent(tmp_path, "fold_0", "wandb")
    marks.mark(tmp_path, "fold_0", "wandb", sent=True)
    marks.mark(tmp_path, "fold_0", "mlflow", "gone")
    assert marks.is_sent(tmp_path, "fold_0", "wandb")
    assert marks.read(tmp_path) == {"fold_0": {"wandb": {"sent": True}, "mlflow": {"sent": False, "error": "gone"}}}
