"""Precision, recall, density and coverage against naive loops and expectations, and the memorization check."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from ecgan.evaluate.generation import distances
from ecgan.evaluate.generation.neighbors import Neighborhood, agreement, memory, nearest
from ecgan.types import FloatArray


def normal(n: int, seed: int, shift: float = 0.0) -> FloatArray:
    return (np.random.default_rng(seed).normal(size=(n, 1, 12)) + shift).astype(np.float32)


@pytest.fixture(params=[8_000_000, 100], ids=["one block", "blocks of few rows"])
def cells(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "CELLS", request.param)
    monkeypatch.setattr(distances, "COLUMNS", min(1024, request.param // 4))


def apart(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.sqrt(((x[:, None].astype(np.float64) - y[None]) ** 2).sum((2, 3)))


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize("k", [1, 3])
def test_nearest_are_those_of_scikit_learn(k: int) -> None:
    x, y = normal(31, 0, 50), normal(47, 1, 50)
    expected = NearestNeighbors(n_neighbors=k).fit(y.reshape(47, -1).astype(np.float64)).kneighbors(x.reshape(31, -1))
    distance, index = nearest(x, y, k)
    np.testing.assert_array_equal(index, expected[1])
    np.testing.assert_allclose(distance, expected[0], rtol=1e-6)
    inner = NearestNeighbors(n_neighbors=k).fit(x.reshape(31, -1)).kneighbors()  # without itself
    np.testing.assert_array_equal(nearest(x, x, k, same=True)[1], inner[1])


def test_a_copy_has_distance_zero() -> None:
    y = normal(20, 0, 1000)
    assert (nearest(y[3:6], y)[0] == 0).all()


@pytest.mark.usefixtures("cells")
def test_naive_loops() -> None:
    x, y, k = normal(40, 0), normal(30, 1, 0.5), 3
    real_radius = np.sort(apart(x, x), axis=1)[:, k]  # column 0 is the series itself
    generated_radius = np.sort(apart(y, y), axis=1)[:, k]
    d = apart(x, y)
    found = agreement(Neighborhood(x, k), Neighborhood(y, k))
    np.testing.assert_array_equal(
        found.precision, [any(d[i, j] <= real_radius[i] for i in range(40)) for j in range(30)]
    )
    np.testing.assert_array_equal(
        found.recall, [any(d[i, j] <= generated_radius[j] for j in range(30)) for i in range(40)]
    )
    np.testing.assert_allclose(found.density, [sum(d[:, j] <= real_radius) / k for j in range(30)])
    np.testing.assert_array_equal(
        found.coverage, [any(d[i, j] <= real_radius[i] for j in range(30)) for i in range(40)]
    )
    assert 0 < found.precision.mean() < 1, "a case in which everything is inside tells nothing"
    assert 0 < found.coverage.mean() < 1


def test_expectations_for_equal_distributions() -> None:
    """Naeem et al. (2020): density has mean 1; coverage depends on both sizes and k alone."""
    n, m, k = 60, 40, 5
    found = [agreement(Neighborhood(normal(n, 2 * i)), Neighborhood(normal(m, 2 * i + 1))) for i in range(150)]
    density, coverage = (np.array([getattr(f, name).mean() for f in found]) for name in ("density", "coverage"))
    expected = 1 - np.prod([(n - i) / (n + m - i) for i in range(1, k + 1)])
    assert abs(density.mean() - 1) < 4 * density.std() / np.sqrt(150)
    assert abs(coverage.mean() - expected) < 4 * coverage.std() / np.sqrt(150)


def test_one_repeated_sample_has_neither_recall_nor_coverage() -> None:
    real = normal(300, 0)
    center = real[np.linalg.norm(real.reshape(300, -1), axis=1).argmin()][None]
    found = agreement(Neighborhood(real), Neighborhood(np.repeat(center + 0.01, 300, axis=0)))
    assert found.precision.mean() == 1, "the sample itself is a good one"
    assert found.recall.mean() < 0.02
    assert found.coverage.mean() < 0.2
    good = agreement(Neighborhood(real), Neighborhood(normal(300, 1)))
    assert min(good.recall.mean(), good.coverage.mean()) > 0.8


def test_far_away_series_have_none_of_all() -> None:
    found = agreement(Neighborhood(normal(50, 0)), Neighborhood(normal(40, 1, 100)))
    assert [getattr(found, name).mean() for name in ("precision", "recall", "density", "coverage")] == [0, 0, 0, 0]


def test_too_few_series_are_undefined() -> None:
    found = agreement(Neighborhood(normal(5, 0)), Neighborhood(normal(20, 1)))
    assert np.isnan(found.precision).all()
    assert np.isnan(found.coverage).all()
    assert (len(found.precision), len(found.recall)) == (20, 5)


def test_copies_of_the_training_series_are_memorized() -> None:
    train, held_out = normal(400, 0), normal(300, 1)
    copies = train[np.random.default_rng(2).integers(400, size=200)]
    nearly = copies + np.random.default_rng(3).normal(0, 0.05, copies.shape).astype(np.float32)
    assert memory([train], held_out, copies).memorized.all()
    assert memory([train], held_out, nearly).memorized.mean() > 0.99
    mixture = np.concatenate([copies[:50], normal(150, 4, 10)])
    assert memory([train], held_out, mixture).memorized.mean() == 0.25


def test_other_series_of_the_distribution_are_memorized_as_rarely_as_held_out_ones() -> None:
    found = [memory([normal(200, 3 * i)], normal(200, 3 * i + 1), normal(200, 3 * i + 2), seed=i) for i in range(20)]
    assert np.mean([f.memorized.mean() for f in found]) == pytest.approx(0.05, abs=0.015)
    assert np.mean([f.reference for f in found]) == pytest.approx(0.05, abs=0.015)


def test_memory_against_a_naive_loop() -> None:
    train, held_out, generated = normal(50, 0), normal(40, 1), normal(30, 2, 0.1)
    threshold = np.quantile([min(np.linalg.norm(h - t) for t in train) for h in held_out], 0.3)
    found = memory([train], held_out, generated, quantile=0.3)
    assert found.threshold == pytest.approx(threshold, rel=1e-5)
    near = [min(np.linalg.norm(g - t) for t in train) <= threshold for g in generated]
    np.testing.assert_array_equal(found.memorized, near)
    assert 0 < np.mean(near) < 1
