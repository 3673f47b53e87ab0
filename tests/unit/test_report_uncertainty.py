"""What a report says of uncertainty: intervals, false alarms, and bounds that stand apart from results."""

from __future__ import annotations

import json
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
from ecgan.evaluate.class_predictions import class_predictions
from ecgan.evaluate.class_uncertainty import classification_intervals
from ecgan.evaluate.classification import classification_metrics
from ecgan.evaluate.p_values import p_values
from ecgan.evaluate.predictions import predictions, read_predictions, read_scores, scores, write_table
from ecgan.evaluate.uncertainty import detection_intervals
from ecgan.files import write_json
from ecgan.types import Supervision

BOUNDS = "Upper bounds (thresholds chosen on the test part: not results)"
DATASET = {"name": "toy", "counts": {"normal": 1}, "groups_known": True, "groups_kept_apart": True}


def write_fold(directory: Path, number: int, detectors: dict[str, Supervision], grouped: bool = True) -> None:
    """A finished fold of 15 patients, with other scores for each detector."""
    for which, (name, supervision) in enumerate(detectors.items()):
        rng = np.random.default_rng([number, which])
        folder, label, group = (
            directory / f"fold_{number}" / "detection" / name,
            rng.integers(0, 3, 90),
            np.arange(90) // 6,
        )
        score = rng.normal(size=90) + label
        write_table(
            folder / "predictions.csv", predictions(np.arange(90), group if grouped else None, label, score, 0.5)
        )
        write_table(folder / "validation.csv", scores(np.arange(60), None, np.arange(60) % 2, rng.normal(size=60)))
        Threshold(0.5, "Rule", supervision, 10, 0).write(folder / "threshold.json")


