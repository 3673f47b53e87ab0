"""How far metrics could have come out otherwise with other patients: bootstrap intervals, here those of detection.

Groups (patients, records) are drawn with replacement, as many as there are, each with all its series: beats of one
patient resemble each other, and intervals that take them for independent are too narrow. Where groups are unknown the
series themselves are drawn. Drawing gives whole-number weights, and every metric is computed from sums of weights, with
one sort of the scores for all replicates. Model and threshold stay as they are: the interval says nothing of another
training, and a test part in which everything is right gets an interval without width.

Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, for percentile intervals; Field and Welsh (2007),
Bootstrapping clustered data, doi:10.1111/j.1467-9868.2007.00593.x, for drawing groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from ecgan.evaluate.generation.resampling import LEVEL, counts
from ecgan.types import BoolArray, FloatArray, IntArray

REPLICATES = 1000
MOST_UNDEFINED = 0.2
"""Share of undefined replicates above which there is no interval. A class of a single group is missing in 37 % of them,
and in the others its metrics never change; with two groups it is 14 %."""
AT_ONCE = 2_000_000
"""Sums of weights that are held at a time, 16 MB of them."""
NAN = float("nan")

Replicates = dict[str, FloatArray]
"""Values (R,) of each metric."""


class Interval(NamedTuple):
    """95 % interval of a metric, and in how many replicates the metric was undefined.

    Both ends are NaN where more than a fifth of the replicates are undefined, or where there is a single group, whose
    draws are all alike.
    """

    low: float
    high: float
    undefined: int


def detection_intervals(predictions: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> dict[str, Interval]:
    """Intervals of ranking, decisions and recall of each class, by the names of ``metrics.detection_metrics``.

    Args:
        predictions: columns ``group``, ``label``, ``abnormal``, ``score`` and ``predicted``, one row per series.
        replicates: how often groups are drawn.
        seed: of the draws; tables with the same groups get the same draws.
    """
    return intervals(detection_replicates(predictions, replicates, seed), predictions)


def intervals(found: Replicates, predictions: pd.DataFrame) -> dict[str, Interval]:
    """Intervals of all metrics of a table from their replicates."""
    if not group_numbers(predictions).any():
        return {name: Interval(NAN, NAN, int(np.isnan(values).sum())) for name, values in found.items()}
    return {name: interval(values) for name, values in found.items()}


def detection_replicates(predictions: pd.DataFrame, replicates: int, seed: int) -> Replicates:
    """The metrics of drawn groups: (replicates,) each, NaN where a draw leaves one undefined."""
    group = group_numbers(predictions)
    abnormal = predictions["abnormal"].to_numpy() == 1
    predicted = predictions["predicted"].to_numpy() == 1
    label = predictions["label"].to_numpy()
    ranking = Ranking.of(predictions["score"].to_numpy(np.float64), abnormal, group)
    classes = np.unique(label)
    decisions = sums_by_group(group, 2 * np.searchsorted(classes, label) + predicted, 2 * len(classes))
    parts = []
    for weights in drawn(int(group.max()) + 1, replicates, seed, max(1, AT_ONCE // len(group))):
        table = (decisions @ weights).reshape(len(classes), 2, -1)
        parts.append(ranking.metrics(weights) | _decisions(table, classes) | _recalls(table, classes))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def group_numbers(predictions: pd.DataFrame) -> IntArray:
    """Number (N,) of the group of each series, from 0; that of the series itself where groups are unknown."""
    group = predictions["group"]
    if group.isna().any():
        return np.arange(len(group))
    return np.unique(group.to_numpy(np.int64), return_inverse=True)[1]


def drawn(n_groups: int, replicates: int, seed: int, at_once: int) -> Iterator[FloatArray]:
    """How often each group is drawn: (n_groups, at_once or less) until there are as many columns as replicates."""
    for start in range(0, replicates, at_once):
        own = int(np.random.SeedSequence([seed, start]).generate_state(1)[0])
        yield counts(n_groups, min(at_once, replicates - start), own).astype(np.float64)


@dataclass(frozen=True)
class Ranking:
    """Scores as far as their order matters: from one abnormal score to the next, and ties.

    Attributes:
        sums: (3 S + 1, G) number of series of each group in three strips per distinct abnormal score, from the largest:
            normal ones above it but below the one before, normal ones tied with it, abnormal ones; and in the last row
            the normal ones below all of them.
    """

    sums: csr_array

    @classmethod
    def of(cls, score: FloatArray, abnormal: BoolArray, group: IntArray) -> Ranking:
        """Of (N,) scores, (N,) true where abnormal, and (N,) numbers of groups."""
        steps = np.unique(score[abnormal])
        above = np.searchsorted(steps, score, side="left")  # the step of the next abnormal score that is not smaller
        tied = above < np.searchsorted(steps, score, side="right")
        # a normal score between two steps lies above the lower one
        step = len(steps) - 1 - np.where(tied, above, above - 1)
        strip = 3 * step + np.where(abnormal, 2, tied)
        return cls(sums_by_group(group, strip, 3 * len(steps) + 1))

    def metrics(self, weights: FloatArray) -> Replicates:
        """AUROC and average precision of (G, R) weights."""
        sums = self.sums @ weights
        strips, below = sums[:-1].reshape(len(sums) // 3, 3, weights.shape[1]), sums[-1]
        above, tied, abnormal = strips[:, 0], strips[:, 1], strips[:, 2]
        false, true = np.cumsum(above + tied, axis=0), np.cumsum(abnormal, axis=0)
        positives, negatives = abnormal.sum(0), above.sum(0) + tied.sum(0) + below
        won = (abnormal * (negatives - false + tied / 2)).sum(0)
        # a step at which nothing was drawn adds nothing, whatever its precision
        gained = (abnormal * ratio(true, true + false, empty=0.0)).sum(0)
        return {
            "auroc": ratio(won, positives * negatives),
            "average_precision": np.where(negatives > 0, ratio(gained, positives), NAN),
        }


def sums_by_group(group: IntArray, row: IntArray, n_rows: int) -> csr_array:
    """Number of series (n_rows, G) of each group in each row."""
    return csr_array((np.ones(len(group)), (row, group)), shape=(n_rows, int(group.max()) + 1))


def _decisions(table: FloatArray, classes: IntArray) -> Replicates:
    """Metrics of decisions.

    Args:
        table: (K, 2, R) weight of each class that passes and that is called abnormal.
        classes: (K,) the classes, 0 is normal.
    """
    (fn, tp), (tn, fp) = table[classes != 0].sum(0), table[classes == 0].sum(0)
    sensitivity, specificity = ratio(tp, tp + fn), ratio(tn, tn + fp)
    margins = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return {
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "mcc": ratio(tp * tn - fp * fn, margins),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": ratio(tp, tp + fp),
    }


def _recalls(table: FloatArray, classes: IntArray) -> Replicates:
    return {
        f"recall_class_{c}": ratio(of_class[1 if c else 0], of_class.sum(0))
        for c, of_class in zip(classes, table, strict=True)
    }


def ratio(numerator: FloatArray, denominator: FloatArray, empty: float = NAN) -> FloatArray:
    """The quotient of two arrays of one shape, ``empty`` where the denominator is zero."""
    return np.divide(numerator, denominator, out=np.full_like(numerator, empty), where=denominator > 0)


def interval(replicates: FloatArray) -> Interval:
    """Interval of the values (R,) of a metric, NaN where it is undefined."""
    defined = replicates[np.isfinite(replicates)]
    undefined = len(replicates) - len(defined)
    if undefined > MOST_UNDEFINED * len(replicates):
        return Interval(NAN, NAN, undefined)
    low, high = np.quantile(defined, LEVEL)
    return Interval(float(low), float(high), undefined)
