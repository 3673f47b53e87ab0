"""Dynamic time warping in a band, for many pairs at once (Sakoe and Chiba, 1978, doi:10.1109/TASSP.1978.1163055)."""

from __future__ import annotations

import numpy as np

from ecgan.evaluate.generation.neighbors import nearest
from ecgan.types import FloatArray

BAND_SHARE = 0.1
PAIRS = 256
"""Pairs at a time: what the cache holds."""


def dtw(x: FloatArray, y: FloatArray, band: int) -> FloatArray:
    """Distance between the series of each pair after the best monotonic alignment.

    The square root of the smallest sum of squared differences, summed over channels, along a path that steps by one
    sample in x, in y or in both, and aligns samples at most ``band`` apart. All channels are warped together. 0 aligns
    nothing but equal times, which is the Euclidean distance. Computed diagonal by diagonal, all pairs at once.

    Args:
        x: series (P, C, T).
        y: series (P, C, T).
        band: largest difference of aligned times, in samples.

    Returns:
        (P,), in the unit of the series.
    """
    if x.shape != y.shape:
        raise ValueError(f"pairs of different shapes {x.shape} and {y.shape}")
    parts = [_dtw(x[i : i + PAIRS], y[i : i + PAIRS], band) for i in range(0, len(x), PAIRS)]
    return np.concatenate(parts) if parts else np.empty(0)


def nearest_dtw(
    generated: FloatArray, real: FloatArray, *, series: int = 128, candidates: int = 8, seed: int = 0
) -> FloatArray:
    """DTW distance of some generated series to their nearest real series, in a band of a tenth of the length.

    Only the Euclidean nearest neighbors are warped. The true nearest one by DTW may lie elsewhere, so this is an upper
    bound, the same for real series in the place of generated ones.

    Args:
        generated: series (M, C, T).
        real: series (N, C, T).
        series: generated series used at most, drawn by seed.
        candidates: Euclidean neighbors used at most.
        seed: of the draw.

    Returns:
        (series,), in the unit of the series.
    """
    chosen = np.random.default_rng(seed).permutation(len(generated))[:series]
    some, k = generated[chosen], min(candidates, len(real))
    neighbor = nearest(some, real, k)[1]
    band = max(1, round(BAND_SHARE * real.shape[2]))
    pairs = dtw(np.repeat(some, k, axis=0), real[neighbor.ravel()], band)
    distance: FloatArray = pairs.reshape(len(some), k).min(1)
    return distance


def _dtw(x: FloatArray, y: FloatArray, band: int) -> FloatArray:
    """One chunk of pairs. Row 1 + i of ``cost`` is cell (i, step - i); pairs are the last axis, for long vectors."""
    n = x.shape[2]
    kind = np.result_type(x, y, np.float32)
    left = np.ascontiguousarray(x.transpose(1, 2, 0), kind)
    right = np.ascontiguousarray(y.transpose(1, 2, 0)[:, ::-1], kind)  # so that j falls as i rises
    before, last, cost = (np.full((n + 2, len(x)), np.inf, kind) for _ in range(3))
    before[0] = 0  # the cell before the first one
    for step in range(2 * n - 1):
        low, high = max(0, step - n + 1, (step - band + 1) // 2), min(n - 1, step, (step + band) // 2)
        rows, above = slice(low + 1, high + 2), slice(low, high + 1)
        difference = left[:, low : high + 1] - right[:, n - 1 - step + low : n - step + high]
        np.minimum(last[rows], last[above], out=cost[rows])
        np.minimum(cost[rows], before[above], out=cost[rows])
        cost[rows] += np.einsum("ctp,ctp->tp", difference, difference)
        cost[low] = cost[high + 2] = np.inf  # what an older diagonal left beside this one
        before, last, cost = last, cost, before
    return np.sqrt(last[n])
