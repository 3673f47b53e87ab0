"""A threshold rule that extrapolates: the tail of the validation normals by extreme value theory."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from ecgan.detect.thresholds import normals
from ecgan.errors import ConfigError, DataError
from ecgan.types import BoolArray, FloatArray, Supervision

LEAST = 10
"""Excesses without which nothing is said of a tail."""
SHAPES = (-0.5, 1.0)
"""Shapes between which a tail is looked for: below, its likelihood has no proper maximum; above, it has no mean."""
TINY = 1e-9


class ExtremeValue:
    """Peaks over threshold: a generalized Pareto distribution tells where the wanted false-alarm rate is reached.

    It is fitted to what the scores above their quantile ``level`` have in excess of it. So the threshold may lie beyond
    all scores that were seen, where ``Quantile`` can only take the largest.

    Args:
        rate: share of normal series that may be called abnormal, above 0 and below ``1 - level``.
        level: quantile above which scores belong to the tail, between 0 and 1.

    Source: Siffer et al. (2017), Anomaly Detection in Streams with Extreme Value Theory, doi:10.1145/3097983.3098144.
    """

    supervision: ClassVar[Supervision] = "normal_only"

    def __init__(self, rate: float = 0.01, level: float = 0.9) -> None:
        if not 0 < level < 1:
            raise ConfigError(f"threshold.level is {level} but must lie between 0 and 1.")
        if not 0 < rate < 1 - level:
            raise ConfigError(f"threshold.rate is {rate} but must lie between 0 and 1 - threshold.level.")
        self.rate, self.level = rate, level

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) scores; abnormal ones are ignored.

        Raises:
            DataError: when fewer than 10 scores lie above the quantile, or too few of them differ.
        """
        normal = normals(scores, abnormal)
        start = float(np.quantile(normal, self.level))
        excess = normal[normal > start] - start
        expected = self.rate * len(normal)
        if len(excess) < max(LEAST, expected):
            raise DataError(
                f"threshold=extreme_value needs {max(LEAST, round(expected))} validation normals or more above their "
                f"quantile {self.level}, and there are {len(excess)}; lower threshold.level, or use threshold=quantile."
            )
        if excess.min() == excess.max():
            raise DataError(
                f"threshold=extreme_value needs scores that differ, but all of the {len(excess)} highest are equal; "
                "use threshold=quantile."
            )
        shape, scale = fit_tail(excess)
        times = np.log(len(excess) / expected)
        return start + scale * float(np.expm1(shape * times) / shape if shape else times)


def fit_tail(excess: FloatArray) -> tuple[float, float]:
    """Shape and scale of the generalized Pareto distribution of excesses (N,) above 0, by maximum likelihood.

    With ``t = shape / scale``, the likelihood is largest at ``shape(t) = mean log(1 + t x)``, which leaves one unknown.

    Returns:
        The shape, between -0.5 and 1, and the scale in the unit of the excesses.

    Source: Grimshaw (1993), Computing Maximum Likelihood Estimates for the Generalized Pareto Distribution,
    doi:10.1080/00401706.1993.10485040.
    """
    unit = excess.mean()
    x = excess / unit

    def shape_at(t: float) -> float:
        return float(np.log1p(t * x).mean())

    def scale_at(t: float) -> float:
        # close to t = 0 the quotient loses all digits; there the distribution is exponential
        return shape_at(t) / t if abs(t) > TINY else 1.0

    def minus_likelihood(t: float) -> float:
        return float(np.log(scale_at(t)) + shape_at(t))

    low = _crossing(shape_at, SHAPES[0], -(1 - TINY) / x.max(), 0.0)
    high = _crossing(shape_at, SHAPES[1], 0.0, 1 / TINY)
    grid = np.concatenate([np.linspace(low, 0, 40), np.geomspace(high / 1000, high, 40)])
    best = int(np.argmin([minus_likelihood(t) for t in grid]))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = float(minimize_scalar(minus_likelihood, bounds=around, method="bounded", options={"xatol": TINY}).x)
    return shape_at(found), float(unit * scale_at(found))


def _crossing(rising: Callable[[float], float], level: float, low: float, high: float) -> float:
    """Where a rising function reaches a level; the nearer end where it does not."""
    if rising(low) >= level:
        return low
    return float(brentq(lambda t: rising(t) - level, low, high)) if rising(high) > level else high
