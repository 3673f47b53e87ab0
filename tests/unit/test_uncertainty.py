"""Bootstrap intervals against a loop that really resamples, and how often they hold the truth."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference

from ecgan.evaluate import uncertainty
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import predictions
from ecgan.evaluate.uncertainty import detection_intervals, detection_replicates, drawn, group_numbers

HEADLINE = {
    "auroc",
    "average_precision",
    "f1",
    "mcc",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
}


def table(n: int, groups: int | None, seed: int = 0, decimals: int = 1, share: float = 0.4) -> pd.DataFrame:
    """Predictions of three classes with tied scores; classes and groups come in any order."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < share) * rng.integers(1, 3, n)
    group = None if groups is None else rng.integers(0, groups, n) * 7 + 100
    return predictions(rng.permutation(n), group, label, np.round(rng.normal(size=n) + label, decimals), 0.8)


def by_sklearn(drawn_rows: pd.DataFrame) -> dict[str, float]:
    """The metrics of series that were really drawn, NaN where a denominator is zero."""
    abnormal, predicted = drawn_rows["abnormal"] == 1, drawn_rows["predicted"] == 1
    both, nan = abnormal.any() and not abnormal.all(), float("nan")
    varied = both and predicted.any() and not predicted.all()
    recalls = {
        f"recall_class_{c}": float((own["predicted"] == (c != 0)).mean()) for c, own in drawn_rows.groupby("label")
    }
    return recalls | {
        "auroc": reference.roc_auc_score(abnormal, drawn_rows["score"]) if both else nan,
        "average_precision": reference.average_precision_score(abnormal, drawn_rows["score"]) if both else nan,
        "f1": reference.f1_score(abnormal, predicted, zero_division=nan),
        "mcc": reference.matthews_corrcoef(abnormal, predicted) if varied else nan,
        "balanced_accuracy": reference.balanced_accuracy_score(abnormal, predicted) if both else nan,
        "sensitivity": reference.recall_score(abnormal, predicted, zero_division=nan) if abnormal.any() else nan,
        "specificity": reference.recall_score(~abnormal, ~predicted, zero_division=nan) if not abnormal.all() else nan,
        "precision": reference.precision_score(abnormal, predicted, zero_division=nan),
    }


@pytest.mark.parametrize(
    ("n", "groups", "share"),
    [(60, None, 0.4), (60, 8, 0.4), (200, 40, 0.5), (12, 3, 0.3), (8, None, 0.3), (30, None, 0.0), (5, None, 1.0)],
)
def test_replicates_equal_a_loop_that_resamples(
    n: int, groups: int | None, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uncertainty, "AT_ONCE", 7 * n)  # several pieces, the last one smaller
    predicted = table(n, groups, share=share)
    found = detection_replicates(predicted, 20, seed=3)
    number = group_numbers(predicted)
    weights = np.concatenate(list(drawn(number.max() + 1, 20, 3, 7)), axis=1)
    assert (weights.sum(0) == number.max() + 1).all()
    for replicate, times in enumerate(weights.T):
        rows = [np.tile(np.flatnonzero(number == group), int(count)) for group, count in enumerate(times)]
        expected = by_sklearn(predicted.iloc[np.concatenate(rows)])
        values = {name: values[replicate] for name, values in found.items()}
        absent = set(values) - set(expected)  # classes of which nothing was drawn
        assert all(math.isnan(values.pop(name)) for name in absent)
        assert values == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def test_groups_are_drawn_with_all_their_series() -> None:
    # one group, whatever its number is, or a group per series
    predicted = table(50, None)
    own = predicted.assign(group=pd.array(np.arange(50) * 3, dtype="Int64"))
    assert group_numbers(own).tolist() == group_numbers(predicted).tolist() == list(range(50))
    assert detection_intervals(own, 50) == detection_intervals(predicted, 50)
    one = detection_replicates(predicted.assign(group=pd.array([4] * 50, dtype="Int64")), 20, 0)
    expected = detection_metrics(predicted)
    for name, values in one.items():
        np.testing.assert_allclose(values, expected[name])