def about(directory: Path, **changes: Any) -> None:
    write_json(directory / "run.json", {"dataset": {**DATASET, "grouping": "patient"} | changes})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One fold, two detectors and one that has seen the test part."""
    write_fold(tmp_path, 0, {"knn": "normal_only", "pca": "val_labelled", "best": "oracle"})
    about(tmp_path)
    return tmp_path


def shown(directory: Path, width: int = 200) -> str:
    """The tables at the end of a run, as text."""
    text = StringIO()
    Console(file=text, width=width).print(report.table(directory))
    return text.getvalue()


def page(directory: Path) -> str:
    report.write(directory)
    return (directory / "report.html").read_text(encoding="utf-8")


def of(directory: Path, detector: str, fold: int = 0) -> pd.DataFrame:
    return read_predictions(directory / f"fold_{fold}" / "detection" / detector / "predictions.csv")


def text_of(directory: Path, detector: str, metric: str, fold: int = 0) -> str:
    """A metric as tables show it with its interval."""
    found = report.collect(directory).query("fold == @fold and detector == @detector").set_index("metric")["value"]
    low, high, _ = detection_intervals(of(directory, detector, fold))[metric]
    assert (found[f"{metric}_low"], found[f"{metric}_high"]) == (low, high)
    assert low < found[metric] < high
    return f"{found[metric]:.3f} [{low:.3f}, {high:.3f}]"


@pytest.mark.parametrize("metric", ["auroc", "f1", "specificity"])
def test_a_single_fold_shows_its_intervals(run: Path, metric: str) -> None:
    for name in ("knn", "pca", "best"):
        assert text_of(run, name, metric) in shown(run)
        assert f"<td>{text_of(run, name, metric)}</td>" in page(run)
    assert "_low" not in shown(run)
    assert "_low" not in page(run)
    assert f"<td>{text_of(run, 'knn', 'recall_class_1')}</td>" in page(run)


def test_tables_with_intervals_fit_into_80_characters(run: Path) -> None:
    write_fold(run, 0, dict.fromkeys(("knn", "pca", "third", "fourth"), "normal_only"))
    lines = shown(run, 80).splitlines()
    assert all(len(line) <= 80 for line in lines)
    auroc = [line for line in lines if line.strip().startswith("AUROC")]
    assert [line.count("[") for line in auroc] == [3, 1, 1]
    assert [line.count("]") for line in auroc] == [3, 1, 1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "95 % bootstrap intervals, by patient,"),
        ({"grouping": "record"}, "95 % bootstrap intervals, by record,"),
        ({"groups_known": False}, "95 % bootstrap intervals, by series (patients unknown),"),
    ],
)
def test_reports_say_what_was_drawn(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    write_fold(tmp_path, 0, {"knn": "normal_only"}, grouped=changes.get("groups_known", True))
    about(tmp_path, **changes)
    assert words in " ".join(shown(tmp_path).split())
    assert words in page(tmp_path)


def test_several_folds_show_deviations_and_the_page_each_fold_with_its_intervals(run: Path) -> None:
    write_fold(run, 3, {"knn": "normal_only", "pca": "val_labelled", "best": "oracle"})
    text, html = shown(run), page(run)
    assert " ± " in text
    assert "[" not in text
    assert "intervals" not in text
    tables, folds = html.split("<details>")
    assert " ± " in tables
    assert "intervals" not in tables
    for number in (0, 3):
        assert f"Test part, fold {number}." in folds
        for name in ("knn", "best"):
            assert f"<td>{text_of(run, name, 'mcc', number)}</td>" in folds


def test_a_classifier_has_intervals_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label, probability = rng.integers(0, 3, 80), rng.dirichlet(np.ones(3), 80)
    table = class_predictions(np.arange(80), np.arange(80) // 4, label, probability / 2 + np.eye(3)[label] / 8)
    write_table(tmp_path / "fold_0" / "classification" / "predictions.csv", table)
    about(tmp_path)
    values, found = classification_metrics(table), classification_intervals(table)
    for metric in ("accuracy", "auroc", "recall_class_1"):
        text = f"<td>{values[metric]:.3f} [{found[metric].low:.3f}, {found[metric].high:.3f}]</td>"
        assert text in page(tmp_path)
    accuracy = found["accuracy"]
    assert f"{values['accuracy']:.3f} [{accuracy.low:.3f}, {accuracy.high:.3f}]" in shown(tmp_path)
    assert "95 % bootstrap intervals, by patient," in " ".join(shown(tmp_path).split())


def test_an_undefined_interval_is_left_out(tmp_path: Path) -> None:
    write_fold(tmp_path, 0, {"knn": "normal_only"})
    about(tmp_path)
    table = of(tmp_path, "knn")
    one_patient = table.assign(group=pd.array([5] * len(table), dtype="Int64"), label=0, abnormal=0)
    write_table(tmp_path / "fold_0" / "detection" / "knn" / "predictions.csv", one_patient)
    found = report.collect(tmp_path).set_index("metric")["value"]
    assert np.isnan(found["auroc_low"])
    assert "undefined [" not in shown(tmp_path)


def test_bounds_stand_apart_from_results(run: Path) -> None:
    text, html = " ".join(shown(run).split()), page(run)  # a long title is broken above a narrow table
    results, bounds = text.split(BOUNDS)
    assert "Test results" in results
    assert ("knn" in results, "best" in results, "TEST (bound)" in results) == (True, False, False)
    assert ("knn" in bounds, "best" in bounds, "TEST (bound)" in bounds) == (False, True, True)
    tables = html[html.index("<h2>Test results</h2>") :]
    results, bounds = tables.split(f"<h2>{BOUNDS}</h2>")
    assert ("<th>knn</th>" in results, "<th>best</th>" in results) == (True, False)
    assert ("<th>knn</th>" in bounds, "<th>best</th>" in bounds) == (False, True)


def test_a_run_without_bounds_has_no_such_table(tmp_path: Path) -> None:
    write_fold(tmp_path, 0, {"knn": "normal_only"})
    assert "Upper bounds" not in shown(tmp_path) + page(tmp_path)


def test_a_run_of_bounds_alone_has_no_results(tmp_path: Path) -> None:
    write_fold(tmp_path, 0, {"knn": "oracle"})
    for text in (" ".join(shown(tmp_path).split()), page(tmp_path)):
        assert BOUNDS in text
        assert "Test results" not in text


def test_false_alarms_are_those_at_a_p_value_of_5_percent(run: Path) -> None:
    folder = run / "fold_0" / "detection" / "knn"
    val, test = read_scores(folder / "validation.csv"), read_predictions(folder / "predictions.csv")
    normal, seen = (table.loc[table["abnormal"] == 0, "score"].to_numpy() for table in (test, val))
    expected = (p_values(normal, seen) <= 0.05).mean()
    report.write(run)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert summary["knn"]["false_alarms_at_5"]["mean"] == pytest.approx(expected)
    assert 0 < expected < 0.5
    write_table(folder / "validation.csv", pd.concat([val, val.head(1)]))
    with pytest.raises(RunError, match="holds a series twice"):
        report.collect(run)
    (folder / "validation.csv").unlink()  # as in a run of an earlier version
    assert "false_alarms_at_5" not in set(report.collect(run).query("detector == 'knn'")["metric"])
