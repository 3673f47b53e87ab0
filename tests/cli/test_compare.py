"""``ecgan-report`` on runs as ecgan-train and ecgan-detect leave them."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from commands import Command, left_in


@pytest.fixture
def runs(tiny_run: Path, command: Command) -> Path:
    """A run and a later detection of it, below one folder."""
    shutil.copytree(tiny_run, command.folder / "runs" / "first")
    return command.folder / "runs"


def test_numbers_are_those_of_the_summary(runs: Path, command: Command) -> None:
    out = command("report", "runs", "out=there").worked()
    assert out.rstrip().endswith("Report: there")
    assert "1 run with results" in out
    summary = json.loads((runs / "first" / "summary.json").read_text("utf-8"))
    with (command.folder / "there" / "table.csv").open(encoding="utf-8", newline="") as stream:
        lines = {(line["detector"], line["metric"]): line for line in csv.DictReader(stream)}
    assert ("knn", "auroc") in lines
    assert ("-", "loss") in lines
    for (detector, metric), line in lines.items():
        entry = summary[detector][metric]
        assert int(line["n_defined"]) == entry["n"]
        if entry["n"] == 2:
            assert (float(line["mean"]), float(line["sd"])) == pytest.approx((entry["mean"], entry["std"]))
    assert {line["model"] for line in lines.values()} == {"autoencoder"}
    assert {line["groups"] for line in lines.values()} == {"unknown"}


def test_a_later_detection_adds_its_detectors_and_repeats_nothing(runs: Path, command: Command) -> None:
    data = json.loads((runs / "first" / "run.json").read_text("utf-8"))["cwd"]
    for detector in ("[knn]", "[knn,pca]"):
        command("detect", f"run={runs / 'first'}", f"detector={detector}", f"paths.data={data}/data").worked()
    assert "2 runs with results, 2 not counted or not in full" in command("report", "runs").worked()
    with (command.folder / "comparison" / "table.csv").open(encoding="utf-8", newline="") as stream:
        found = {line["detector"]: line["runs"] for line in csv.DictReader(stream) if line["metric"] == "auroc"}
    assert found == {"knn": "1", "pca": "1"}
    with (command.folder / "comparison" / "problems.csv").open(encoding="utf-8", newline="") as stream:
        repeats = {Path(line["directory"]).name: line["why"].rpartition(": ")[2] for line in csv.DictReader(stream)}
    assert repeats == {"001": "knn", "002": "knn"}


def test_the_runs_themselves_are_left_alone(runs: Path, command: Command) -> None:
    before = left_in(runs)
    command("report", "runs").worked()
    assert left_in(runs) == before


def test_what_cannot_be_reported_is_refused_in_one_sentence(runs: Path, command: Command) -> None:
    command("report").refused(2, "Which runs")
    command("report", "runs", "metrics=f1").refused(2, "did you mean 'metric'")
    command("report", "nowhere").refused(1, "nowhere is no folder")
    command("report", "runs", "metric=auric").refused(2, "did you mean 'auroc'")
    (command.folder / "empty").mkdir()
    command("report", "empty").refused(1, "no run directory in empty")
    assert not (command.folder / "comparison").exists()
