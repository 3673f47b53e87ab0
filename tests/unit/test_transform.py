"""Scaling against scikit-learn, and fitted on the training part only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler, minmax_scale

from ecgan.data.datamodule import DataModule
from ecgan.data.store import Store
from ecgan.data.transform import Identity, MinMax, PerSeries, Standard, Transform
from ecgan.errors import DataError
from ecgan.types import FloatArray, Fold

few = settings(max_examples=30, deadline=None, derandomize=True)


def example(n: int = 40, channels: int = 3, length: int = 20, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-2, 2, (1, channels, 1))
    return (rng.normal(0, 1, (n, channels, length)) * scale + rng.normal(0, 3, (1, channels, 1))).astype(np.float32)


def rows(x: FloatArray) -> FloatArray:
    """One row per sample and one column per channel, as scikit-learn wants it."""
    return np.moveaxis(x, 1, 2).reshape(-1, x.shape[1])


def pieces(x: FloatArray, sizes: list[int]) -> Iterator[FloatArray]:
    yield from np.split(x, np.cumsum(sizes))


@pytest.mark.parametrize(
    ("transform", "reference"),
    [(MinMax(), MinMaxScaler(feature_range=(-1, 1))), (Standard(), StandardScaler())],
)
def test_fitted_transforms_agree_with_scikit_learn(
    transform: Transform, reference: MinMaxScaler | StandardScaler
) -> None:
    train, other = example(seed=1), example(seed=2)
    transform.fit([train])
    reference.fit(rows(train).astype(np.float64))
    for x in (train, other):
        assert np.allclose(rows(transform(x)), reference.transform(rows(x).astype(np.float64)), atol=1e-5)


def test_per_series_agrees_with_scikit_learn() -> None:
    x = example()
    scaled = PerSeries()(x)
    for series, result in zip(x, scaled, strict=True):
        assert np.allclose(result, minmax_scale(series, feature_range=(-1, 1), axis=1), atol=1e-5)


@pytest.mark.parametrize("transform", [MinMax(), Standard(), PerSeries(), Identity()])
def test_what_comes_out_is_float32_of_the_same_shape_and_the_input_stays(transform: Transform) -> None:
    x = example()
    before = x.copy()
    transform.fit([x])
    scaled = transform(x)
    assert (scaled.shape, scaled.dtype) == (x.shape, np.float32)
    assert np.array_equal(x, before)


@pytest.mark.parametrize("transform", [MinMax(), PerSeries()])
def test_declared_range_holds_on_training_series(transform: Transform) -> None:
    x = example()
    transform.fit([x])
    assert transform.value_range == (-1.0, 1.0)
    scaled = transform(x)
    assert scaled.min() == pytest.approx(-1, abs=1e-5)
    assert scaled.max() == pytest.approx(1, abs=1e-5)


def test_minmax_does_not_clip_what_lies_outside_the_training_range() -> None:
    transform = MinMax()
    transform.fit([np.asarray([[[0.0, 1.0]]], np.float32)])
    assert transform(np.asarray([[[-1.0, 3.0]]], np.float32)).tolist() == [[[-3.0, 5.0]]]


@few
@given(st.lists(st.integers(1, 8), min_size=1, max_size=5), st.sampled_from([0.0, 1e4, -3e4]), st.integers(0, 99))
def test_fitting_in_chunks_equals_fitting_at_once(sizes: list[int], offset: float, seed: int) -> None:
    x = (example(n=40, seed=seed).astype(np.float64) + offset).astype(np.float32)
    for cls in (MinMax, Standard):
        whole, chunked = cls(), cls()
        whole.fit([x])
        chunked.fit(chunk for chunk in pieces(x, sizes) if len(chunk))
        for key, values in whole.state().items():
            assert np.allclose(values, chunked.state()[key], rtol=1e-6)
    # a naive sum of squares loses everything at such offsets
    assert np.allclose(chunked.state()["std"], x.astype(np.float64).std(axis=(0, 2)), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -7e5])
@pytest.mark.parametrize("cls", [MinMax, Standard])
def test_constant_channel_is_refused_by_number(cls: type[MinMax] | type[Standard], value: float) -> None:
    x = example(channels=3)
    x[:, 1] = value
    with pytest.raises(DataError, match=r"Channel 1 is constant .*transform=(minmax|standard).*transform=per_series"):
        cls().fit(pieces(x, [7, 11]))


def test_constant_series_becomes_zero_under_per_series() -> None:
    x = example(n=3, channels=2)
    x[1, 0] = 42.5
    scaled = PerSeries()(x)
    assert not scaled[1, 0].any()
    assert np.abs(scaled[[0, 2]]).max() == pytest.approx(1, abs=1e-5)
    assert np.abs(scaled[1, 1]).max() == pytest.approx(1, abs=1e-5)
    assert scaled.dtype == np.float32


@pytest.mark.parametrize("transform", [MinMax(), Standard()])
def test_use_before_fitting_is_a_programming_error(transform: Transform) -> None:
    with pytest.raises(RuntimeError, match="before it was fitted"):
        transform(example())
    with pytest.raises(RuntimeError, match="before it was fitted"):
        transform.state()


@pytest.mark.parametrize("cls", [MinMax, Standard, PerSeries, Identity])
def test_state_is_plain_data(cls: type[MinMax]) -> None:
    transform = cls()
    transform.fit([example()])
    assert json.loads(json.dumps(transform.state())) == transform.state()


@pytest.mark.parametrize("cls", [MinMax, Standard])
def test_only_training_series_are_seen(cls: type[MinMax] | type[Standard], toy_store: Store) -> None:
    fold = Fold(0, np.arange(0, 120), np.arange(120, 180), np.arange(180, 240))

    def state_with(changed: slice) -> dict[str, list[float]]:
        data = np.array(toy_store.data)
        data[changed] = data[changed] * 1000 - 5
        return DataModule(replace(toy_store, data=data), fold, cls(), 8, 8, seed=0).transform.state()

    untouched = state_with(slice(0, 0))
    assert state_with(slice(120, 240)) == untouched
    assert state_with(slice(0, 120)) != untouched
