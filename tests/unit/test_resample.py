"""Bringing series to another length."""

from __future__ import annotations

import numpy as np
import pytest
from tsdownsample import LTTBDownsampler

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.resample import LTTB, Interpolate
from ecgan.types import FloatArray, Recordings, Step


def recordings(x: FloatArray | list[FloatArray], fs_hz: float | None = 100.0) -> Recordings:
    n = len(x)
    return Recordings(x, np.arange(n), fs_hz, "mV", group=np.arange(n) * 10, part=np.zeros(n, np.int64))


def noise(n: int = 5, channels: int = 2, length: int = 50) -> FloatArray:
    return np.random.default_rng(0).normal(size=(n, channels, length)).astype(np.float32)


@pytest.mark.parametrize("length", [3, 17, 50, 99, 128])
def test_interpolation_agrees_with_numpy(length: int) -> None:
    x = noise()
    result = Interpolate(length)(recordings(x)).x
    assert isinstance(result, np.ndarray)
    assert (result.shape, result.dtype) == ((5, 2, length), np.float32)
    at = np.linspace(0, 49, length)
    for series, expected in zip(result.reshape(-1, length), x.reshape(-1, 50), strict=True):
        assert np.allclose(series, np.interp(at, np.arange(50), expected), atol=1e-5)


def test_interpolated_sine_stays_that_sine() -> None:
    duration, old, new = 2.0, 201, 137
    wave = np.sin(2 * np.pi * np.linspace(0, duration, old))[None, None].astype(np.float32)
    result = Interpolate(new)(recordings(wave, fs_hz=(old - 1) / duration))
    t = np.arange(new) / result.fs_hz
    assert t[-1] == pytest.approx(duration), "the sampling rate must follow the length"
    # linear interpolation is off by (step x angular frequency)^2 / 8 at most
    bound = (2 * np.pi * duration / (old - 1)) ** 2 / 8
    assert np.abs(result.x[0][0] - np.sin(2 * np.pi * t)).max() < bound + 1e-6


@pytest.mark.parametrize("step", [Interpolate(20), LTTB(20)])
def test_first_and_last_sample_stay(step: Step) -> None:
    x = noise()
    result = np.asarray(step(recordings(x)).x)
    assert np.array_equal(result[..., 0], x[..., 0])
    assert np.array_equal(result[..., -1], x[..., -1])


@pytest.mark.parametrize("step", [Interpolate(20), LTTB(20)])
def test_steps_are_pure_and_keep_what_is_known_about_series(step: Step) -> None:
    x = noise()
    given = recordings(x.copy())
    result = step(given)
    assert np.array_equal(np.asarray(given.x), x)
    assert given.fs_hz == 100.0
    assert (result.y is given.y, result.unit, result.group is given.group) == (True, "mV", True)
    assert result.part is given.part


@pytest.mark.parametrize("step", [Interpolate(50), LTTB(50)])
def test_same_length_changes_nothing(step: Step) -> None:
    x = noise()
    assert np.array_equal(np.asarray(step(recordings(x)).x), x)


def test_series_of_different_lengths_become_equal() -> None:
    ragged = [np.linspace(0, 1, n, dtype=np.float32)[None] for n in (5, 40, 1)]
    result = Interpolate(9)(recordings(ragged))
    assert np.allclose(np.asarray(result.x)[:2, 0], np.linspace(0, 1, 9), atol=1e-6)
    assert not np.asarray(result.x)[2].any(), "a single sample is repeated"
    assert result.fs_hz is None, "each series has another sampling rate now"


@pytest.mark.parametrize("x", [[np.zeros((1, 0), np.float32)], np.zeros((2, 1, 0), np.float32)])
def test_zero_length_is_refused(x: FloatArray | list[FloatArray]) -> None:
    with pytest.raises(DataError, match="zero length"):
        Interpolate(10)(recordings(x))


def test_lttb_equals_tsdownsample_on_each_channel() -> None:
    x = noise(length=200)
    result = np.asarray(LTTB(30)(recordings(x)).x)
    assert (result.shape, result.dtype) == ((5, 2, 30), np.float32)
    sampler = LTTBDownsampler()
    for kept, channel in zip(result.reshape(-1, 30), x.reshape(-1, 200), strict=True):
        assert np.array_equal(kept, channel[sampler.downsample(channel, n_out=30)])


def test_lttb_keeps_the_peak_that_interpolation_misses() -> None:
    x = np.zeros((1, 1, 1000), np.float32)
    x[0, 0, 503] = 1
    assert np.asarray(LTTB(20)(recordings(x)).x).max() == 1
    assert np.asarray(Interpolate(20)(recordings(x)).x).max() < 0.5


def test_lttb_leaves_no_sampling_rate() -> None:
    assert LTTB(20)(recordings(noise(), fs_hz=360.0)).fs_hz is None


def test_lttb_refuses_to_lengthen() -> None:
    with pytest.raises(DataError, match="cannot lengthen series from 50 to 51 samples; use preprocess=interpolate"):
        LTTB(51)(recordings(noise()))
    ragged = [np.zeros((1, n), np.float32) for n in (60, 40)]
    with pytest.raises(DataError, match="from 40 to 50"):
        LTTB(50)(recordings(ragged))


def test_lttb_does_not_hide_nan() -> None:
    x = noise(n=40, channels=1)
    where = np.random.default_rng(1).integers(1, 49, len(x))
    x[np.arange(len(x)), 0, where] = np.nan
    kept = np.asarray(LTTB(10)(recordings(x)).x)
    assert np.isnan(kept).any(axis=(1, 2)).all(), "the store refuses NaN, so none may get lost on the way"


@pytest.mark.parametrize("cls", [Interpolate, LTTB])
def test_too_short_a_target_is_refused(cls: type[Interpolate] | type[LTTB]) -> None:
    with pytest.raises(ConfigError, match=r"preprocess\.length is 2 but must be at least 3"):
        cls(2)
