"""Imputing: by straight lines in time, or from moments at which the other channels are alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import KNNImputer

from ecgan.errors import ConfigError
from ecgan.preprocess.clean import Clean
from ecgan.preprocess.impute import Impute
from ecgan.types import FloatArray, Recordings

NAN = np.nan


def imputed(x: FloatArray | list[FloatArray], step: Impute | None = None) -> Recordings:
    return (step or Impute(max_missing=1))(Recordings(x, np.arange(len(x)), 100.0, "mV", group=np.arange(len(x))))


def test_gaps_are_bridged_by_lines_and_ends_take_the_nearest_value() -> None:
    x = np.array([[[NAN, NAN, 1, NAN, NAN, 4, NAN]], [[5, NAN, NAN, NAN, 9, 9, 9]]], np.float32)
    expected = [[[1, 1, 1, 2, 3, 4, 4]], [[5, 6, 7, 8, 9, 9, 9]]]
    assert np.asarray(imputed(x).x).tolist() == expected


def test_one_known_value_fills_its_channel() -> None:
    x = np.full((1, 2, 5), NAN, np.float32)
    x[0, 0, 4], x[0, 1, 0] = 3, -2
    assert np.asarray(imputed(x).x).tolist() == [[[3] * 5, [-2] * 5]]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 0.95))
def test_lines_agree_with_numpy_channel_by_channel(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(6, 3, 40))
    x[rng.random(x.shape) < share] = NAN
    x[..., 17] = 1  # no channel is empty
    result = np.asarray(imputed(x).x)
    time = np.arange(40)
    for filled, channel in zip(result.reshape(-1, 40), x.reshape(-1, 40), strict=True):
        known = ~np.isnan(channel)
        assert np.allclose(filled, np.interp(time, time[known], channel[known]), atol=1e-12)
        assert np.array_equal(filled[known], channel[known]), "known values stay to the last bit"


@pytest.mark.parametrize("method", ["linear", "knn"])
def test_a_channel_without_any_value_drops_its_series(method: str) -> None:
    x = np.random.default_rng(0).normal(size=(4, 2, 30)).astype(np.float32)
    x[1, 0] = NAN
    x[2, 1, :5] = NAN
    result = imputed(x, Impute(method, max_missing=1))  # type: ignore[arg-type]
    assert result.y.tolist() == [0, 2, 3]
    assert result.dropped == {"a channel without any value": 1}
    assert np.isfinite(result.x).all()


def test_lists_of_series_are_filled_each_in_its_length() -> None:
    x = [np.array([[0, NAN, 2]], np.float32), np.array([[NAN, 1, NAN, 3]], np.float32), np.empty((1, 0), np.float32)]
    result = imputed(x)
    assert [series.tolist() for series in result.x] == [[[0, 1, 2]], [[1, 1, 2, 3]]]
    assert result.dropped == {"a channel without any value": 1}


def test_neighbors_agree_with_scikit_learn_where_each_gap_has_some() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 3, 60)).astype(np.float32)
    for series in x:
        moments = rng.choice(60, 20, replace=False)
        series[rng.integers(0, 3, 20), moments] = NAN  # one channel of a moment, so the others tell
    result = np.asarray(imputed(x, Impute("knn", 4)).x)
    for filled, series in zip(result, x, strict=True):
        assert np.allclose(filled, KNNImputer(n_neighbors=4).fit_transform(series.T).T, atol=1e-6)


def test_neighbors_recover_a_channel_that_follows_another_where_lines_cannot() -> None:
    t = np.arange(400)
    lead = np.sin(2 * np.pi * t / 50)
    x = np.stack([lead, lead**3 + 2])[None].astype(np.float32)
    truth = x.copy()
    x[0, 1, 110:150] = NAN  # most of a period
    by_neighbors = np.asarray(imputed(x, Impute("knn", 2)).x)
    by_lines = np.asarray(imputed(x).x)
    assert np.abs(by_neighbors - truth).max() < 1e-3
    assert np.abs(by_lines - truth).max() > 0.5


def test_where_no_moment_compares_lines_take_over() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(1, 2, 30)).astype(np.float32)
    x[0, :, 10:14] = NAN  # both channels are missing: scikit-learn would put the mean there
    assert np.array_equal(np.asarray(imputed(x, Impute("knn", max_missing=1)).x), np.asarray(imputed(x).x))
    single = x[:, :1].copy()
    assert np.array_equal(np.asarray(imputed(single, Impute("knn", max_missing=1)).x), np.asarray(imputed(single).x))
    never = x.copy()
    never[0, 0, :15], never[0, 1, 15:] = NAN, NAN  # no moment knows both
    assert np.array_equal(np.asarray(imputed(never, Impute("knn", max_missing=1)).x), np.asarray(imputed(never).x))


@pytest.mark.parametrize("ragged", [False, True])
def test_series_with_much_missing_are_dropped_and_counted(ragged: bool) -> None:
    x = np.random.default_rng(0).normal(size=(5, 2, 50)).astype(np.float32)
    x[1, 1, :10] = NAN  # a fifth, which is not more than a fifth
    x[2, 1, ::4] = NAN
    x[4, 0] = NAN
    result = imputed(list(x) if ragged else x, Impute())
    assert result.y.tolist() == [0, 1, 3]
    assert result.dropped == {"a channel without any value": 1, "more than 20 % missing in a channel": 1}
    assert imputed(x, Impute(max_missing=1)).y.tolist() == [0, 1, 2, 3]
    assert imputed(x, Impute(max_missing=0)).y.tolist() == [0, 3]


def test_before_clean_it_drops_what_clean_would_have_dropped() -> None:
    x = np.random.default_rng(0).normal(size=(4, 1, 40)).astype(np.float32)
    x[2, 0, :30] = NAN
    given = Recordings(x, np.arange(4), 100.0, "mV")
    one, other = Clean()(Impute()(given)), Impute()(Clean()(given))
    assert np.array_equal(np.asarray(one.x), np.asarray(other.x))
    assert one.dropped == other.dropped == {"more than 20 % missing in a channel": 1}


@pytest.mark.parametrize("share", [-0.1, 1.1, NAN])
def test_only_shares_are_taken(share: float) -> None:
    with pytest.raises(ConfigError, match="a share from 0 to 1 as max_missing"):
        Impute(max_missing=share)
