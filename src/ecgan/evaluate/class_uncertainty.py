"""Bootstrap intervals of a classifier's metrics, drawn as those of detection are (``uncertainty``)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecgan.evaluate.class_predictions import probabilities
from ecgan.evaluate.uncertainty import (
    AT_ONCE,
    NAN,
    REPLICATES,
    Interval,
    Ranking,
    Replicates,
    drawn,
    group_numbers,
    intervals,
    ratio,
    sums_by_group,
)
from ecgan.types import FloatArray


def classification_intervals(
    predictions: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0
) -> dict[str, Interval]:
    """Intervals of all metrics, by the names of ``classification.classification_metrics``.

    Args:
        predictions: columns ``group``, ``label``, ``predicted`` and ``p_0`` to ``p_<n-1>``, one row per series.
        replicates: how often groups are drawn.
        seed: of the draws.
    """
    return intervals(classification_replicates(predictions, replicates, seed), predictions)


def classification_replicates(predictions: pd.DataFrame, replicates: int, seed: int) -> Replicates:
    """The metrics of drawn groups: (replicates,) each, NaN where a draw leaves one undefined."""
    group, label = group_numbers(predictions), predictions["label"].to_numpy()
    probability = probabilities(predictions)
    n_classes = probability.shape[1]
    confusion = sums_by_group(group, n_classes * label + predictions["predicted"].to_numpy(), n_classes**2)
    true = np.unique(label)
    rankings = [Ranking.of(probability[:, c], label == c, group) for c in true]
    parts = []
    for weights in drawn(int(group.max()) + 1, replicates, seed, max(1, AT_ONCE // len(group))):
        table = (confusion @ weights).reshape(n_classes, n_classes, -1)
        areas = np.stack([ranking.metrics(weights)["auroc"] for ranking in rankings])
        recalls = ratio(np.einsum("iir->ir", table), table.sum(1))
        by_class = {f"recall_class_{c}": recalls[c] for c in true}
        parts.append(_decisions(table) | {"auroc": _mean_of_defined(areas)} | by_class)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _decisions(table: FloatArray) -> Replicates:
    """Metrics of predicted classes.

    Args:
        table: (K, K, R) weights, rows are true classes and columns predicted ones.
    """
    right, true, called = np.einsum("iir->ir", table), table.sum(1), table.sum(0)
    total, present = true.sum(0), true > 0
    f1 = np.where(present, ratio(2 * right, true + called), NAN)
    spread_true, spread_called = total**2 - (true**2).sum(0), total**2 - (called**2).sum(0)
    agreement = right.sum(0) * total - (true * called).sum(0)
    return {
        "accuracy": ratio(right.sum(0), total),
        "balanced_accuracy": _mean_of_defined(ratio(right, true)),
        "f1_macro": _mean_of_defined(f1),
        "f1_weighted": ratio((np.where(present, f1, 0.0) * true).sum(0), total),
        "mcc": ratio(agreement, np.sqrt(spread_true) * np.sqrt(spread_called)),
    }


def _mean_of_defined(values: FloatArray) -> FloatArray:
    """Mean over the classes of (K, R) that are not NaN; NaN where all are."""
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0.0).sum(0), defined.sum(0).astype(np.float64))
