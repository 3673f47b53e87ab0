"""Intervals of a classifier's metrics against a loop that really resamples."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference

from ecgan.evaluate import class_uncertainty
from ecgan.evaluate.class_predictions import class_predictions, probabilities
from ecgan.evaluate.class_uncertainty import classification_intervals, classification_replicates
from ecgan.evaluate.classification import classification_metrics
from ecgan.evaluate.uncertainty import drawn, group_numbers


def table(n: int, groups: int | None, classes: int = 3) -> pd.DataFrame:
    """Predictions of one class more than there is, with tied probabilities."""
    rng = np.random.default_rng([n, classes])
    label = rng.integers(0, classes, n)
    group = None if groups is None else rng.integers(0, groups, n)
    probability = np.round(rng.dirichlet(np.ones(classes + 1), n) + np.eye(classes + 1)[label] / 3, 1)
    return class_predictions(rng.permutation(n), group, label, probability)


def by_sklearn(rows: pd.DataFrame) -> dict[str, float]:
    """The metrics of series that were really drawn, averaged over the classes that are among them."""
    label, predicted, probability = rows["label"].to_numpy(), rows["predicted"].to_numpy(), probabilities(rows)
    true = np.unique(label)
    recalls = reference.recall_score(label, predicted, labels=true, average=None)
    areas = [reference.roc_auc_score(label == c, probability[:, c]) for c in true] if len(true) > 1 else [math.nan]
    varied = len(true) > 1 and len(np.unique(predicted)) > 1
    return {f"recall_class_{c}": recall for c, recall in zip(true, recalls, strict=True)} | {
        "accuracy": reference.accuracy_score(label, predicted),
        "balanced_accuracy": recalls.mean(),
        "f1_macro": reference.f1_score(label, predicted, labels=true, average="macro"),
        "f1_weighted": reference.f1_score(label, predicted, labels=true, average="weighted"),
        "mcc": reference.matthews_corrcoef(label, predicted) if varied else math.nan,
        "auroc": float(np.mean(areas)),
    }


@pytest.mark.parametrize(
    ("n", "groups", "classes"), [(60, None, 3), (90, 7, 3), (7, None, 3), (12, 2, 2), (20, None, 1)]
)
def test_replicates_equal_a_loop_that_resamples(
    n: int, groups: int | None, classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_uncertainty, "AT_ONCE", 7 * n)  # several pieces, the last one smaller
    predicted = table(n, groups, classes)
    found, number = classification_replicates(predicted, 20, seed=3), group_numbers(predicted)
    for replicate, times in enumerate(np.concatenate(list(drawn(number.max() + 1, 20, 3, 7)), axis=1).T):
        rows = [np.tile(np.flatnonzero(number == group), int(count)) for group, count in enumerate(times)]
        expected = by_sklearn(predicted.iloc[np.concatenate(rows)])
        values = {name: values[replicate] for name, values in found.items()}
        absent = set(values) - set(expected)  # classes of which nothing was drawn
        assert all(math.isnan(values.pop(name)) for name in absent)
        assert values == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def test_every_metric_has_an_interval_around_it() -> None:
    predicted = table(300, 40)
    values, found = classification_metrics(predicted), classification_intervals(predicted, 200)
    assert set(found) == set(values)
    assert all(low < values[name] < high for name, (low, high, _) in found.items())


def test_one_patient_alone_gives_no_interval() -> None:
    found = classification_intervals(table(60, 1), replicates=20)
    assert all(math.isnan(low) and math.isnan(high) for low, high, _ in found.values())
