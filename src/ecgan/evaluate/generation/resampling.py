"""Bootstrap by weights: how often each series is drawn, instead of copies of it.

A series that was drawn twice would be its own nearest neighbor at distance 0 and have kernel value 1 with its copy, as
no two different series have. Statistics are therefore functions of counts: they can leave such pairs out, and many
resamplings become one matrix product.
"""

from __future__ import annotations

import numpy as np

from ecgan.types import FloatArray

NAN = float("nan")
LEAST = 2
"""Series without which nothing scatters."""
LEVEL = (0.025, 0.975)
"""Quantiles of a 95 % interval."""


def counts(n: int, draws: int, seed: int) -> FloatArray:
    """How often each of n series is drawn in n draws with replacement: (n, draws) float32, columns sum to n."""
    drawn = np.random.default_rng(seed).integers(n, size=(draws, n))
    drawn += n * np.arange(draws)[:, None]
    return np.ascontiguousarray(np.bincount(drawn.ravel(), minlength=n * draws).reshape(draws, n).T, dtype=np.float32)


def weighted_means(values: FloatArray, draws: int, seed: int) -> FloatArray:
    """Means of resampled ``values`` (N, ...): (draws, ...)."""
    n = len(values)
    flat = np.asarray(values, np.float64).reshape(n, -1)
    return (counts(n, draws, seed).T.astype(np.float64) @ flat / n).reshape(draws, *values.shape[1:])


def interval(value: float, replicates: FloatArray, least: float = -np.inf, most: float = np.inf) -> tuple[float, float]:
    """95 % interval around ``value`` as wide as the replicates spread.

    The replicates are moved so that their mean is the value. A distance between two samples grows with their noise, and
    resampling adds as much noise again: without moving, the interval of such a distance lies above the value itself.

    Args:
        value: the statistic of the sample.
        replicates: the statistic of resampled samples; NaN where a resampling left it undefined.
        least: smallest possible value.
        most: largest possible value.

    Returns:
        Both ends; NaN when the value or all replicates are undefined.
    """
    defined = replicates[np.isfinite(replicates)]
    if not np.isfinite(value) or not len(defined):
        return NAN, NAN
    low, high = np.quantile(defined - defined.mean() + value, LEVEL)
    return float(np.clip(low, least, most)), float(np.clip(high, least, most))
