"""Metrics of classifiers against an independent reference, and NaN wherever they are undefined."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.errors import RunError
from ecgan.evaluate.class_predictions import class_predictions, probabilities, read_class_predictions
from ecgan.evaluate.classification import classification_metrics, confusion_matrix, decision_metrics, macro_auroc
from ecgan.evaluate.predictions import write_table
from ecgan.types import FloatArray, IntArray

exact = settings(deadline=None, derandomize=True, max_examples=60)
NAN = float("nan")


@st.composite
def judged(draw: st.DrawFn) -> tuple[IntArray, FloatArray]:
    """Classes, some of which may not occur, and probabilities with ties."""
    n, k = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    weight = rng.integers(1, 5, (n, k)).astype(np.float64)
    return rng.integers(0, rng.integers(1, k + 1), n), weight / weight.sum(1, keepdims=True)


def table(label: IntArray, probability: FloatArray) -> pd.DataFrame:
    return class_predictions(np.arange(len(label)), None, label, probability)


def by_sklearn(label: IntArray, probability: FloatArray) -> dict[str, float]:
    predicted, true = probability.argmax(1), np.unique(label)
    several = len(true) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted and never true
        return {
            "accuracy": reference.accuracy_score(label, predicted),
            "balanced_accuracy": reference.balanced_accuracy_score(label, predicted),
            "f1_macro": reference.f1_score(label, predicted, labels=true, average="macro"),
            "f1_weighted": reference.f1_score(label, predicted, average="weighted"),
            "mcc": reference.matthews_corrcoef(label, predicted) if several and len(set(predicted)) > 1 else NAN,
            "auroc": np.mean([reference.roc_auc_score(label == c, probability[:, c]) for c in true])
            if several
            else NAN,
            **{f"recall_class_{c}": float((predicted[label == c] == c).mean()) for c in true},
        }


@exact
@given(judged())
def test_metrics_are_those_of_scikit_learn(case: tuple[IntArray, FloatArray]) -> None:
    label, probability = case
    found, expected = classification_metrics(table(label, probability)), by_sklearn(label, probability)
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@exact
@given(judged())
def test_confusions_are_counted_one_by_one(case: tuple[IntArray, FloatArray]) -> None:
    label, probability = case
    predicted, k = probability.argmax(1), probability.shape[1]
    expected = np.zeros((k, k), int)
    for true, called in zip(label, predicted, strict=True):
        expected[true, called] += 1
    assert confusion_matrix(label, predicted, k).tolist() == expected.tolist()


def test_by_hand() -> None:
    # class 2 never occurs and is called once; class 0: 2 of 3 right; class 1: 1 of 1 right
    probability = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.2, 0.8, 0.0]])
    found = classification_metrics(table(np.array([0, 0, 0, 1]), probability))
    assert found["accuracy"] == 3 / 4
    assert found["balanced_accuracy"] == (2 / 3 + 1) / 2
    assert found["f1_macro"] == (4 / 5 + 1) / 2  # of the two classes that occur
    assert found["f1_weighted"] == pytest.approx((3 * 4 / 5 + 1) / 4)
    assert found["auroc"] == pytest.approx((2 / 3 + 1) / 2)  # one of three pairs is ranked wrongly for class 0
    assert found["mcc"] == pytest.approx((3 * 4 - (3 * 2 + 1)) / math.sqrt((16 - 10) * (16 - 6)))
    assert {name for name in found if name.startswith("recall")} == {"recall_class_0", "recall_class_1"}


def test_one_class_says_nothing_about_telling_apart() -> None:
    found = classification_metrics(table(np.array([1, 1]), np.array([[0.1, 0.9], [0.8, 0.2]])))
    assert math.isnan(found["mcc"])
    assert math.isnan(found["auroc"])
    assert (found["accuracy"], found["f1_macro"]) == (0.5, 2 / 3)
    assert math.isnan(macro_auroc(np.array([1, 1]), np.full((2, 2), 0.5)))


def test_one_predicted_class_has_no_correlation() -> None:
    assert math.isnan(decision_metrics(np.array([[3, 0], [2, 0]]))["mcc"])


def test_nothing_tested_is_nothing_defined() -> None:
    assert all(math.isnan(value) for value in decision_metrics(np.zeros((2, 2), int)).values())


def test_correlation_of_many_series_does_not_overflow() -> None:
    n = 10**9
    confusion = np.array([[n, 0], [0, n]])
    assert decision_metrics(confusion)["mcc"] == 1.0


def test_table_is_sorted_and_predicts_the_most_probable_class() -> None:
    probability = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    found = class_predictions(np.array([7, 3, 5]), np.array([1, 2, 3]), np.array([1, 0, 1]), probability)
    assert found.columns.tolist() == ["index", "group", "label", "predicted", "p_0", "p_1"]
    assert found["index"].tolist() == [3, 5, 7]
    assert found["group"].tolist() == [2, 3, 1]
    assert found["label"].tolist() == [0, 1, 1]
    assert found["predicted"].tolist() == [0, 0, 1]  # of two that are equally probable, the first
    assert probabilities(found).tolist() == probability[[1, 2, 0]].tolist()


def test_a_file_keeps_every_digit(tmp_path: Path) -> None:
    probability = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    written = class_predictions(np.arange(20), None, np.zeros(20, np.int64), probability)
    write_table(tmp_path / "predictions.csv", written)
    pd.testing.assert_frame_equal(read_class_predictions(tmp_path / "predictions.csv"), written, check_exact=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("", "cannot be read"),
        ("index,group,label,predicted,p_0\n1,,zero,0,1\n", "cannot be read"),
        ("index,group,label,predicted\n1,,0,0\n", "has the columns"),
        ("index,group,label,predicted,p_1\n1,,0,0,1\n", "has the columns"),
        ("index,group,label,predicted,p_0,p_1\n1,,2,0,1,0\n", "names a class beyond its 2 columns"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "predictions.csv").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=words):
        read_class_predictions(tmp_path / "predictions.csv")
