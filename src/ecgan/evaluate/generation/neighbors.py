"""Nearest neighbors: do generated series lie among the real ones, and are all real ones met, or only copied?

Distances are Euclidean between flattened series. Everything comes as one value for each series, so that means and their
bootstrap follow from it; resampling the sets themselves would make series their own neighbors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ecgan.evaluate.generation.distances import paired_distances, row_blocks
from ecgan.evaluate.generation.resampling import NAN
from ecgan.types import BoolArray, FloatArray, IntArray

K = 5


@dataclass(frozen=True)
class Agreement:
    """How two sets lie to each other, one value for each series; NaN where a set has no more than k series.

    Attributes:
        precision: (M,) 1 where a generated series lies in the ball around any real one, 0 elsewhere (Kynkaanniemi et
            al., 2019, arXiv:1904.06991).
        recall: (N,) 1 where a real series lies in the ball around any generated one, 0 elsewhere.
        density: (M,) number of real balls around a generated series, divided by k (Naeem et al., 2020,
            arXiv:2002.09797); 1 in the mean for equal distributions, and above 1 where series crowd together.
        coverage: (N,) 1 where the ball of a real series holds any generated one, 0 elsewhere.
    """

    precision: FloatArray
    recall: FloatArray
    density: FloatArray
    coverage: FloatArray


class Neighborhood:
    """A set of series, each with the ball that reaches to its k-th nearest neighbor within the set.

    Args:
        x: series (N, C, T).
        k: neighbors.
    """

    def __init__(self, x: FloatArray, k: int = K) -> None:
        self.x, self.k = x, k

    @cached_property
    def radius(self) -> FloatArray:
        """Distance of each series to its k-th neighbor: (N,)."""
        return nearest(self.x, self.x, self.k, same=True)[0][:, -1]


def agreement(real: Neighborhood, generated: Neighborhood) -> Agreement:
    """Precision, recall, density and coverage of generated series (M) against real ones (N)."""
    n, m = len(real.x), len(generated.x)
    if n <= real.k or m <= generated.k:
        return Agreement(np.full(m, NAN), np.full(n, NAN), np.full(m, NAN), np.full(n, NAN))
    around = np.zeros(m)
    recalled, covered = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    real_squared, generated_squared = real.radius**2, generated.radius**2
    for rows, squared in row_blocks(generated.x, real.x):
        in_real = squared <= real_squared
        around[rows] = in_real.sum(1)
        covered |= in_real.any(0)
        recalled |= (squared <= generated_squared[rows, None]).any(0)
    return Agreement(
        (around > 0).astype(np.float64), recalled.astype(np.float64), around / real.k, covered.astype(np.float64)
    )


def nearest(x: FloatArray, y: FloatArray, k: int = 1, *, same: bool = False) -> tuple[FloatArray, IntArray]:
    """The k nearest series of y for each of x.

    Args:
        x: series (N, C, T).
        y: series (M, C, T), M at least k.
        k: neighbors.
        same: y is x, and no series is its own neighbor.

    Returns:
        Distances (N, k) in ascending order, float64, and the indices of the neighbors in y. Neighbors are found by
        matrix products in single precision, their distances then computed from differences: exactly 0 for a copy.
    """
    distance, index = np.empty((len(x), k)), np.empty((len(x), k), np.int64)
    for rows, squared in row_blocks(x, y):
        if same:
            np.fill_diagonal(squared[:, rows], np.inf)
        found = squared.argmin(1)[:, None] if k == 1 else np.argpartition(squared, k - 1, axis=1)[:, :k]
        exact = np.stack([paired_distances(x[rows], y[found[:, i]]) for i in range(k)], axis=1)
        order = exact.argsort(1, kind="stable")
        distance[rows], index[rows] = np.take_along_axis(exact, order, 1), np.take_along_axis(found, order, 1)
    return distance, index


@dataclass(frozen=True)
class Memory:
    """How much was learned by heart.

    Attributes:
        memorized: (M,) whether a generated series lies as near to a training series as few held-out ones do.
        threshold: the distance that counts as near.
        reference: share of held-out series that are as near, by thresholds from their other half.
    """

    memorized: BoolArray
    threshold: float
    reference: float


def memory(
    train: Iterable[FloatArray], held_out: FloatArray, generated: FloatArray, quantile: float = 0.05, seed: int = 0
) -> Memory:
    """Which generated series are suspiciously near to the training series.

    A series is memorized when the distance to its nearest training series is no more than a low quantile of that
    distance among held-out series, which nobody can have learned by heart. A generator that draws from the real
    distribution has a share of about ``quantile``; a set of copies has 1. The share alone is no proof: series that are
    smoother than real ones lie near to them, too.

    Args:
        train: all series the generator has seen, in pieces (n, C, T).
        held_out: real series (H, C, T) it has not seen.
        generated: series (M, C, T).
        quantile: share of held-out series that count as near.
        seed: of the division of the held-out series into halves.
    """
    real, fake = np.full(len(held_out), np.inf), np.full(len(generated), np.inf)
    for piece in train:
        real = np.minimum(real, nearest(held_out, piece)[0][:, 0])
        fake = np.minimum(fake, nearest(generated, piece)[0][:, 0])
    threshold = float(np.quantile(real, quantile))
    mixed = np.random.default_rng(seed).permutation(real)
    halves = mixed[::2], mixed[1::2]
    shares = [(a <= np.quantile(b, quantile)).mean() for a, b in (halves, halves[::-1]) if len(a) and len(b)]
    return Memory(fake <= threshold, threshold, float(np.mean(shares)) if shares else NAN)
