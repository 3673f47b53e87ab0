"""Transforms against scikit-learn, there and back again, and fitted on the training part only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler, minmax_scale

from ecgan.data.datamodule import DataModule
from ecgan.data.store import Store
from ecgan.data.transforms import scaling
from ecgan.data.transforms.fourier import Fourier
from ecgan.data.transforms.scaling import Identity, MinMax, PerSeries, Robust, Standard, Transform
from ecgan.data.transforms.whitening import Whitening
from ecgan.errors import DataError
from ecgan.types import FloatArray, Fold

few = settings(max_examples=30, deadline=None, derandomize=True)

EVERY: tuple[type[Transform], ...] = (Identity, PerSeries, MinMax, Standard, Robust, Fourier, Whitening)
SCALES_CHANNELS: tuple[type[Transform], ...] = (MinMax, Standard, Robust, Whitening)
LENGTHS = st.integers(1, 40)


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
    [
        (MinMax(), MinMaxScaler(feature_range=(-1, 1))),
        (Standard(), StandardScaler()),
        (Robust(), RobustScaler()),
    ],
)
def test_fitted_transforms_agree_with_scikit_learn(
    transform: Transform, reference: MinMaxScaler | StandardScaler | RobustScaler
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


@pytest.mark.parametrize("transform", [cls() for cls in EVERY])
def test_what_comes_out_is_float32_of_the_declared_shape_and_the_input_stays(transform: Transform) -> None:
    x = example()
    before = x.copy()
    transform.fit([x])
    scaled = transform(x)
    assert scaled.shape == (len(x), *transform.shape(x.shape[1], x.shape[2]))
    assert scaled.dtype == np.float32
    original = transform.inverse(scaled, x)
    assert original.shape == x.shape
    assert original.dtype == np.float32
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
    for cls in (MinMax, Standard, Robust, PerSeries, Fourier):
        whole, chunked = cls(), cls()
        whole.fit([x])
        chunked.fit(chunk for chunk in pieces(x, sizes) if len(chunk))
        for key, values in whole.state().items():
            assert np.allclose(values, chunked.state()[key], rtol=1e-6)
    # a naive sum of squares loses everything at such offsets
    standard = Standard()
    standard.fit(chunk for chunk in pieces(x, sizes) if len(chunk))
    assert np.allclose(standard.state()["std"], x.astype(np.float64).std(axis=(0, 2)), rtol=1e-6)


def test_large_sets_are_sampled_for_quartiles_alike_in_whatever_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    x = example(n=4000, channels=2, length=5)
    exact = Robust()
    exact.fit([x])
    monkeypatch.setattr(scaling, "SAMPLED", 5000)
    states = []
    for sizes in ([], [1, 7, 500], [3999]):
        robust = Robust()
        robust.fit(chunk for chunk in pieces(x, sizes) if len(chunk))
        states.append(robust.state())
    assert states[0] == states[1] == states[2] != exact.state()
    assert np.allclose(states[0]["iqr"], exact.state()["iqr"], rtol=0.2)


def test_a_sample_keeps_to_its_limit_but_is_never_nearly_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "SAMPLED", 600)
    assert 150 < scaling._sample(iter(example(n=1000, channels=1, length=1)[:, None, 0]), 600).size <= 600
    long = example(n=500, channels=1, length=50)
    assert 50 <= len(scaling._sample(pieces(long, [9, 90]), 600)) <= 100


@few
@given(
    st.sampled_from(EVERY),
    st.integers(2, 12),
    st.integers(1, 3),
    LENGTHS,
    st.sampled_from([0, 1e6, -3e3]),
    st.integers(0, 99),
)
def test_there_and_back_again(
    cls: type[Transform], n: int, channels: int, length: int, offset: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.normal(0, 10.0 ** rng.uniform(-1, 3), (n, channels, length)) + offset).astype(np.float32)
    transform = cls()
    transform.fit([x])
    there = transform(x)
    assert np.isfinite(there).all()
    back = transform.inverse(there, x)
    # a few roundings of the largest value; whitening amplifies by 1000 at most, the root of its floor
    amplified = 1000 if isinstance(transform, Whitening) else 1
    spread = np.abs(x - x.mean(axis=(0, 2), keepdims=True)).max()
    assert np.abs(back - x).max() <= 1e-6 * np.abs(x).max() + 1e-6 * amplified * spread


@pytest.mark.parametrize("cls", EVERY)
def test_series_do_not_depend_on_their_batch(cls: type[Transform]) -> None:
    transform = cls()
    transform.fit([example(n=50)])
    x = example(n=20, seed=3)
    together = transform(x)
    order = np.random.default_rng(1).permutation(20)
    # a product of matrices may round otherwise for a batch of another size
    tolerance = 1e-5 * np.abs(together).max() if isinstance(transform, Whitening) else 0
    assert np.allclose(transform(x[order]), together[order], rtol=0, atol=tolerance)
    for which in ([4], [4, 5], [19, 0, 7]):
        assert np.allclose(transform(x[which]), together[which], rtol=0, atol=tolerance)
        like = x[which]
        assert np.allclose(
            transform.inverse(together[which], like), transform.inverse(together, x)[which], rtol=1e-5, atol=1e-4
        )


@pytest.mark.parametrize("cls", [PerSeries, Identity, Fourier])
def test_constant_channels_come_back(cls: type[Transform]) -> None:
    x = example(n=5, channels=3)
    x[:, 1] = -7e5
    transform = cls()
    transform.fit([x])
    assert np.isfinite(transform(x)).all()
    assert np.allclose(transform.inverse(transform(x), x), x, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("cls", [MinMax, Standard, Robust, PerSeries, Identity, Fourier])
def test_state_can_be_loaded_instead_of_fitting(cls: type[Transform]) -> None:
    fitted, loaded = cls(), cls()
    x = example(length=21)
    fitted.fit([x])
    loaded.load_state(json.loads(json.dumps(fitted.state())))
    y = fitted(x)
    assert np.array_equal(loaded(x), y)
    assert np.array_equal(loaded.inverse(y), fitted.inverse(y))
    assert loaded.state() == fitted.state()


def test_generated_series_get_the_usual_amplitude() -> None:
    base = np.asarray([[-1.0, 0.5, 1.0], [0.0, 1.0, 2.0]])
    x = (base * [[[2], [1]]] * np.asarray([1, 3, 50])[:, None, None] + 10).astype(np.float32)
    transform = PerSeries()
    transform.fit(pieces(x, [1]))
    assert transform.state() == {"usual_low": [4.0, 10.0], "usual_width": [12.0, 6.0]}
    generated = np.asarray([[[-1, 0, 1], [1, 1, 0]]], np.float32)
    assert transform.inverse(generated).tolist() == [[[4, 10, 16], [16, 16, 13]]]
    assert transform.inverse(generated, x[:1]).tolist() == [[[8, 10, 12], [12, 12, 11]]]


def test_robust_refuses_a_channel_half_of_whose_values_are_equal() -> None:
    x = example(channels=2, length=20)
    x[:, 1, :16] = 0
    with pytest.raises(DataError, match=r"Half of the training values of channel 1 .*transform=standard"):
        Robust().fit([x])
    x[:, 1, :5] = 1e6 * np.sign(x[:, 0, :5])
    x[:, 1, 5:] = x[:, 0, 5:]
    robust = Robust()
    robust.fit([x])
    assert robust.state()["iqr"][1] < 10 * robust.state()["iqr"][0], "outliers have no say"


@pytest.mark.parametrize("value", [0.0, 0.1, -7e5])
@pytest.mark.parametrize("cls", [MinMax, Standard, Whitening])
def test_constant_channel_is_refused_by_number(cls: type[Transform], value: float) -> None:
    x = example(channels=3)
    x[:, 1] = value
    with pytest.raises(
        DataError, match=r"Channel 1 is constant .*transform=(minmax|standard|whitening).*transform=per_series"
    ):
        cls().fit(pieces(x, [7, 11]))


def test_constant_series_becomes_zero_under_per_series() -> None:
    x = example(n=3, channels=2)
    x[1, 0] = 42.5
    scaled = PerSeries()(x)
    assert not scaled[1, 0].any()
    assert np.abs(scaled[[0, 2]]).max() == pytest.approx(1, abs=1e-5)
    assert np.abs(scaled[1, 1]).max() == pytest.approx(1, abs=1e-5)
    assert scaled.dtype == np.float32


@pytest.mark.parametrize("transform", [cls() for cls in SCALES_CHANNELS])
def test_use_before_fitting_is_a_programming_error(transform: Transform) -> None:
    with pytest.raises(RuntimeError, match="before it was fitted"):
        transform(example())
    with pytest.raises(RuntimeError, match="before it was fitted"):
        transform.inverse(example())
    with pytest.raises(RuntimeError, match="before it was fitted"):
        transform.state()


@pytest.mark.parametrize("cls", EVERY)
def test_state_is_plain_data(cls: type[Transform]) -> None:
    transform = cls()
    transform.fit([example()])
    assert json.loads(json.dumps(transform.state())) == transform.state()


@pytest.mark.parametrize("cls", [*SCALES_CHANNELS, PerSeries])
def test_only_training_series_are_seen(cls: type[Transform], toy_store: Store) -> None:
    fold = Fold(0, np.arange(0, 120), np.arange(120, 180), np.arange(180, 240))

    def state_with(changed: slice) -> dict[str, Any]:
        data = np.array(toy_store.data)
        data[changed] = data[changed] * 1000 - 5
        return DataModule(replace(toy_store, data=data), fold, cls(), 8, 8, seed=0).transform.state()

    untouched = state_with(slice(0, 0))
    assert state_with(slice(120, 240)) == untouched
    assert state_with(slice(0, 120)) != untouched
