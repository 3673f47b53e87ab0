"""Metrics of classifiers with one definition each, recomputed from ``classification/predictions.csv``.

Counted over the series of the test part, where the *true* classes are those that occur in its labels:

========================= ==============================================================================
``accuracy``              share of series whose most probable class is their own
``balanced_accuracy``     mean recall of the true classes
``f1_macro``              mean F1 of the true classes; one that is predicted but never true counts only as a mistake
``f1_weighted``           their mean weighted by class size
``mcc``                   Matthews correlation for any number of classes (Gorodkin 2004,
                          doi:10.1016/j.compbiolchem.2004.09.006)
``auroc``                 mean over the true classes of the area under the ROC curve of a class's probability,
                          against all other classes
``recall_class_<c>``      share of the series of class c that are called c
========================= ==============================================================================

A metric whose denominator is zero is NaN, never 0: with one true class there is no correlation and no ROC curve.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from ecgan.evaluate.class_predictions import probabilities
from ecgan.types import FloatArray, IntArray

NAN = float("nan")


def classification_metrics(predictions: pd.DataFrame) -> dict[str, float]:
    """All metrics of one table of predictions.

    Args:
        predictions: columns ``label``, ``predicted`` and ``p_0`` to ``p_<n-1>``, one row per series.
    """
    label, predicted = predictions["label"].to_numpy(), predictions["predicted"].to_numpy()
    probability = probabilities(predictions)
    confusion = confusion_matrix(label, predicted, probability.shape[1])
    return decision_metrics(confusion) | {"auroc": macro_auroc(label, probability)} | class_recalls(confusion)


def confusion_matrix(label: IntArray, predicted: IntArray, n_classes: int) -> IntArray:
    """Count (n_classes, n_classes) series of each class, a row each, by what they are called, a column each."""
    pairs = label.astype(np.int64) * n_classes + predicted
    return np.bincount(pairs, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def decision_metrics(confusion: IntArray) -> dict[str, float]:
    """Metrics of the predicted classes.

    Args:
        confusion: (K, K) counts, rows are true classes and columns predicted ones.
    """
    right, true, called = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    total, present = int(true.sum()), true > 0
    if not total:
        return dict.fromkeys(("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "mcc"), NAN)
    f1 = 2 * right[present] / (true + called)[present]
    return {
        "accuracy": float(right.sum() / total),
        "balanced_accuracy": float((right[present] / true[present]).mean()),
        "f1_macro": float(f1.mean()),
        "f1_weighted": float(np.average(f1, weights=true[present])),
        "mcc": _matthews(confusion),
    }


def macro_auroc(label: IntArray, probability: FloatArray) -> float:
    """Mean area under the ROC curve of each true class against all others; NaN where there is only one.

    Args:
        label: (N,) classes.
        probability: (N, K) of each class.
    """
    true = np.unique(label)
    if len(true) < 2:  # noqa: PLR2004 - nothing to tell apart
        return NAN
    return float(np.mean([roc_auc_score(label == c, probability[:, c]) for c in true]))


def class_recalls(confusion: IntArray) -> dict[str, float]:
    """Share of each true class that is called by its name, keys ``recall_class_<c>``."""
    return {f"recall_class_{c}": float(row[c] / row.sum()) for c, row in enumerate(confusion) if row.any()}


def _matthews(confusion: IntArray) -> float:
    counts = confusion.tolist()  # whole numbers of any size, which products of counts need
    true, called = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    total, right = sum(true), sum(row[c] for c, row in enumerate(counts))
    spread_true = total**2 - sum(n**2 for n in true)
    spread_called = total**2 - sum(n**2 for n in called)
    if not spread_true or not spread_called:
        return NAN
    agreement = right * total - sum(a * b for a, b in zip(true, called, strict=True))
    return float(agreement / math.sqrt(spread_true * spread_called))
