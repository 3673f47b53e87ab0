"""Distances between series in blocks, so that no matrix of all pairs stands in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ecgan.types import FloatArray

COLUMNS = 1024
ROWS = 1024
CELLS = 8_000_000
"""Distances in memory at a time."""


def flattened(x: FloatArray) -> FloatArray:
    """Series (N, C, T) as vectors (N, C * T) float32."""
    return np.asarray(x, np.float32).reshape(len(x), -1)


def mean_series(x: FloatArray) -> FloatArray:
    """Mean of at most 1,000 of the series, (C * T,) float32, to be taken off before `squared_distances`."""
    mean: FloatArray = flattened(x[:1000]).mean(0, dtype=np.float64).astype(np.float32)
    return mean


def squared_distances(x: FloatArray, y: FloatArray) -> FloatArray:
    """Squared Euclidean distances between vectors (N, D) and (M, D), by a matrix product: (N, M).

    Digits are lost where the vectors are long compared with their distances; take off a common mean first.
    """
    squared = x @ y.T
    squared *= -2
    squared += np.einsum("ij,ij->i", x, x)[:, None]
    squared += np.einsum("ij,ij->i", y, y)
    return np.maximum(squared, 0, out=squared)


def row_blocks(x: FloatArray, y: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Squared distances of some series of x (N, C, T) to all of y (M, C, T) at a time: (rows, M) float32."""
    center = mean_series(y)
    step = min(ROWS, max(1, CELLS // len(y)))
    for i in range(0, len(x), step):
        left = flattened(x[i : i + step]) - center
        squared = np.empty((len(left), len(y)), np.float32)
        for j in range(0, len(y), COLUMNS):
            squared[:, j : j + COLUMNS] = squared_distances(left, flattened(y[j : j + COLUMNS]) - center)
        yield slice(i, i + len(left)), squared


def paired_distances(x: FloatArray, y: FloatArray) -> FloatArray:
    """Euclidean distance of the n-th series of x to the n-th of y, by differences, so 0 for copies: (N,) float64."""
    difference = flattened(x) - flattened(y)
    distance: FloatArray = np.sqrt(np.einsum("ij,ij->i", difference, difference, dtype=np.float64))
    return distance
