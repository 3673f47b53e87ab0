"""The synthetic sine waves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecgan.data.sources import sine
from ecgan.data.sources.sine import Sine
from ecgan.errors import ConfigError
from ecgan.testing import check_source
from ecgan.types import FloatArray, IntArray, Recordings


def read(source: Sine) -> Recordings:
    (piece,) = source.pieces(Path())
    return source.read(Path(), piece)


def sine_waves(**settings: float) -> tuple[FloatArray, IntArray]:
    source = Sine(**settings)  # type: ignore[arg-type]
    chunks = [source.read(Path(), piece) for piece in source.pieces(Path())]
    return np.concatenate([np.asarray(c.x) for c in chunks]), np.concatenate([c.y for c in chunks])


def test_sine_is_seeded_and_reading_twice_gives_the_same() -> None:
    source = Sine(n_series=50)
    first, again = read(source), read(source)
    assert np.array_equal(np.asarray(first.x), np.asarray(again.x))
    assert np.array_equal(first.y, again.y)
    assert not np.array_equal(np.asarray(first.x), sine_waves(n_series=50, seed=1)[0])


def test_sine_has_the_asked_counts_shape_and_type() -> None:
    x, y = sine_waves()
    assert (x.shape, x.dtype) == ((30_000, 1, 128), np.float32)
    assert np.bincount(y).tolist() == [24_000, 3_000, 3_000]
    assert Sine.classes == ("normal", "noise", "superimposed")
    _, y = sine_waves(n_series=200, anomaly_share=0.25, noise_share=0.2)
    assert np.bincount(y).tolist() == [150, 10, 40]


def test_series_of_a_full_chunk_do_not_depend_on_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sine, "CHUNK", 100)
    short, labels = sine_waves(n_series=200)
    long, more_labels = sine_waves(n_series=250)
    assert np.array_equal(short, long[:200])
    assert np.array_equal(labels, more_labels[:200])
    assert len(np.unique(long.reshape(250, -1), axis=0)) == 250, "no chunk repeats another"


def test_normal_sines_are_sines_within_the_asked_limits() -> None:
    x, y = sine_waves(n_series=300, amplitude=2.0, vertical_shift=0.5, frequency=1.0, duration=25.0, seq_len=256)
    normal = x[y == 0, 0].astype(np.float64)
    assert normal.max() <= 2.5
    assert normal.min() >= -2.0
    # about its shift a sampled sine obeys s[i-1] + s[i+1] = k s[i]; solving for k and the shift leaves no residual
    for series in normal[::20]:
        design = np.stack([series[1:-1], np.ones(254)], axis=1)
        target = series[:-2] + series[2:]
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        assert np.abs(design @ solution - target).max() < 1e-4


def test_abnormal_sines_are_noise_and_mixtures() -> None:
    x, y = sine_waves(n_series=2000)
    noise, normal = x[y == 1, 0], x[y == 0, 0]
    assert [noise.min(), noise.max()] == pytest.approx([normal.min(), normal.max()], abs=0.2)
    assert noise.std() == pytest.approx(np.ptp(noise) / np.sqrt(12), rel=0.02), "uniform"
    neighbors = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert abs(neighbors) < 0.03, "no sample tells anything about the next"
    # the mean of three independent waves has a third of their variance
    assert x[y == 2].var(axis=2).mean() / x[y == 0].var(axis=2).mean() == pytest.approx(1 / 3, rel=0.15)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_series": 0},
        {"seq_len": 0},
        {"anomaly_share": 1.5},
        {"noise_share": -0.1},
        {"anomaly_share": float("nan")},
        {"amplitude": 0.0},
        {"frequency": -1.0},
        {"phase": float("nan")},
        {"vertical_shift": float("inf")},
        {"duration": 0.0},
        {"seed": -1},
        {"seed": 1.5},
    ],
)
def test_impossible_sine_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"dataset\.{next(iter(settings))}"):
        Sine(**settings)  # type: ignore[arg-type]


def test_the_battery(tmp_path: Path) -> None:
    check_source(lambda: Sine(n_series=50, seq_len=8), tmp_path)
