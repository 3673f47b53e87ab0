"""Results are recomputed from the predictions of a run, and say what a reader must know."""

from __future__ import annotations

import json
import math
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ecgan import report
from ecgan.detect.detector import Threshold
from ecgan.errors import RunError
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import predictions, read_predictions, write_table
from ecgan.evaluate.uncertainty import Interval, detection_intervals
from ecgan.files import write_json
from ecgan.types import Supervision

LOG = "epoch,step,test/loss,train/loss,val/loss\n0,3,,,0.5\n0,3,,0.9,\n1,7,,,0.4\n1,7,,0.7,\n2,8,,,0.4\n2,8,0.45,,\n"
DATASET = {
    "name": "toy",
    "counts": {"normal": 1200, "<b>odd</b>": 34},
    "groups_known": False,
    "groups_kept_apart": False,
    "grouping": "patient",
}


def write_fold(directory: Path, number: int, detectors: dict[str, Supervision], abnormal: bool = True) -> None:
    """A finished fold as a run leaves it, with other scores in each."""
    fold = directory / f"fold_{number}"
    for which, (name, supervision) in enumerate(detectors.items()):
        rng = np.random.default_rng([number, which])
        label = rng.integers(0, 3, 50) if abnormal else np.zeros(50, np.int64)
        table = predictions(np.arange(50), None, label, rng.normal(size=50) + label, 0.5)
        write_table(fold / "detection" / name / "predictions.csv", table)
        Threshold(0.5, "Rule", supervision, 10, 0).write(fold / "detection" / name / "threshold.json")
    (fold / "lightning").mkdir(parents=True)
    (fold / "lightning" / "metrics.csv").write_text(LOG, encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three folds and two detectors, in an order that is not the alphabet's."""
    for number in (0, 2, 10):
        write_fold(tmp_path, number, {"knn": "normal_only", "autoencoder": "val_labelled"})
    write_json(tmp_path / "run.json", {"dataset": DATASET, "detectors": ["knn", "autoencoder"]})
    return tmp_path


def shown(directory: Path) -> str:
    """The table at the end of a run, as text."""
    text = StringIO()
    Console(file=text, width=200).print(report.table(directory))
    return text.getvalue()


def pairs(interval: Interval) -> tuple[tuple[str, float], ...]:
    return ("_low", interval.low), ("_high", interval.high)


def test_results_are_the_metrics_of_the_predictions(run: Path) -> None:
    found = report.collect(run)
    assert tuple(found.columns) == report.COLUMNS
    assert found["fold"].unique().tolist() == [0, 2, 10]
    assert found["detector"].unique().tolist() == ["-", "knn", "autoencoder"]
    for (number, name), rows in found[found["detector"] != "-"].groupby(["fold", "detector"]):
        table = read_predictions(run / f"fold_{number}" / "detection" / str(name) / "predictions.csv")
        values = dict(zip(rows["metric"], rows["value"], strict=True))
        ends = {
            f"{metric}{end}": bound for metric, two in detection_intervals(table).items() for end, bound in pairs(two)
        }
        assert values == pytest.approx(detection_metrics(table) | ends, nan_ok=True)
        assert set(rows["split"]) == {"test"}


def test_losses_of_the_model_are_those_of_its_best_weights(run: Path) -> None:
    found = report.collect(run)
    of_model = found[(found["detector"] == "-") & (found["fold"] == 2)]
    assert of_model[["split", "metric", "value"]].to_numpy().tolist() == [["val", "loss", 0.4], ["test", "loss", 0.45]]


def test_summary_is_mean_and_deviation_over_the_folds_that_define_a_metric(run: Path) -> None:
    write_fold(run, 11, {"knn": "normal_only"}, abnormal=False)
    results = report.collect(run)
    summary = report.summarize(results)
    of_knn = results[(results["detector"] == "knn") & (results["metric"] == "auroc")]["value"].to_numpy()
    assert np.isnan(of_knn[-1])
    assert summary["knn"]["auroc"] == {
        "mean": pytest.approx(of_knn[:3].mean()),
        "std": pytest.approx(of_knn[:3].std(ddof=1)),
        "n": 3,
    }
    assert summary["knn"]["accuracy"]["n"] == 4
    assert summary["-"]["loss"]["mean"] == pytest.approx(0.45)  # of the test part, not of validation


def test_one_fold_has_no_deviation_and_an_undefined_metric_no_mean(tmp_path: Path) -> None:
    write_fold(tmp_path, 0, {"knn": "normal_only"}, abnormal=False)
    summary = report.write(tmp_path)
    assert math.isnan(summary["knn"]["accuracy"]["std"])
    assert summary["knn"]["auroc"]["n"] == 0
    written = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert written["knn"]["auroc"] == {"mean": None, "std": None, "n": 0}
    assert "undefined" in shown(tmp_path)
    assert "undefined" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_writing_again_appends_nothing(run: Path) -> None:
    report.write(run)
    names = ("results.csv", "summary.json", "report.html")
    first = {name: (run / name).read_bytes() for name in names}
    (run / "fold_0" / "detection" / "knn" / "metrics.json").write_text("{}", encoding="utf-8")
    report.write(run)
    assert {name: (run / name).read_bytes() for name in names} == first
    pd.testing.assert_frame_equal(
        pd.read_csv(run / "results.csv", float_precision="round_trip"), report.collect(run), check_exact=True
    )


def test_results_follow_changed_predictions(run: Path) -> None:
    before = report.write(run)
    path = run / "fold_0" / "detection" / "knn" / "predictions.csv"
    table = read_predictions(path)
    write_table(path, table.assign(score=-table["score"], predicted=0))
    after = report.write(run)
    assert after["knn"]["auroc"]["mean"] < before["knn"]["auroc"]["mean"]
    assert after["autoencoder"] == before["autoencoder"]


def test_a_series_that_is_tested_twice_is_refused(run: Path) -> None:
    path = run / "fold_2" / "detection" / "knn" / "predictions.csv"
    table = read_predictions(path)
    write_table(path, pd.concat([table, table.head(1)]))
    with pytest.raises(RunError, match="holds a series twice"):
        report.write(run)
    assert not (run / "results.csv").exists()


def test_a_run_without_folds_has_no_results(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no results yet"):
        report.write(tmp_path)


def test_folders_that_are_no_folds_are_passed_over(run: Path) -> None:
    (run / "fold_old").mkdir()
    assert [path.name for path in report.fold_directories(run)] == ["fold_0", "fold_2", "fold_10"]


def facts(**changes: Any) -> dict[str, Any]:
    return {"dataset": DATASET | changes, "detectors": ["knn"]}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "patients are not told apart: training and test may share some"),
        ({"groups_known": True}, "patients are known but mixed between two parts, as asked for"),
        (
            {"groups_known": True, "groups_mixed_between": ["training and validation"]},
            "patients are known but mixed between training and validation, as asked for",
        ),
        (
            {"groups_known": True, "groups_mixed_between": ["training and test", "validation and test"]},
            "patients are known but mixed between training and test, and between validation and test, as asked for",
        ),
        (
            {"groups_known": True, "groups_mixed_between": ["training and test"], "grouping": "series"},
            "series are known but mixed between training and test, as asked for",
        ),
        ({"groups_known": True, "groups_kept_apart": True}, "no patient is in two parts"),
        (
            {"groups_known": True, "groups_kept_apart": True, "grouping": "trial"},
            "no trial is in two parts; patients are not told apart",
        ),
    ],
)
def test_every_report_says_whether_patients_straddle(run: Path, changes: dict[str, Any], sentence: str) -> None:
    write_json(run / "run.json", facts() | {"protocol": changes})
    report.write(run)
    assert sentence in (run / "report.html").read_text(encoding="utf-8")
    assert sentence in " ".join(shown(run).split())


