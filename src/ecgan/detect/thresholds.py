"""Threshold rules that see validation normals and nothing else, and the one that sees nothing.

A rule makes of validation scores the score above which a series is called abnormal: one with a *greater* score is.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.types import BoolArray, FloatArray, Supervision

SCALE = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""


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
        normal = np.sort(normals(scores, abnormal))
        rank = max(1, math.ceil((len(normal) + 1) * self.q - 1e-9))
        return float(normal[min(rank, len(normal)) - 1])


class MeanStd:
    """Mean plus ``k`` standard deviations (n - 1) of the validation normals; their score where all have the same.

    Args:
        k: number of standard deviations.
    """

    supervision: ClassVar[Supervision] = "normal_only"

    def __init__(self, k: float = 3.0) -> None:
        self.k = finite(k, "threshold.k")

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores; abnormal ones are ignored.

        Raises:
            DataError: with fewer than two normals.
        """
        normal = normals(scores, abnormal)
        if len(normal) < 2:  # noqa: PLR2004 - a standard deviation needs two
            raise DataError("threshold=mean_std needs two validation normals or more; enlarge split.val_size.")
        return float(normal.mean() + self.k * normal.std(ddof=1))


class Mad:
    """Median plus ``k`` scaled median absolute deviations of the validation normals.

    The deviation is multiplied by 1.4826, which makes it the standard deviation where scores are normally distributed.
    A few stray normals, which widen ``MeanStd`` for all others, hardly move it.

    Args:
        k: number of scaled deviations.

    Source: Leys et al. (2013), Detecting outliers: do not use standard deviation around the mean, use absolute
    deviation around the median, doi:10.1016/j.jesp.2013.03.013.
    """

    supervision: ClassVar[Supervision] = "normal_only"

    def __init__(self, k: float = 3.0) -> None:
        self.k = finite(k, "threshold.k")

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores; abnormal ones are ignored.

        Raises:
            DataError: when half of the normals or more have one score, also when there is one normal only.
        """
        normal = normals(scores, abnormal)
        median = np.median(normal)
        deviation = np.median(np.abs(normal - median))
        if not deviation:
            raise DataError(
                "threshold=mad needs scores that differ, but half of the validation normals or more have the same; use "
                "threshold=quantile."
            )
        return float(median + self.k * SCALE * deviation)


class Fixed:
    """A threshold given by hand; what it has seen is up to whoever gives it.

    Args:
        value: the threshold, in the unit of the score.
        supervision: what was looked at to find it.
    """

    def __init__(self, value: float, supervision: Supervision) -> None:
        self.value, self.supervision = finite(value, "threshold.value"), supervision

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Return the given value."""
        return float(self.value)


def normals(scores: FloatArray, abnormal: BoolArray) -> FloatArray:
    """Scores of the normal series.

    Raises:
        DataError: when there is none, or one of them is not finite.
    """
    normal: FloatArray = scores[~abnormal]
    if not len(normal):
        raise DataError("The validation part has no normal series to choose a threshold from; enlarge split.val_size.")
    if not np.isfinite(normal).all():
        raise DataError("A score is not finite, and no threshold can be chosen from it; mend the scorer.")
    return normal


def finite(value: float, key: str) -> float:
    """Return a setting that is a finite number.

    Raises:
        ConfigError: naming ``key``, when it is not.
    """
    if not math.isfinite(value):
        raise ConfigError(f"{key} is {value} but must be a finite number.")
    return value
