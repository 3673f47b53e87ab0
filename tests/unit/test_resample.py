"""Bringing series to another length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly
from tsdownsample import LTTBDownsampler

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.resample import LTTB, FixedRate, Interpolate, Polyphase
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


@pytest.mark.parametrize("step", [Interpolate(20), LTTB(20), Polyphase(50), FixedRate(2)])
def test_no_series_pass_whatever_their_length(step: Step) -> None:
    """As when an earlier step has dropped all series of a short record."""
    length = np.asarray(step(recordings(noise(1))).x).shape[-1]
    for short in (0, 1, 50):
        result = np.asarray(step(recordings(noise(0, length=short))).x)
        assert result.shape[:2] == (0, 2)
        if short == 50 or isinstance(step, (Interpolate, LTTB)):
            assert result.shape[2] == length


@pytest.mark.parametrize("x", [[np.zeros((1, 0), np.float32)], np.zeros((2, 1, 0), np.float32)])
def test_zero_length_is_refused(x: FloatArray | list[FloatArray]) -> None:
    with pytest.raises(DataError, match="zero length"):
        Interpolate(10)(recordings(x))


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(3, 250),
    extra=st.integers(0, 200),
    levels=st.sampled_from([2, 10, 10**6]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 10_000),
)
def test_lttb_equals_the_public_tsdownsample_on_each_channel(
    length: int, extra: int, levels: int, dtype: type, seed: int
) -> None:
    """Few levels make many triangles of one size; the step calls the library below its checks."""
    x = np.random.default_rng(seed).integers(-levels, levels, (5, 2, length + extra)).astype(dtype)
    result = np.asarray(LTTB(length)(recordings(x)).x)
    assert (result.shape, result.dtype) == ((5, 2, length), dtype)
    sampler = LTTBDownsampler()
    for kept, channel in zip(result.reshape(-1, length), x.reshape(-1, length + extra), strict=True):
        assert np.array_equal(kept, channel[sampler.downsample(channel, n_out=length)])


def test_lttb_of_many_series_is_that_of_each() -> None:
    x = noise(n=700, length=40)  # 1400 channels, more than are handled together
    together = np.asarray(LTTB(11)(recordings(x)).x)
    assert np.array_equal(together, np.concatenate([np.asarray(LTTB(11)(recordings(row[None])).x) for row in x]))


def test_lttb_takes_series_of_different_lengths_and_views() -> None:
    x = noise(length=200)
    ragged = [x[0], x[1, :, :90], x[2, :, ::2]]
    result = LTTB(40)(recordings(ragged))
    assert isinstance(result.x, np.ndarray)
    for kept, series in zip(result.x, ragged, strict=True):
        assert np.array_equal(kept, np.asarray(LTTB(40)(recordings(series[None].copy())).x)[0])


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


@pytest.mark.parametrize("step", [Interpolate(20), LTTB(20), Polyphase(50)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("ragged", [False, True])
def test_missing_values_are_refused(step: Step, value: float, ragged: bool) -> None:
    """LTTB drops peaks beside them, and the others spread them onto samples that are known."""
    x = noise()
    x[[1, 3], 0, 20] = value
    with pytest.raises(
        DataError, match=f"{type(step).__name__} needs complete series, but 2 hold .* number 1 .*impute"
    ):
        step(recordings(list(x) if ragged else x))


@pytest.mark.parametrize(("order", "dtype"), [(">f4", np.float32), (">f8", np.float64), ("<f2", np.float32)])
def test_lttb_takes_values_of_any_byte_order(order: str, dtype: type) -> None:
    x = noise(length=200).astype(order)
    result = np.asarray(LTTB(30)(recordings(x)).x)
    assert result.dtype == np.dtype(dtype)
    assert np.array_equal(result, np.asarray(LTTB(30)(recordings(x.astype(dtype))).x))


@pytest.mark.parametrize("cls", [Interpolate, LTTB])
def test_too_short_a_target_is_refused(cls: type[Interpolate] | type[LTTB]) -> None:
    with pytest.raises(ConfigError, match=r"preprocess\.length is 2 but must be at least 3"):
        cls(2)


def wave(hz: float, fs_hz: float, seconds: float = 10.0) -> FloatArray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * fs_hz)) / fs_hz).astype(np.float32)[None, None]


@pytest.mark.parametrize(("old", "new"), [(360, 125), (360, 128), (1000, 125), (125, 360), (100, 100), (250, 1000 / 3)])
def test_polyphase_keeps_a_wave_below_the_new_nyquist_rate(old: float, new: float) -> None:
    result = Polyphase(new)(recordings(wave(7, old), fs_hz=old))
    assert result.fs_hz == pytest.approx(new, rel=1e-9)
    x = np.asarray(result.x)[0, 0]
    assert len(x) == pytest.approx(10 * new, abs=1)
    inner = slice(len(x) // 10, -len(x) // 10)
    t = np.arange(len(x)) / new
    assert np.abs(x - np.sin(2 * np.pi * 7 * t))[inner].max() < 0.01, "neither amplitude nor phase changes"


def test_polyphase_removes_what_the_others_alias() -> None:
    given = recordings(wave(110, 360), fs_hz=360.0)
    inner = slice(100, -100)
    assert np.abs(np.asarray(Polyphase(120)(given).x)[..., inner]).max() < 0.01
    # 110 Hz sampled at 120 Hz looks like 10 Hz
    assert np.abs(np.asarray(FixedRate(3)(given).x)[..., inner]).max() > 0.9


def test_polyphase_agrees_with_scipy_and_keeps_lines() -> None:
    x = noise(length=300)
    expected = resample_poly(x.astype(np.float64), 25, 72, axis=-1, padtype="line")
    result = np.asarray(Polyphase(125)(recordings(x, fs_hz=360.0)).x)
    assert np.allclose(result, expected, atol=1e-6)
    line = np.linspace(3, 8, 360, dtype=np.float32)[None, None]
    kept = np.asarray(Polyphase(90)(recordings(line, fs_hz=360.0)).x)[0, 0]
    assert np.allclose(kept, line[0, 0, ::4], atol=1e-5), "no fall towards zero at the ends"


def test_polyphase_gives_records_of_all_rates_the_same_one() -> None:
    results = [Polyphase(100)(recordings(noise(length=5000), fs_hz=old)) for old in (257.3, 360.0, 128.01)]
    assert [result.fs_hz for result in results] == [100.0] * 3
    for old, result in zip((257.3, 360.0, 128.01), results, strict=True):
        assert np.asarray(result.x).shape[-1] == pytest.approx(5000 * 100 / old, rel=1e-3, abs=1)


@pytest.mark.parametrize("new", [0.01, 1e6])
def test_polyphase_refuses_a_ratio_beyond_whole_numbers(new: float) -> None:
    with pytest.raises(DataError, match=r"cannot bring 100 Hz to .* choose another fs_hz"):
        Polyphase(new)(recordings(noise()))


@pytest.mark.parametrize("length", [0, 1])
def test_polyphase_refuses_series_without_two_samples(length: int) -> None:
    x = np.ones((3, 1, length), np.float32)
    for short in (x, [np.ones((1, 50), np.float32), *x]):
        with pytest.raises(DataError, match=f"at least 2 samples per series, but the shortest has {length}; drop"):
            Polyphase(50)(recordings(short))
    assert np.asarray(Polyphase(50)(recordings(np.ones((1, 1, 2), np.float32))).x).tolist() == [[[1]]]


@pytest.mark.parametrize("stride", [1, 2, 7, 50, 99])
def test_fixed_rate_takes_every_nth_sample(stride: int) -> None:
    x = noise()
    result = FixedRate(stride)(recordings(x))
    assert np.array_equal(np.asarray(result.x), x[..., ::stride])
    assert result.fs_hz == 100.0 / stride
    assert FixedRate(stride)(recordings(x, fs_hz=None)).fs_hz is None
    ragged = FixedRate(stride)(recordings([x[0], x[1, :, :20]]))
    assert [series.shape[1] for series in ragged.x] == [-(-50 // stride), -(-20 // stride)]


def test_lttb_says_that_the_rate_is_undefined() -> None:
    assert "sampling rate is undefined" in LTTB.note