def test_groups_named_by_the_user_are_taken_for_patients(run: Path) -> None:
    known = {"groups_known": True, "groups_kept_apart": True, "grouping": "subject"}
    write_json(run / "run.json", facts() | {"protocol": known})
    report.write(run)
    words = " ".join(shown(run).split())
    assert "no subject is in two parts" in words
    assert "not told apart" not in words


@pytest.mark.parametrize(
    ("supervision", "words"),
    [
        ("normal_only", "val normals"),
        ("val_labelled", "labelled val"),
        ("oracle", "TEST (bound)"),
    ],
)
def test_every_report_says_what_a_threshold_has_seen(tmp_path: Path, supervision: Supervision, words: str) -> None:
    write_fold(tmp_path, 0, {"knn": supervision})
    report.write(tmp_path)
    assert f"knn: threshold from {words}" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert words in shown(tmp_path)


def test_names_cannot_break_the_page(run: Path) -> None:
    (run / ".hydra").mkdir()
    (run / ".hydra" / "config.yaml").write_text("a: </pre><script>\n", encoding="utf-8")
    report.write(run)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<b>odd</b>" not in page
    assert "&lt;b&gt;odd&lt;/b&gt; 34" in page
    assert "<script>" not in page
    assert f"<title>{run.name}</title>" in page


