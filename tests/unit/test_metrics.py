"""Every metric against an independent reference, and NaN wherever it is undefined."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.evaluate.metrics import class_recalls, decision_metrics, detection_metrics, ranking_metrics
from ecgan.evaluate.predictions import predictions
from ecgan.types import BoolArray, FloatArray

DECISIONS = (
    "f1",
    "f1_macro",
    "f1_weighted",
    "mcc",
    "balanced_accuracy",
    "accuracy",
    "sensitivity",
    "specificity",
    "precision",
)
exact = settings(deadline=None, derandomize=True, max_examples=60)


@st.composite
def tables(draw: st.DrawFn) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Scores with many ties, true classes and predictions, from one series on."""
    n = draw(st.integers(1, 40))
    ties = st.sampled_from([-3.5, 0.0, 0.25, 1.0, 70.0])
    score = draw(st.lists(ties | st.floats(-1e6, 1e6), min_size=n, max_size=n))
    abnormal = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    predicted = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return np.array(score), np.array(abnormal), np.array(predicted)


def same(value: float, expected: float) -> bool:
    """Equal up to rounding, or both NaN."""
    return math.isclose(value, expected, rel_tol=1e-12, abs_tol=1e-12) or (math.isnan(value) and math.isnan(expected))


def by_sklearn(predicted: BoolArray, abnormal: BoolArray) -> dict[str, float]:
    """The decision metrics where scikit-learn defines them, NaN where a denominator is zero."""
    nan = float("nan")
    tn, fp, fn, tp = reference.confusion_matrix(abnormal, predicted, labels=[False, True]).ravel()
    both, any_alarm, any_pass = abnormal.any() and not abnormal.all(), tp + fp > 0, tn + fn > 0
    f1 = reference.f1_score(abnormal, predicted, pos_label=True, zero_division=nan)
    f1_normal = reference.f1_score(abnormal, predicted, pos_label=False, zero_division=nan)
    return {
        "f1": f1,
        "f1_macro": np.mean([f1, f1_normal]),
        "f1_weighted": reference.f1_score(abnormal, predicted, average="weighted", zero_division=0.0),
        "mcc": reference.matthews_corrcoef(abnormal, predicted) if both and any_alarm and any_pass else nan,
        "balanced_accuracy": reference.balanced_accuracy_score(abnormal, predicted) if both else nan,
        "accuracy": reference.accuracy_score(abnormal, predicted),
        "sensitivity": reference.recall_score(abnormal, predicted, zero_division=nan) if abnormal.any() else nan,
        "specificity": reference.recall_score(~abnormal, ~predicted, zero_division=nan) if not abnormal.all() else nan,
        "precision": reference.precision_score(abnormal, predicted, zero_division=nan) if any_alarm else nan,
    }


@exact
@given(tables())
def test_decision_metrics_equal_scikit_learn(table: tuple[FloatArray, BoolArray, BoolArray]) -> None:
    _, abnormal, predicted = table
    found, expected = decision_metrics(predicted, abnormal), by_sklearn(predicted, abnormal)
    assert set(found) == set(expected) == set(DECISIONS)
    wrong = {name: (found[name], expected[name]) for name in DECISIONS if not same(found[name], expected[name])}
    assert not wrong


def pairs_won(score: FloatArray, abnormal: BoolArray) -> float:
    """Mann-Whitney: share of (abnormal, normal) pairs in the right order, ties count half."""
    gaps = score[abnormal][:, None] - score[~abnormal][None, :]
    return float((gaps > 0).mean() + (gaps == 0).mean() / 2)


def stepwise_precision(score: FloatArray, abnormal: BoolArray) -> float:
    """Sum over falling distinct thresholds of precision times the recall that is gained."""
    total, recall = 0.0, 0.0
    for cut in sorted(set(score.tolist()), reverse=True):
        chosen = score >= cut
        gained = (chosen & abnormal).sum() / abnormal.sum()
        total += (chosen & abnormal).sum() / chosen.sum() * (gained - recall)
        recall = gained
    return float(total)


@exact
@given(tables())
def test_ranking_metrics_equal_their_definitions(table: tuple[FloatArray, BoolArray, BoolArray]) -> None:
    score, abnormal, _ = table
    found = ranking_metrics(score, abnormal)
    if abnormal.all() or not abnormal.any():
        assert all(math.isnan(value) for value in found.values())
        return
    assert same(found["auroc"], pairs_won(score, abnormal))
    assert same(found["average_precision"], stepwise_precision(score, abnormal))


@pytest.mark.parametrize("shift", [0.0, 40.0, -1e4])
def test_ranking_uses_raw_scores_outside_the_unit_interval(shift: float) -> None:
    # a sigmoid on the way would make all of these 1.0 (or 0.0) and the area 0.5
    rng = np.random.default_rng(3)
    abnormal = rng.random(400) < 0.3
    score = rng.normal(size=400) + 1.3 * abnormal + shift
    found = ranking_metrics(score, abnormal)["auroc"]
    assert 0.75 < found < 0.9
    assert found == pytest.approx(pairs_won(score, abnormal), abs=1e-12)


