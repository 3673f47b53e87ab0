"""The plane is that of the training series, and others are put into it."""

from __future__ import annotations

import numpy as np
import pytest

from ecgan.errors import DataError
from ecgan.evaluate.embed import METHODS, project
from ecgan.types import FloatArray


def two_clouds(n: int, seed: int, shift: float = 0.0) -> FloatArray:
    """(n, 2, 15): two groups of series that lie far from each other."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 0.3, (n, 2, 15))
    x[::2, :, :5] += 4
    return x.astype(np.float32)


def test_pca_is_that_of_the_training_series() -> None:
    """Against the singular value decomposition; the sign of an axis is free."""
    train, other = two_clouds(60, 0), two_clouds(20, 1, 3.0)
    points, (projected,) = project(train, [other], "pca")
    flat = train.reshape(60, -1).astype(np.float64)
    axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:2]
    for found, x in ((points, flat), (projected, other.reshape(20, -1))):
        expected = (x - flat.mean(0)) @ axes.T
        sign = np.sign((found * expected).sum(0))
        assert np.allclose(found, expected * sign, atol=1e-3)


def test_others_do_not_change_the_plane() -> None:
    train, other = two_clouds(60, 0), two_clouds(30, 1)
    alone, _ = project(train, [])
    points, (first, second) = project(train, [other, other + 100])
    assert np.array_equal(alone, points)
    assert np.array_equal(first, project(train, [other])[1][0])
    assert np.abs(second).max() > np.abs(first).max()


def test_features_are_projected_like_series() -> None:
    train, other = two_clouds(60, 0), two_clouds(30, 1)
    flat = project(train.reshape(60, -1), [other.reshape(30, -1)])
    assert np.array_equal(flat[0], project(train, [other])[0])


def test_the_same_seed_gives_the_same_plane_of_many_values() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(600, 3, 400)).astype(np.float32)  # so many that the axes are found by random projections
    first, second = (project(train, [train[:5]], seed=4) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1][0], second[1][0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0, 1, 20), (2, 1, 20), (50, 1, 1)])
def test_too_few_training_series_are_refused(method: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match="span no plane"):
        project(np.zeros(shape, np.float32), [], method)  # type: ignore[arg-type]


def test_nothing_to_project_gives_no_points() -> None:
    _, (none,) = project(two_clouds(20, 0), [np.zeros((0, 2, 15), np.float32)])
    assert none.shape == (0, 2)


def test_umap_keeps_neighbors_together_and_its_plane() -> None:
    """One test, since UMAP compiles for many seconds."""
    train, other = two_clouds(80, 0), two_clouds(30, 1)
    points, (projected, copied, none) = project(train, [other, train, train[:0]], "umap", seed=3)
    assert (points.shape, projected.shape, none.shape) == ((80, 2), (30, 2), (0, 2))
    centers = np.stack([points[::2].mean(0), points[1::2].mean(0)])
    for cloud in (points, projected, copied):
        nearest = ((cloud[:, None] - centers) ** 2).sum(-1).argmin(1)
        assert nearest.tolist() == [i % 2 for i in range(len(cloud))]
    again, (projected_again,) = project(train, [other], "umap", seed=3)
    assert np.array_equal(points, again)
    assert np.array_equal(projected, projected_again)
    few, _ = project(train[:5], [], "umap")  # fewer than the neighbors that it asks for
    assert few.shape == (5, 2)
