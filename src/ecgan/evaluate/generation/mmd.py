"""Squared maximum mean discrepancy: 0 where two sets come from one distribution, larger the more they differ.

Unbiased U-statistic (Gretton et al., 2012, JMLR 13:723-773, lemma 6), so that it is negative about as often as positive
where nothing differs. The kernel is the mean of Gaussian kernels at several multiples of the median distance within a
reference of real series. Everything is summed over blocks of the kernel matrix, which is never in memory as a whole.
"""

from __future__ import annotations

import numpy as np

from ecgan.evaluate.generation.distances import flattened, mean_series, squared_distances
from ecgan.evaluate.generation.resampling import LEAST, NAN, counts
from ecgan.types import FloatArray, IntArray

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
BLOCK = 1024
MEDIAN_OF = 1000
"""Series of the reference between which the median distance is taken."""


class Kernel:
    """Mean of Gaussian kernels exp(-d^2 / 2 (scale x median)^2) of the Euclidean distance d between flattened series.

    The bandwidths belong to the real reference, not to what is judged: a generator must not choose its own yardstick.
    They are NaN where all series of the reference are equal, and so is everything computed with them.

    Args:
        reference: real series (N, C, T), usually the training part.
        scales: multiples of the median distance.
        seed: of the choice of at most 1,000 series for the median.
    """

    def __init__(self, reference: FloatArray, scales: tuple[float, ...] = SCALES, seed: int = 0) -> None:
        chosen = np.random.default_rng(seed).permutation(len(reference))[:MEDIAN_OF]
        some = flattened(reference[chosen])
        self.center = mean_series(some)
        pairs = np.triu_indices(len(some), 1)
        squared = squared_distances(some - self.center, some - self.center)[pairs]
        positive = squared[squared > 0]
        median = float(np.median(squared)) if len(squared) else 0.0
        if median == 0 and len(positive):  # most series are equal
            median = float(positive.mean())
        self.median = float(np.sqrt(median)) if median > 0 else NAN
        self.scales = scales
        self.typical = float(self(some, some)[pairs].mean()) if len(positive) else 0.0

    def __call__(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Kernel matrix of flattened series (N, D) and (M, D): (N, M) float32."""
        squared = squared_distances(x - self.center, y - self.center)
        total = np.zeros_like(squared)
        for scale in self.scales:
            total += np.exp(squared * np.float32(-0.5 / (scale * self.median) ** 2))
        total /= len(self.scales)
        return total


def mmd2(kernel: Kernel, x: FloatArray, y: FloatArray) -> float:
    """Squared MMD between series (N, C, T) and (M, C, T); NaN with fewer than two on a side."""
    value: float = _statistic(kernel, x, y, np.ones((len(x), 1), np.float32), np.ones((len(y), 1), np.float32))[0]
    return float(value)


def class_mmd(real: FloatArray, generated: FloatArray, label: IntArray) -> float:
    """Mean over classes of the squared MMD, weighted by class size, so that each class must look like itself.

    Args:
        real: (N, C, T).
        generated: (N, C, T), series i of the class of real series i.
        label: (N,) classes; those with a single series are left out.
    """
    kernel = Kernel(real)
    sizes = {int(c): int((label == c).sum()) for c in np.unique(label)}
    kept = {c: size for c, size in sizes.items() if size > 1}
    if not kept:
        return NAN
    values = [mmd2(kernel, real[label == c], generated[label == c]) * size for c, size in kept.items()]
    return float(sum(values) / sum(kept.values()))


def mmd2_replicates(kernel: Kernel, x: FloatArray, y: FloatArray, draws: int, seed: int = 0) -> FloatArray:
    """Squared MMD of resampled sets: (draws,).

    Resampling with repetition as such is biased upwards: a series that is drawn twice forms a pair with kernel value 1,
    which the U-statistic takes for two different series that are equal; it adds about (1 - E k) (1/N + 1/M). Here a
    series has the count of its draws as weight, and pairs of a series with itself stay out, so that the replicates
    scatter around the statistic. Where both distributions are equal the statistic is degenerate, and the replicates
    scatter more than it does (Arcones and Gine, 1992, Ann. Stat. 20:655-674): intervals are then too wide.
    """
    return _statistic(kernel, x, y, counts(len(x), draws, seed), counts(len(y), draws, seed + 1))


def permutation_quantile(
    kernel: Kernel, x: FloatArray, y: FloatArray, q: float = 0.95, n: int = 200, seed: int = 0
) -> float:
    """Quantile q of the squared MMD when who belongs to x and who to y is left to chance.

    With real series on both sides: what a perfect generator would stay under with probability q.

    Args:
        kernel: the kernel of the MMD to be compared.
        x: series (N, C, T).
        y: series (M, C, T).
        q: quantile.
        n: number of random divisions.
        seed: of the divisions.
    """
    both = np.concatenate([x, y])
    if min(len(x), len(y)) < LEAST:
        return NAN
    rng = np.random.default_rng(seed)
    first = np.zeros((len(both), n), np.float32)
    first[: len(x)] = 1
    first = rng.permuted(first, axis=0)
    sums = _sums(kernel, both, np.hstack([first, 1 - first, np.ones_like(first[:, :1])]))
    within_x, within_y, total = sums[:n], sums[n:-1], sums[-1]
    mean_x, mean_y = within_x / (len(x) * (len(x) - 1)), within_y / (len(y) * (len(y) - 1))
    return float(np.quantile(mean_x + mean_y - (total - within_x - within_y) / (len(x) * len(y)), q))


def _statistic(kernel: Kernel, x: FloatArray, y: FloatArray, w: FloatArray, v: FloatArray) -> FloatArray:
    """Weighted U-statistic for each column of the weights (N, W) and (M, W): (W,)."""
    if min(len(x), len(y)) < LEAST:
        return np.full(w.shape[1], NAN)
    within_x = _mean_of_pairs(_sums(kernel, x, w), w)
    within_y = _mean_of_pairs(_sums(kernel, y, v), v)
    across: FloatArray = _sums(kernel, x, w, y, v) / (w.sum(0, dtype=np.float64) * v.sum(0, dtype=np.float64))
    return within_x + within_y - 2 * across


def _mean_of_pairs(sums: FloatArray, w: FloatArray) -> FloatArray:
    w = w.astype(np.float64)
    pairs = w.sum(0) ** 2 - (w**2).sum(0)  # of different series: 0 when one series was drawn every time
    mean: FloatArray = np.divide(sums, pairs, out=np.full(len(sums), NAN), where=pairs > 0)
    return mean


def _sums(
    kernel: Kernel, x: FloatArray, w: FloatArray, y: FloatArray | None = None, v: FloatArray | None = None
) -> FloatArray:
    """Sum of w_i k(x_i, y_j) v_j for each column of the weights: (W,) float64; without y over pairs of different x.

    The kernel's typical value is taken off everywhere. That cancels in the statistic and spares digits.
    """
    same = y is None or v is None
    right, factor = (x, w) if y is None or v is None else (y, v)
    total = np.zeros(w.shape[1])
    for i in range(0, len(x), BLOCK):
        rows = flattened(x[i : i + BLOCK])
        for j in range(i if same else 0, len(right), BLOCK):
            block = kernel(rows, flattened(right[j : j + BLOCK])) - np.float32(kernel.typical)
            if same and i == j:
                np.fill_diagonal(block, 0)
            part = np.einsum("nw,nw->w", w[i : i + BLOCK], block @ factor[j : j + BLOCK], dtype=np.float64)
            total += part * (2 if same and i != j else 1)  # the matrix is symmetric
    return total
