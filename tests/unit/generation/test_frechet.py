"""Frechet distance against closed forms and scipy's matrix root."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from ecgan.evaluate.generation.frechet import between, frechet, frechet_replicates, gaussian
from ecgan.evaluate.generation.resampling import counts
from ecgan.types import FloatArray


def normal(n: int, dims: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dims)) @ rng.normal(size=(dims, dims)) + rng.normal(size=dims)


def test_one_dimension_in_closed_form() -> None:
    x, y = np.array([[0.0], [2.0], [4.0]]), np.array([[10.0], [11.0]])
    deviations = 2.0, np.sqrt(0.5)
    assert frechet(x, y) == pytest.approx((2 - 10.5) ** 2 + (deviations[0] - deviations[1]) ** 2)


def test_diagonal_covariances_in_closed_form() -> None:
    x = np.zeros(3), np.diag([1.0, 4.0, 9.0])
    y = np.array([1.0, 2.0, 2.0]), np.diag([4.0, 4.0, 1.0])
    assert between(x, y) == pytest.approx(9 + 1 + 0 + 4)


@pytest.mark.parametrize("dims", [2, 7])
def test_scipys_matrix_root(dims: int) -> None:
    x, y = normal(50, dims, 0), normal(60, dims, 1)
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cov_x + cov_y - 2 * np.real(sqrtm(cov_x @ cov_y)))
    assert frechet(x, y) == pytest.approx(expected, rel=1e-9)
    assert frechet(y, x) == pytest.approx(expected, rel=1e-9)


def test_singular_covariances() -> None:
    x = normal(5, 12, 0)
    assert frechet(x, x) == pytest.approx(0, abs=1e-12 * np.trace(np.cov(x, rowvar=False)) * 12)
    assert frechet(x, x + 2) == pytest.approx(4 * 12)
    point = np.repeat(x[:1], 9, axis=0)
    spread = np.trace(np.cov(x, rowvar=False))
    assert frechet(point, x) == pytest.approx(((x[0] - x.mean(0)) ** 2).sum() + spread)


def test_undefined_is_nan() -> None:
    assert np.isnan(frechet(normal(1, 3, 0), normal(9, 3, 1)))
    assert np.isnan(frechet(np.empty((9, 0)), np.empty((9, 0))))
    assert np.isnan(frechet_replicates(normal(1, 3, 0), normal(9, 3, 1), 4)).sum() == 4


def test_weights_count_rows() -> None:
    x = normal(6, 3, 0)
    times = np.array([0, 2, 1, 0, 3, 1])
    mean, covariance = gaussian(x, times)
    np.testing.assert_allclose(mean, np.repeat(x, times, axis=0).mean(0))
    np.testing.assert_allclose(covariance, np.cov(x, rowvar=False, fweights=times))


def test_replicates_are_distances_of_resampled_sets() -> None:
    x, y = normal(20, 3, 0), normal(15, 3, 1)
    w, v = counts(20, 5, 7).astype(int), counts(15, 5, 8).astype(int)
    expected = [frechet(np.repeat(x, w[:, i], axis=0), np.repeat(y, v[:, i], axis=0)) for i in range(5)]
    np.testing.assert_allclose(frechet_replicates(x, y, 5, seed=7), expected, rtol=1e-8)
