"""Filters: what passes, what does not, at which phase, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecgan.errors import DataError
from ecgan.preprocess.filters import BandPass, BaselineWander
from ecgan.types import FloatArray, Recordings, Step

FS = 360.0
T = np.arange(round(20 * FS)) / FS
INNER = slice(round(4 * FS), round(16 * FS))


def filtered(step: Step, wave: FloatArray, fs_hz: float | None = FS) -> FloatArray:
    x = np.asarray(wave, np.float32).reshape(1, 1, -1)
    return np.asarray(step(Recordings(x, np.zeros(1, int), fs_hz, "mV")).x)[0, 0]


def sine(hz: float) -> FloatArray:
    return np.sin(2 * np.pi * hz * T)


def gain(step: Step, hz: float) -> tuple[float, float]:
    """Amplitude, and phase in radians, by least squares away from the ends."""
    basis = np.stack([sine(hz), np.cos(2 * np.pi * hz * T)])[:, INNER]
    a, b = np.linalg.lstsq(basis.T, filtered(step, sine(hz))[INNER].astype(float), rcond=None)[0]
    return float(np.hypot(a, b)), float(np.arctan2(b, a))


@pytest.mark.parametrize("hz", [0.05, 0.2, 0.5, 1.0, 5.0, 40.0])
def test_baseline_filter_has_the_squared_gain_of_its_high_pass_and_no_phase(hz: float) -> None:
    amplitude, phase = gain(BaselineWander(0.5), hz)
    # bilinear transform of a second-order Butterworth, |H|^2 = 1 / (1 + (wc / w)^4), once each way
    ratio = np.tan(np.pi * 0.5 / FS) / np.tan(np.pi * hz / FS)
    assert amplitude == pytest.approx(1 / (1 + ratio**4), abs=0.01)
    if amplitude > 0.1:
        assert abs(phase) < 0.01


def test_drift_goes_and_the_beat_stays() -> None:
    beats = np.exp(-0.5 * ((T % 0.8 - 0.4) / 0.02) ** 2)
    drift = 2 * sine(0.08) + 0.1 * T + 5
    clean, result = filtered(BaselineWander(), beats), filtered(BaselineWander(), beats + drift)
    assert np.abs(result - clean)[INNER].max() < 0.02
    assert np.abs(clean - beats + beats.mean())[INNER].max() < 0.1
    assert np.array_equal(np.argmax(result[720:1008]), np.argmax(beats[720:1008])), "peaks stay in place"


def test_band_pass_keeps_its_band_and_halves_its_borders() -> None:
    step = BandPass(3, 45, order=4)
    for hz in (6, 10, 20, 30):
        amplitude, phase = gain(step, hz)
        assert amplitude == pytest.approx(1, abs=0.02)
        assert abs(phase) < 0.01
    for hz in (3, 45):
        assert gain(step, hz)[0] == pytest.approx(0.5, abs=0.01)
    for hz in (0.5, 120):
        assert gain(step, hz)[0] < 0.001


def test_the_mirror_image_gives_the_mirror_image() -> None:
    wave = np.random.default_rng(0).normal(size=2000)
    for step in (BaselineWander(), BandPass(1, 40)):
        forwards, backwards = filtered(step, wave), filtered(step, wave[::-1])
        assert np.allclose(forwards, backwards[::-1], atol=0.02 * np.abs(wave).max())


def test_a_constant_and_a_line_vanish_up_to_the_ends() -> None:
    assert np.abs(filtered(BaselineWander(), np.full(2000, 7.0))).max() < 1e-4
    assert np.abs(filtered(BandPass(0.5, 40), np.full(2000, 7.0))).max() < 1e-4
    assert np.abs(filtered(BaselineWander(), np.linspace(0, 100, 5000))).max() < 1


@pytest.mark.parametrize(("step", "period"), [(BaselineWander(0.5), 720), (BandPass(3, 45), 120)])
def test_series_of_a_period_or_less_are_refused(step: Step, period: int) -> None:
    with pytest.raises(DataError, match=f"needs more than {period} samples per series .* the shortest has {period}"):
        filtered(step, np.zeros(period))
    assert filtered(step, sine(10)[: period + 1]).shape == (period + 1,)
    ragged = [np.ones((1, n), np.float32) for n in (2000, 100)]
    with pytest.raises(DataError, match="shortest has 100"):
        step(Recordings(ragged, np.zeros(2, int), FS, "mV"))


@pytest.mark.parametrize("fs_hz", [90.0, 60.0])
def test_a_cut_off_at_or_above_half_the_rate_is_refused(fs_hz: float) -> None:
    with pytest.raises(DataError, match=f"cannot cut off at 45 Hz, since the sampling rate is {fs_hz:g} Hz"):
        filtered(BandPass(3, 45), np.zeros(2000), fs_hz)


@pytest.mark.parametrize("step", [BaselineWander(), BandPass()])
def test_without_a_rate_nothing_can_be_filtered(step: Step) -> None:
    with pytest.raises(DataError, match="needs a sampling rate"):
        filtered(step, np.zeros(2000), None)


def test_a_real_recording_loses_its_drift_and_keeps_its_peaks(mirror: Path) -> None:
    import wfdb

    record = mirror / "mitbih" / "raw" / "203"  # drifts by more than a millivolt
    x = wfdb.rdrecord(str(record), sampto=100_000, channels=[0]).p_signal.T[None].astype(np.float32)
    peaks = wfdb.rdann(str(record), "atr", sampto=100_000 - 40).sample[5:-5]
    result = np.asarray(BaselineWander()(Recordings(x, np.zeros(1, int), FS, "mV")).x)

    def power(series: FloatArray, low: float, high: float) -> float:
        spectrum = np.abs(np.fft.rfft(series[0, 0].astype(float) - series.mean())) ** 2
        frequency = np.fft.rfftfreq(series.shape[-1], 1 / FS)
        return float(spectrum[(frequency >= low) & (frequency < high)].sum())

    assert power(result, 0, 0.2) < 0.01 * power(x, 0, 0.2)
    assert power(result, 2, 180) == pytest.approx(power(x, 2, 180), rel=0.02)
    around = peaks[:, None] + np.arange(-30, 30)
    before, after = x[0, 0][around].argmax(axis=1), result[0, 0][around].argmax(axis=1)
    assert np.mean(np.abs(before - after) <= 1) > 0.97
