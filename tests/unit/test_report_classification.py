"""Results of a classifier beside those of detectors: in the files, on the page and on the screen."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ecgan import report
from ecgan.detect.detector import Threshold
from ecgan.errors import RunError
from ecgan.evaluate.class_predictions import class_predictions, read_class_predictions
from ecgan.evaluate.class_uncertainty import classification_intervals
from ecgan.evaluate.classification import classification_metrics
from ecgan.evaluate.predictions import predictions, write_table

LOG = "epoch,step,test/loss,val/loss\n0,3,,0.5\n1,7,,0.4\n1,8,0.45,\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three folds of a model with one detector."""
    for number in (0, 2, 10):
        fold = tmp_path / f"fold_{number}"
        rng = np.random.default_rng(number)
        label = rng.integers(0, 3, 50)
        table = predictions(np.arange(50), None, label, rng.normal(size=50) + label, 0.5)
        write_table(fold / "detection" / "knn" / "predictions.csv", table)
        Threshold(0.5, "Rule", "normal_only", 10, 0).write(fold / "detection" / "knn" / "threshold.json")
        (fold / "lightning").mkdir(parents=True)
        (fold / "lightning" / "metrics.csv").write_text(LOG, encoding="utf-8")
    return tmp_path


def shown(directory: Path) -> str:
    """The tables at the end of a run, as text."""
    text = StringIO()
    Console(file=text, width=200).print(report.table(directory))
    return text.getvalue()


def write_classification(directory: Path, number: int) -> Path:
    """What a classifier leaves of a fold, with other probabilities in each."""
    rng = np.random.default_rng(number)
    label = rng.integers(0, 3, 50)
    probability = rng.dirichlet(np.ones(3), 50) / 2 + np.eye(3)[label] / 2
    path = directory / f"fold_{number}" / "classification" / "predictions.csv"
    write_table(path, class_predictions(np.arange(50), None, label, probability))
    return path


@pytest.fixture
def classified(run: Path) -> Path:
    """The same run of a model that also classifies."""
    for number in (0, 2, 10):
        write_classification(run, number)
    return run


def test_a_classifiers_metrics_are_the_models_own(classified: Path) -> None:
    found = report.collect(classified)
    for number in (0, 2, 10):
        own = found[(found["detector"] == "-") & (found["fold"] == number) & (found["metric"] != "loss")]
        table = read_class_predictions(classified / f"fold_{number}" / "classification" / "predictions.csv")
        bounds = classification_intervals(table).items()
        ends = {name + end: value for name, (low, high, _) in bounds for end, value in (("_low", low), ("_high", high))}
        assert dict(zip(own["metric"], own["value"], strict=True)) == classification_metrics(table) | ends
        assert set(own["split"]) == {"test"}
    summary = report.write(classified)
    written = json.loads((classified / "summary.json").read_text(encoding="utf-8"))
    assert written["-"]["f1_macro"] == summary["-"]["f1_macro"]
    assert summary["-"]["f1_macro"]["n"] == 3


def test_classification_has_a_table_above_that_of_detection(classified: Path) -> None:
    summary = report.write(classified)
    page, text = (classified / "report.html").read_text(encoding="utf-8"), shown(classified)
    for found in (page, text):
        assert found.index("Classification") < found.index("Test results")
        for metric in ("accuracy", "balanced_accuracy", "f1_macro", "mcc", "auroc"):
            entry = summary["-"][metric]
            assert f"{entry['mean']:.3f} ± {entry['std']:.3f}" in found
        assert "Averages over classes are over those that occur in the test part." in found
    assert "recall_class_2" in page
    assert "recall_class_2" not in text, "the screen shows the headline only"


def test_a_classifier_without_detectors_has_results(tmp_path: Path) -> None:
    write_classification(tmp_path, 0)
    summary = report.write(tmp_path)
    assert set(summary) == {"-"}
    assert "Test results" not in shown(tmp_path)
    assert "Test results" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_model_that_does_not_classify_has_no_such_table(run: Path) -> None:
    report.write(run)
    assert "Classification" not in shown(run)
    assert "Classification" not in (run / "report.html").read_text(encoding="utf-8")


def test_a_series_that_is_classified_twice_is_refused(classified: Path) -> None:
    path = write_classification(classified, 2)
    table = read_class_predictions(path)
    write_table(path, pd.concat([table, table.head(1)]))
    with pytest.raises(RunError, match="holds a series twice"):
        report.write(classified)