def test_table_shows_means_with_deviations_over_folds(run: Path) -> None:
    text, summary = shown(run), report.summarize(report.collect(run))
    auroc = summary["knn"]["auroc"]
    assert f"{auroc['mean']:.3f} ± {auroc['std']:.3f}" in text
    assert "over 3 folds" in " ".join(text.split())
    assert text.index("knn") < text.index("autoencoder")


def test_table_says_in_how_many_folds_a_metric_is_defined(run: Path) -> None:
    write_fold(run, 11, {"knn": "normal_only", "autoencoder": "normal_only"}, abnormal=False)
    text, auroc = shown(run), report.summarize(report.collect(run))["knn"]["auroc"]
    assert f"{auroc['mean']:.3f} ± {auroc['std']:.3f} (3 of 4)" in text
    specificity = next(line for line in text.splitlines() if line.strip().startswith("specificity"))
    assert "(" not in specificity


@pytest.mark.parametrize("shared", [True, False])
def test_folds_that_share_a_test_part_are_called_so(run: Path, shared: bool) -> None:
    write_json(run / "run.json", facts(test_shared_by_folds=shared))
    report.write(run)
    for text in (" ".join(shown(run).split()), (run / "report.html").read_text(encoding="utf-8")):
        assert ("over 3 folds that share one test part" in text) == shared


def test_a_note_on_the_data_is_in_every_report(run: Path) -> None:
    write_json(run / "run.json", facts(note="class 3 was taken as normal"))
    report.write(run)
    assert "class 3 was taken as normal" in shown(run)
    assert "<li>class 3 was taken as normal</li>" in (run / "report.html").read_text(encoding="utf-8")


PROTOCOL = {
    "description": "DS1 / DS2, by patient; trained on normal series only",
    "groups_known": True,
    "groups_kept_apart": True,
    "grouping": "patient",
    "left_out": {"of the training side, from 1 patient (201) who is also tested": 2000},
}


def test_every_report_says_how_the_data_were_divided_and_what_was_left_out(run: Path) -> None:
    write_json(run / "run.json", facts(note="a subset", dropped={"more than 20 % missing": 3}) | {"protocol": PROTOCOL})
    summary = report.write(run)
    written = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    about = {
        "dataset": "toy",
        "note": "a subset",
        "series": DATASET["counts"],
        "dropped": {"more than 20 % missing": 3},
    }
    assert written.pop("protocol") == about | PROTOCOL
    assert set(written) == set(summary) == {"-", "knn", "autoencoder"}
    for text in (" ".join(shown(run).split()), (run / "report.html").read_text(encoding="utf-8")):
        for words in (
            "a subset",
            "left out of the data: 3 more than 20 % missing",
            "split: DS1 / DS2, by patient; trained on normal series only",
            "left out of the split: 2,000 of the training side, from 1 patient (201) who is also tested",
            "no patient is in two parts",
        ):
            assert words in text


def test_results_of_a_run_that_recorded_no_protocol_can_be_written(run: Path) -> None:
    report.write(run)
    assert "split:" not in shown(run)
    about = json.loads((run / "summary.json").read_text(encoding="utf-8"))["protocol"]
    assert (about["dataset"], about["groups_known"], about["groups_kept_apart"]) == ("toy", False, False)


def test_figures_are_part_of_the_page(run: Path) -> None:
    folder = run / "fold_2" / "figures"
    folder.mkdir()
    (folder / "loss.png").write_bytes(b"\x89PNG")
    report.write(run)
    page = (run / "report.html").read_text(encoding="utf-8")
    image = '<img alt="Losses while training" src="data:image/png;base64,iVBORw==">'
    assert page.index("<h2>fold 2</h2>") < page.index(image)
