"""Threshold rules: from validation scores to the score above which a series is called abnormal.

A series is abnormal when its score is *greater* than the threshold. Rules that declare ``normal_only`` look at
validation normals and nothing else; rules that declare ``val_labelled`` need abnormal series in the validation part.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.types import BoolArray, FloatArray, Supervision


class Quantile:
    """The smallest threshold that lets a new normal series pass with probability ``q`` or more.

    It is the k-th smallest score of n validation normals with k = ceil((n + 1) q), the split-conformal quantile,
    which holds for exchangeable series whatever the distribution; nearly here, since the same normals chose the
    epoch. With fewer than q / (1 - q) normals no threshold can promise that; then it is their largest score.

    Args:
        q: share of normal series that should pass, between 0 and 1.

    Source: Lei et al. (2018), Distribution-Free Predictive Inference for Regression,
    doi:10.1080/01621459.2017.1307116.
    """

    supervision: ClassVar[Supervision] = "normal_only"

    def __init__(self, q: float = 0.98) -> None:
        if not 0 < q < 1:
            raise ConfigError(f"threshold.q is {q} but must lie between 0 and 1.")
        self.q = q

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores; abnormal ones are ignored."""
        normal = np.sort(_normals(scores, abnormal))
        rank = max(1, math.ceil((len(normal) + 1) * self.q - 1e-9))
        return float(normal[min(rank, len(normal)) - 1])


class MeanStd:
    """Mean plus ``k`` standard deviations (n - 1) of the validation normals.

    Args:
        k: number of standard deviations.
    """

    supervision: ClassVar[Supervision] = "normal_only"

    def __init__(self, k: float = 3.0) -> None:
        self.k = k

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores; abnormal ones are ignored.

        Raises:
            DataError: with fewer than two normals.
        """
        normal = _normals(scores, abnormal)
        if len(normal) < 2:  # noqa: PLR2004 - a standard deviation needs two
            raise DataError("threshold=mean_std needs two validation normals or more; enlarge split.val_size.")
        return float(normal.mean() + self.k * normal.std(ddof=1))


class MaxF1:
    """Best F1 of the abnormal class on the labelled validation part; of equal ones the lowest threshold."""

    supervision: ClassVar[Supervision] = "val_labelled"

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores and (N,) labels.

        Raises:
            DataError: when either class is missing.
        """
        cut, hits, alarms = _confusion_by_cut(scores, abnormal, "max_f1")
        f1 = 2 * hits / (alarms + abnormal.sum())
        return float(cut[f1.argmax()])


class Youden:
    """Largest sensitivity + specificity - 1 on the labelled validation part; of equal ones the lowest threshold.

    Source: Youden (1950), Index for rating diagnostic tests, Cancer 3, 32-35.
    """

    supervision: ClassVar[Supervision] = "val_labelled"

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores and (N,) labels.

        Raises:
            DataError: when either class is missing.
        """
        cut, hits, alarms = _confusion_by_cut(scores, abnormal, "youden")
        positives = abnormal.sum()
        # times positives and negatives, so that equal sums stay equal without rounding
        gain = hits * (len(abnormal) - positives) - (alarms - hits) * positives
        return float(cut[gain.argmax()])


class Fixed:
    """A threshold given by hand; what it has seen is up to whoever gives it.

    Args:
        value: the threshold, in the unit of the score.
        supervision: what was looked at to find it.
    """

    def __init__(self, value: float, supervision: Supervision) -> None:
        self.value, self.supervision = value, supervision

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Return the given value."""
        return float(self.value)


def _normals(scores: FloatArray, abnormal: BoolArray) -> FloatArray:
    normal: FloatArray = scores[~abnormal]
    if not len(normal):
        raise DataError("The validation part has no normal series to choose a threshold from; enlarge split.val_size.")
    return normal


def _confusion_by_cut(scores: FloatArray, abnormal: BoolArray, rule: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Candidate thresholds (rising), and for each the detected abnormal series and all alarms.

    Candidates lie half way between neighbouring distinct scores, so that rounding cannot move a series across; the
    first lies below all scores.
    """
    if abnormal.all() or not abnormal.any():
        raise DataError(
            f"threshold={rule} needs normal and abnormal series in the validation part; use threshold=quantile, or "
            "split.abnormal=stratify to put some there."
        )
    values = np.unique(scores)
    order = np.argsort(scores, kind="stable")
    sorted_scores, sorted_abnormal = scores[order], abnormal[order]
    at_or_below = np.searchsorted(sorted_scores, values, side="right")
    below = np.concatenate([[0], at_or_below[:-1]])
    hits_below = np.concatenate([[0], np.cumsum(sorted_abnormal)])
    lower, upper = values[:-1], values[1:]
    half_way = lower / 2 + upper / 2
    # between neighbouring floats there is no half way: rounding gives one of the two
    between = np.where((half_way >= lower) & (half_way < upper), half_way, lower)
    cut = np.concatenate([[np.nextafter(values[0], -np.inf)], between])
    alarms = len(scores) - below
    hits = abnormal.sum() - hits_below[below]
    return cut, hits.astype(np.float64), alarms.astype(np.float64)
