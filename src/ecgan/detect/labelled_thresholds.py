"""Threshold rules that see labels: those of the validation part, or, as an upper bound, those of the test part."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.types import BoolArray, FloatArray, Supervision

ROUNDING = 1e-12
"""Relative difference below which two costs count as equal."""


class Cuts(NamedTuple):
    """Candidate thresholds, rising from one below all scores, and what each of them finds.

    Attributes:
        value: (K,) the thresholds.
        hits: (K,) abnormal series above each.
        alarms: (K,) all series above each.
        positives: abnormal series.
        negatives: normal series.
    """

    value: FloatArray
    hits: FloatArray
    alarms: FloatArray
    positives: int
    negatives: int


class MaxF1:
    """Best F1 of the abnormal class on the labelled validation part; of equal ones the lowest threshold.

    Where all scores are equal, all series are called abnormal.
    """

    supervision: ClassVar[Supervision] = "val_labelled"

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores and (N,) labels.

        Raises:
            DataError: when either class is missing.
        """
        return _best_f1(_cuts(scores, abnormal, "max_f1"))


class Youden:
    """Largest sensitivity + specificity - 1 on the labelled validation part; of equal ones the lowest threshold.

    Where all scores are equal, all series are called abnormal.

    Source: Youden (1950), Index for rating diagnostic tests, Cancer 3, 32-35.
    """

    supervision: ClassVar[Supervision] = "val_labelled"

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores and (N,) labels.

        Raises:
            DataError: when either class is missing.
        """
        cuts = _cuts(scores, abnormal, "youden")
        # times positives and negatives, so that equal sums stay equal without rounding
        gain = cuts.hits * cuts.negatives - (cuts.alarms - cuts.hits) * cuts.positives
        return float(cuts.value[gain.argmax()])


class Cost:
    """Least expected cost of misses and false alarms on the labelled validation part.

    The cost of a series is ``miss * prevalence * (1 - sensitivity) + false_alarm * (1 - prevalence) *
    (1 - specificity)``; of equal ones the lowest threshold is taken. It may be cheapest to call all series abnormal, or
    none: the threshold then lies below all scores, or is the largest of them.

    Args:
        miss: price of an abnormal series that passes, above 0.
        false_alarm: price of a normal series that is called abnormal, above 0.
        prevalence: share of abnormal series where the detector will be used, between 0 and 1; None takes that of the
            validation part.

    Source: Elkan (2001), The Foundations of Cost-Sensitive Learning, IJCAI.
    """

    supervision: ClassVar[Supervision] = "val_labelled"

    def __init__(self, miss: float = 10.0, false_alarm: float = 1.0, prevalence: float | None = None) -> None:
        for key, price in (("miss", miss), ("false_alarm", false_alarm)):
            if not 0 < price < math.inf:
                raise ConfigError(f"threshold.{key} is {price} but must be a finite price above 0.")
        if prevalence is not None and not 0 < prevalence < 1:
            raise ConfigError(f"threshold.prevalence is {prevalence} but must lie between 0 and 1.")
        self.miss, self.false_alarm, self.prevalence = miss, false_alarm, prevalence

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores and (N,) labels.

        Raises:
            DataError: when either class is missing.
        """
        cuts = _cuts(scores, abnormal, "cost")
        value = np.append(cuts.value, scores.max())  # and one above which there is nothing
        missed = cuts.positives - np.append(cuts.hits, 0)
        false = np.append(cuts.alarms - cuts.hits, 0)
        share = cuts.positives / len(scores) if self.prevalence is None else self.prevalence
        cost = self.miss * share * missed / cuts.positives + self.false_alarm * (1 - share) * false / cuts.negatives
        return float(value[np.argmax(cost <= cost.min() * (1 + ROUNDING))])


class Oracle:
    """Best F1 of the abnormal class on the test part: an upper bound of what any threshold reaches, never a result.

    Reports keep it out of the table of results. Of equal thresholds it is the lowest.
    """

    supervision: ClassVar[Supervision] = "oracle"
    on_test: ClassVar[bool] = True

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores and (N,) labels of the test part.

        Raises:
            DataError: when either class is missing.
        """
        return _best_f1(_cuts(scores, abnormal, "oracle", "test"))


def _best_f1(cuts: Cuts) -> float:
    return float(cuts.value[(2 * cuts.hits / (cuts.alarms + cuts.positives)).argmax()])


def _cuts(scores: FloatArray, abnormal: BoolArray, rule: str, part: str = "validation") -> Cuts:
    """All thresholds that make a difference and call something abnormal.

    They lie half way between neighboring distinct scores, so that rounding cannot move a series across.
    """
    if abnormal.all() or not abnormal.any():
        raise DataError(
            f"threshold={rule} needs normal and abnormal series in the {part} part; use threshold=quantile, or "
            "split.abnormal=stratify to put some there."
        )
    if not np.isfinite(scores).all():
        raise DataError("A score is not finite, and no threshold can be chosen from it; mend the scorer.")
    values = np.unique(scores)
    order = np.argsort(scores, kind="stable")
    sorted_scores, sorted_abnormal = scores[order], abnormal[order]
    at_or_below = np.searchsorted(sorted_scores, values, side="right")
    below = np.concatenate([[0], at_or_below[:-1]])
    hits_below = np.concatenate([[0], np.cumsum(sorted_abnormal)])
    lower, upper = values[:-1], values[1:]
    half_way = lower / 2 + upper / 2
    # between neighboring floats there is no half way: rounding gives one of the two
    between = np.where((half_way >= lower) & (half_way < upper), half_way, lower)
    cut = np.concatenate([[np.nextafter(values[0], -np.inf)], between])
    positives = int(abnormal.sum())
    alarms = (len(scores) - below).astype(np.float64)
    hits = (positives - hits_below[below]).astype(np.float64)
    return Cuts(cut, hits, alarms, positives, len(scores) - positives)
