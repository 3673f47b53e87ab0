"""Dynamic time warping against the textbook's loops."""

from __future__ import annotations

import numpy as np
import pytest

from ecgan.evaluate.generation import dtw as module
from ecgan.evaluate.generation.dtw import dtw, nearest_dtw
from ecgan.types import FloatArray


def noise(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def textbook(x: FloatArray, y: FloatArray, band: int) -> float:
    n = x.shape[1]
    cost = np.full((n + 1, n + 1), np.inf)
    cost[0, 0] = 0
    for i in range(n):
        for j in range(n):
            if abs(i - j) <= band:
                step = float(((x[:, i].astype(np.float64) - y[:, j]) ** 2).sum())
                cost[i + 1, j + 1] = step + min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
    return float(np.sqrt(cost[n, n]))


@pytest.mark.parametrize("seq_len", [1, 2, 9, 16])
@pytest.mark.parametrize("band", [0, 1, 2, 3, 8, 40])
def test_textbook(seq_len: int, band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS", 4)
    x, y = noise(6, 2, seq_len), noise(6, 2, seq_len, seed=1)
    expected = [textbook(a, b, band) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(dtw(x, y, band), expected, rtol=1e-5)
    np.testing.assert_allclose(dtw(y, x, band), expected, rtol=1e-5)


def test_without_a_band_it_is_euclidean() -> None:
    x, y = noise(5, 3, 50), noise(5, 3, 50, seed=1)
    np.testing.assert_allclose(dtw(x, y, 0), np.sqrt(((x - y) ** 2).sum((1, 2))), rtol=1e-5)


def test_a_delay_is_warped_away_inside_the_band_only() -> None:
    pulse = np.zeros((1, 1, 40), np.float32)
    pulse[..., 10:13] = [1, 3, 2]
    late = np.roll(pulse, 4, axis=-1)
    assert dtw(pulse, late, 4) == 0
    assert dtw(pulse, late, 3) > 0
    assert dtw(pulse, late, 3) < dtw(pulse, late, 0)


def test_channels_are_warped_together() -> None:
    x = np.zeros((1, 2, 20), np.float32)
    x[0, 0, 5] = x[0, 1, 5] = 1
    y = np.zeros_like(x)
    y[0, 0, 7] = y[0, 1, 3] = 1  # one channel late, the other early
    alone = sum(dtw(x[:, [c]], y[:, [c]], 5) for c in range(2))
    assert alone == 0
    assert dtw(x, y, 5) > 0


def test_keeps_double_precision_and_refuses_other_shapes() -> None:
    x, y = noise(3, 1, 12).astype(np.float64), noise(3, 1, 12, seed=1).astype(np.float64)
    np.testing.assert_allclose(dtw(x, y, 2), [textbook(a, b, 2) for a, b in zip(x, y, strict=True)], rtol=1e-14)
    assert dtw(x[:0], y[:0], 2).shape == (0,)
    with pytest.raises(ValueError, match="different shapes"):
        dtw(x, y[:2], 2)


def test_nearest_real_series() -> None:
    generated, real = noise(12, 2, 30), noise(25, 2, 30, seed=1)
    everything = [min(textbook(g, r, 3) for r in real) for g in generated]
    found = nearest_dtw(generated, real, candidates=25)
    np.testing.assert_allclose(np.sort(found), np.sort(everything), rtol=1e-5)
    assert nearest_dtw(generated, real, series=5).shape == (5,)
    few = np.sort(nearest_dtw(generated, real, candidates=2))
    assert (few >= np.sort(found) - 1e-6).all(), "candidates give an upper bound"
    assert (nearest_dtw(real[:7], real) == 0).all()
