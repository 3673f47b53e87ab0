"""Bootstrap by counts, and intervals."""

from __future__ import annotations

import numpy as np
import pytest

from ecgan.evaluate.generation.resampling import counts, interval, weighted_means


def test_counts_are_multinomial() -> None:
    drawn = counts(30, 4000, seed=0)
    assert drawn.shape == (30, 4000)
    assert (drawn.sum(0) == 30).all()
    np.testing.assert_allclose(drawn.mean(1), 1, atol=0.1)
    np.testing.assert_allclose(drawn.var(1), 1 - 1 / 30, atol=0.15)
    np.testing.assert_array_equal(drawn, counts(30, 4000, seed=0))
    assert (drawn != counts(30, 4000, seed=1)).any()


def test_weighted_means_are_means_of_resampled_values() -> None:
    values = np.random.default_rng(0).normal(size=(12, 2, 3))
    times = counts(12, 5, seed=2).astype(int)
    expected = [np.repeat(values, times[:, i], axis=0).mean(0) for i in range(5)]
    np.testing.assert_allclose(weighted_means(values, 5, seed=2), expected)


def test_interval_of_a_mean_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for i in range(300):
        sample = np.random.default_rng(i).exponential(size=80)
        low, high = interval(float(sample.mean()), weighted_means(sample, 200, seed=i))
        covered += low <= 1 <= high
    assert 0.88 <= covered / 300 <= 0.98


def test_interval_lies_around_the_value_and_within_its_range() -> None:
    biased = np.random.default_rng(0).normal(7, 1, 5000)
    low, high = interval(5.0, biased)
    assert (low, high) == pytest.approx((5 - 1.96, 5 + 1.96), abs=0.1)
    assert interval(0.5, biased, least=0, most=1) == (0, 1)


def test_undefined_interval_is_nan() -> None:
    nan = float("nan")
    for ends in (interval(nan, np.ones(3)), interval(1.0, np.empty(0)), interval(1.0, np.full(3, nan))):
        assert np.isnan(ends).all()
    assert interval(1.0, np.array([nan, 1.0, 1.0])) == (1, 1)
