"""Power spectra against scipy, their distance against waves whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import periodogram

from ecgan.evaluate.generation import spectrum
from ecgan.evaluate.generation.resampling import counts
from ecgan.evaluate.generation.spectrum import periodograms, spectrum_distance, spectrum_replicates
from ecgan.types import FloatArray


def waves(cycles: int, n: int = 10, seq_len: int = 64, seed: int = 0) -> FloatArray:
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, (n, 1, 1))
    return np.sin(2 * np.pi * cycles * np.arange(seq_len) / seq_len + phase).astype(np.float32)


def distance(x: FloatArray, y: FloatArray) -> float:
    return spectrum_distance(periodograms(x), periodograms(y))


@pytest.mark.parametrize("seq_len", [16, 17, 187])
def test_scipys_periodogram(seq_len: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectrum, "CHUNK", 3 * 2 * seq_len)  # three series at a time
    x = np.random.default_rng(0).normal(3, 1, (8, 2, seq_len)).astype(np.float32)
    expected = periodogram(x.astype(np.float64), detrend="constant", scaling="spectrum")[1][..., 1:]
    np.testing.assert_allclose(periodograms(x), expected, rtol=1e-6)


def test_waves() -> None:
    slow, fast = waves(3), waves(7)
    assert distance(slow, waves(3, seed=1)) == pytest.approx(0, abs=1e-6)
    assert distance(slow, fast) == pytest.approx(1, abs=1e-6)
    assert distance(np.concatenate([slow, fast]), fast) == pytest.approx(0.5, abs=1e-6)
    # a quarter of the power is fast, since power goes with the square of the amplitude
    assert distance(slow + fast / np.sqrt(3), slow) == pytest.approx(0.25, abs=1e-6)


def test_half_the_l1_distance_of_normalized_spectra() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3, 40)).astype(np.float32), rng.normal(size=(20, 3, 40)).cumsum(-1).astype(np.float32)
    p, q = (periodograms(z).mean(0) for z in (x, y))
    expected = np.mean([np.abs(a / a.sum() - b / b.sum()).sum() / 2 for a, b in zip(p, q, strict=True)])
    assert distance(x, y) == pytest.approx(expected)


def test_level_and_amplitude_do_not_matter() -> None:
    mixed = np.concatenate([waves(3), waves(7)])
    assert distance(mixed, 5 * mixed + 9) == pytest.approx(0, abs=1e-6)


def test_constant_channels() -> None:
    wave, flat = waves(3), np.full((10, 1, 64), 0.1, np.float32)
    assert np.isnan(distance(flat, flat + 1))
    assert distance(flat, wave) == 1, "no power in common"
    assert distance(np.concatenate([wave, flat], 1), np.concatenate([waves(7), flat], 1)) == pytest.approx(1)


def test_replicates_are_distances_of_resampled_sets() -> None:
    rng = np.random.default_rng(0)
    x, y = periodograms(rng.normal(size=(12, 2, 20))), periodograms(rng.normal(size=(9, 2, 20)).cumsum(-1))
    w, v = counts(12, 4, 3).astype(int), counts(9, 4, 4).astype(int)
    expected = [spectrum_distance(np.repeat(x, w[:, i], axis=0), np.repeat(y, v[:, i], axis=0)) for i in range(4)]
    np.testing.assert_allclose(spectrum_replicates(x, y, 4, seed=3), expected)
