"""Frechet distance between the Gaussians that have the means and covariances of two sets of embedded series.

d^2 = |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)), with means m and covariances S (Dowson and Landau, 1982,
doi:10.1016/0047-259X(82)90077-X), over an embedding as in Heusel et al. (2017, arXiv:1706.08500). It is biased upwards
in small samples, so only values of equal sizes compare.
"""

from __future__ import annotations

import numpy as np

from ecgan.evaluate.generation.resampling import LEAST, NAN, counts
from ecgan.types import FloatArray

Gaussian = tuple[FloatArray, FloatArray]
"""Mean (..., D) and covariance (..., D, D)."""


def frechet(x: FloatArray, y: FloatArray) -> float:
    """Squared Frechet distance between embedded series (N, D) and (M, D); NaN with fewer than two on a side."""
    if min(len(x), len(y)) < LEAST or not x.shape[1]:
        return NAN
    return float(between(gaussian(x), gaussian(y)))


def frechet_replicates(x: FloatArray, y: FloatArray, draws: int, seed: int = 0) -> FloatArray:
    """Squared Frechet distance of resampled sets: (draws,)."""
    if min(len(x), len(y)) < LEAST or not x.shape[1]:
        return np.full(draws, NAN)
    return between(_resampled(x, counts(len(x), draws, seed)), _resampled(y, counts(len(y), draws, seed + 1)))


def gaussian(x: FloatArray, weight: FloatArray | None = None) -> Gaussian:
    """Mean and unbiased covariance of (N, D), each row counted ``weight`` (N,) times."""
    x = x.astype(np.float64)
    weight = np.ones(len(x)) if weight is None else weight.astype(np.float64)
    mean = weight @ x / weight.sum()
    centered = x - mean
    return mean, (centered * weight[:, None]).T @ centered / (weight.sum() - 1)


def between(x: Gaussian, y: Gaussian) -> FloatArray:
    """Squared Frechet distance between Gaussians, or between stacks of them: (...,).

    With roots R R' = S from eigenvalues, the trace of (S_x S_y)^(1/2) is the sum of the singular values of R_x' R_y.
    That needs no root of an asymmetric matrix and holds for singular covariances.
    """
    (mean_x, cov_x), (mean_y, cov_y) = x, y
    cross = np.linalg.svd(np.swapaxes(_root(cov_x), -1, -2) @ _root(cov_y), compute_uv=False).sum(-1)
    spread = np.trace(cov_x, axis1=-2, axis2=-1) + np.trace(cov_y, axis1=-2, axis2=-1) - 2 * cross
    squared: FloatArray = np.maximum(((mean_x - mean_y) ** 2).sum(-1) + spread, 0)
    return squared


def _root(covariance: FloatArray) -> FloatArray:
    variances, directions = np.linalg.eigh(covariance)
    root: FloatArray = directions * np.sqrt(np.maximum(variances, 0))[..., None, :]
    return root


def _resampled(x: FloatArray, weights: FloatArray) -> Gaussian:
    means, covariances = zip(*(gaussian(x, weight) for weight in weights.T), strict=True)
    return np.stack(means), np.stack(covariances)