@pytest.mark.parametrize("groups", [None, 20])
def test_intervals_are_the_quantiles_of_the_replicates_and_hold_the_value(groups: int | None) -> None:
    predicted = table(300, groups, decimals=3)
    found, values = detection_intervals(predicted, 200, seed=1), detection_metrics(predicted)
    replicates = detection_replicates(predicted, 200, seed=1)
    assert set(found) == HEADLINE | {"recall_class_0", "recall_class_1", "recall_class_2"}
    for name, (low, high, undefined) in found.items():
        assert (low, high) == pytest.approx(tuple(np.percentile(replicates[name], [2.5, 97.5])))
        assert low < values[name] < high
        assert undefined == 0


def test_draws_are_those_of_the_seed() -> None:
    predicted = table(80, None)
    assert detection_intervals(predicted, 50, seed=1) == detection_intervals(predicted, 50, seed=1)
    assert detection_intervals(predicted, 50, seed=1) != detection_intervals(predicted, 50, seed=2)


def test_undefined_replicates_are_left_out_and_counted() -> None:
    # class 1 is in two of ten groups, and class 2 in one
    label = np.repeat([0, 0, 0, 0, 0, 0, 0, 1, 1, 2], 4)
    score = np.random.default_rng(0).normal(size=40) + label
    predicted = predictions(np.arange(40), np.repeat(np.arange(10), 4), label, score, 0.5)
    replicates = detection_replicates(predicted, 400, 0)
    found = detection_intervals(predicted, 400, 0)
    one, two = found["recall_class_1"], found["recall_class_2"]
    assert one.undefined == np.isnan(replicates["recall_class_1"]).sum()
    assert one.undefined / 400 == pytest.approx(0.8**10, abs=0.06)
    assert (one.low, one.high) == tuple(np.nanpercentile(replicates["recall_class_1"], [2.5, 97.5]))
    assert two.undefined / 400 == pytest.approx(0.9**10, abs=0.08)
    assert math.isnan(two.low)  # of one patient nothing is known about others
    assert math.isnan(two.high)


@pytest.mark.parametrize("label", [0, 1])
def test_a_part_of_one_class_has_no_interval_of_what_needs_both(label: int) -> None:
    predicted = predictions(np.arange(30), None, np.full(30, label), np.arange(30.0), 14.5)
    found = detection_intervals(predicted, 50)
    for name in ("auroc", "average_precision", "balanced_accuracy", "mcc", "specificity" if label else "sensitivity"):
        assert math.isnan(found[name].low)
        assert found[name].undefined == 50
    assert found[f"recall_class_{label}"].low < 0.5 < found[f"recall_class_{label}"].high


def test_intervals_hold_the_true_auroc_as_often_as_they_say() -> None:
    # normal scores with means 0 and 1: the AUROC of ever more series is known
    rng, truth, repetitions = np.random.default_rng(0), NormalDist().cdf(1 / math.sqrt(2)), 150
    held = 0
    for _ in range(repetitions):
        label = np.repeat([0, 1], 60)
        predicted = predictions(np.arange(120), None, label, rng.normal(size=120) + label, 0.5)
        low, high, _ = detection_intervals(predicted, 200)["auroc"]
        held += low <= truth <= high
    assert 0.88 <= held / repetitions <= 0.99  # five standard deviations around 0.94


def test_series_of_one_patient_are_not_taken_for_independent() -> None:
    # every patient has an own rate of false alarms, 0.5 on average
    rng, repetitions = np.random.default_rng(1), 100
    held = {"patients": 0, "series": 0}
    for _ in range(repetitions):
        patient = np.repeat(np.arange(30), 20)
        score = rng.normal(size=600) + 2 * rng.normal(size=30)[patient]
        for name, group in (("patients", patient), ("series", None)):
            predicted = predictions(np.arange(600), group, np.zeros(600, np.int64), score, 0.0)
            low, high, _ = detection_intervals(predicted, 200)["specificity"]
            held[name] += low <= 0.5 <= high
    assert held["patients"] >= 85
    assert held["series"] <= 60


def test_one_patient_alone_gives_no_interval() -> None:
    """All draws are alike, and an interval without width would promise certainty."""
    found = detection_intervals(table(60, 1), replicates=20)
    assert set(found) >= HEADLINE
    assert all(math.isnan(low) and math.isnan(high) for low, high, _ in found.values())
