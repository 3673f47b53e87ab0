"""Detection metrics with one definition each, recomputed from ``predictions.csv``.

The positive class is *abnormal*. With TP, FP, TN, FN counted over series:

========================= ==============================================================================
``auroc``                 area under the ROC curve of the raw scores
``average_precision``     sum of precision x recall increments over the raw scores, without interpolation
``f1``                    2 TP / (2 TP + FP + FN): the abnormal class, never an average
``f1_macro``              mean of the F1 of both classes
``f1_weighted``           their mean weighted by class size: 0.85 for a detector that finds nothing at 10 % abnormal
``mcc``                   Matthews correlation of the predictions
``balanced_accuracy``     mean of sensitivity and specificity
``accuracy``              (TP + TN) / all
``sensitivity``           TP / (TP + FN)
``specificity``           TN / (TN + FP)
``precision``             TP / (TP + FP)
``recall_class_<c>``      share of class c that is predicted as it should be: normal for 0, abnormal for the others
========================= ==============================================================================

A metric whose denominator is zero is NaN, never 0: a fold without abnormal series says nothing about sensitivity.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from ecgan.types import BoolArray, FloatArray, IntArray

NAN = float("nan")


def detection_metrics(predictions: pd.DataFrame) -> dict[str, float]:
    """All metrics of one table of predictions.

    Args:
        predictions: columns ``label``, ``abnormal``, ``score`` and ``predicted``, one row per series.
    """
    abnormal = predictions["abnormal"].to_numpy() == 1
    predicted = predictions["predicted"].to_numpy() == 1
    score = predictions["score"].to_numpy(np.float64)
    label = predictions["label"].to_numpy()
    return ranking_metrics(score, abnormal) | decision_metrics(predicted, abnormal) | class_recalls(predicted, label)


def ranking_metrics(score: FloatArray, abnormal: BoolArray) -> dict[str, float]:
    """Metrics of raw scores (N,), whatever the threshold; NaN where only one class is there."""
    if abnormal.all() or not abnormal.any():
        return {"auroc": NAN, "average_precision": NAN}
    return {
        "auroc": float(roc_auc_score(abnormal, score)),
        "average_precision": float(average_precision_score(abnormal, score)),
    }


def decision_metrics(predicted: BoolArray, abnormal: BoolArray) -> dict[str, float]:
    """Metrics of yes-or-no predictions (N,)."""
    tp, fp = int((predicted & abnormal).sum()), int((predicted & ~abnormal).sum())
    fn, tn = int((~predicted & abnormal).sum()), int((~predicted & ~abnormal).sum())
    f1, f1_normal = _ratio(2 * tp, 2 * tp + fp + fn), _ratio(2 * tn, 2 * tn + fp + fn)
    positives, negatives = tp + fn, tn + fp
    sensitivity, specificity = _ratio(tp, positives), _ratio(tn, negatives)
    margins = (tp + fp) * positives * negatives * (tn + fn)
    return {
        "f1": f1,
        "f1_macro": (f1 + f1_normal) / 2,
        "f1_weighted": _weighted(f1, f1_normal, positives, negatives),
        "mcc": (tp * tn - fp * fn) / math.sqrt(margins) if margins else NAN,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "accuracy": _ratio(tp + tn, positives + negatives),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": _ratio(tp, tp + fp),
    }


def class_recalls(predicted: BoolArray, label: IntArray) -> dict[str, float]:
    """Share of each class that is predicted as it should be, keys ``recall_class_<c>``."""
    recalls = {}
    for c in np.unique(label):
        of_class = predicted[label == c]
        recalls[f"recall_class_{c}"] = float(of_class.mean() if c else (~of_class).mean())
    return recalls


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else NAN


def _weighted(f1: float, f1_normal: float, positives: int, negatives: int) -> float:
    # a class without members has no weight, and its undefined F1 must not spoil the mean
    parts = [(f1, positives), (f1_normal, negatives)]
    total = positives + negatives
    return sum(value * size for value, size in parts if size) / total if total else NAN