def test_closed_forms() -> None:
    # TP 3, FN 1, FP 2, TN 4
    abnormal = np.array([True] * 4 + [False] * 6)
    predicted = np.array([True] * 3 + [False] + [True] * 2 + [False] * 4)
    found = decision_metrics(predicted, abnormal)
    assert found["f1"] == pytest.approx(6 / 9)
    assert found["f1_macro"] == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert found["f1_weighted"] == pytest.approx(0.4 * 6 / 9 + 0.6 * 8 / 11)
    assert found["mcc"] == pytest.approx((3 * 4 - 2 * 1) / math.sqrt(5 * 4 * 6 * 5))
    assert found["sensitivity"] == pytest.approx(3 / 4)
    assert found["specificity"] == pytest.approx(4 / 6)
    assert found["balanced_accuracy"] == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert found["precision"] == pytest.approx(3 / 5)
    assert found["accuracy"] == pytest.approx(7 / 10)


def test_weighted_f1_flatters_a_detector_that_finds_nothing() -> None:
    abnormal = np.arange(1000) < 100
    found = decision_metrics(np.zeros(1000, bool), abnormal)
    assert found["f1_weighted"] == pytest.approx(0.85, abs=0.005)
    assert found["f1"] == 0.0
    assert math.isnan(found["precision"])
    assert math.isnan(found["mcc"])


def test_mcc_of_a_large_table_does_not_overflow() -> None:
    rng = np.random.default_rng(0)
    abnormal = rng.random(400_000) < 0.5
    predicted = abnormal ^ (rng.random(400_000) < 0.1)
    assert decision_metrics(predicted, abnormal)["mcc"] == pytest.approx(
        np.corrcoef(predicted, abnormal)[0, 1], abs=1e-12
    )


UNDEFINED = {
    "no abnormal series": (
        [False, False],
        [False, True],
        {"auroc", "average_precision", "mcc", "balanced_accuracy", "sensitivity"},
    ),
    "no normal series": (
        [True, True],
        [False, True],
        {"auroc", "average_precision", "mcc", "balanced_accuracy", "specificity"},
    ),
    "no alarm": ([True, False], [False, False], {"mcc", "precision"}),
    "only alarms": ([True, False], [True, True], {"mcc"}),
    "nothing abnormal, no alarm": (
        [False, False],
        [False, False],
        {
            "auroc",
            "average_precision",
            "mcc",
            "balanced_accuracy",
            "sensitivity",
            "f1",
            "f1_macro",
            "precision",
        },
    ),
}


@pytest.mark.parametrize("case", UNDEFINED)
def test_undefined_is_nan_and_never_zero(case: str) -> None:
    abnormal, predicted, expected = UNDEFINED[case]
    truth, said = np.array(abnormal), np.array(predicted)
    found = ranking_metrics(np.array([0.1, 0.9]), truth) | decision_metrics(said, truth)
    assert {name for name, value in found.items() if math.isnan(value)} == expected


def test_no_series_at_all_leaves_everything_undefined() -> None:
    nothing = np.zeros(0, bool)
    found = ranking_metrics(np.zeros(0), nothing) | decision_metrics(nothing, nothing)
    assert all(math.isnan(value) for value in found.values())


def test_recall_per_class_counts_alarms_for_all_but_class_zero() -> None:
    label = np.array([0, 0, 0, 0, 1, 1, 3, 3, 3])
    predicted = np.array([0, 0, 0, 1, 1, 0, 1, 1, 0], bool)
    assert class_recalls(predicted, label) == {
        "recall_class_0": 3 / 4,
        "recall_class_1": 1 / 2,
        "recall_class_3": pytest.approx(2 / 3),
    }


def random_predictions(seed: int) -> pd.DataFrame:
    """A table as a detector leaves it."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, 60)
    return predictions(rng.permutation(60), None, label, rng.normal(size=60) + label, 0.8)


def test_names_and_values_of_a_whole_table() -> None:
    table = random_predictions(0)
    found = detection_metrics(table)
    assert list(found) == ["auroc", "average_precision", *DECISIONS, *(f"recall_class_{c}" for c in range(4))]
    recalls = [found[f"recall_class_{c}"] for c in range(1, 4)]
    sizes = [(table["label"] == c).sum() for c in range(1, 4)]
    assert found["sensitivity"] == pytest.approx(np.average(recalls, weights=sizes))
    assert found["specificity"] == found["recall_class_0"]


@pytest.mark.parametrize("seed", range(5))
def test_order_of_the_rows_does_not_matter(seed: int) -> None:
    table = random_predictions(seed)
    shuffled = table.sample(frac=1, random_state=seed)
    assert not shuffled["index"].equals(table["index"])
    assert detection_metrics(shuffled) == pytest.approx(detection_metrics(table), rel=1e-12)
