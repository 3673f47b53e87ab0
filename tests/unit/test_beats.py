"""Cutting long series into heartbeats."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.beats import Beats, cut_beats, find_beats
from ecgan.types import TEST, TRAIN, FloatArray, IntArray, Recordings

FS_HZ = 125.0


def ecg(peaks: list[int], length: int, noise: float = 0.0, seed: int = 0) -> FloatArray:
    """A narrow R peak of 1 at each place and a low T wave after it."""
    t = np.arange(length)
    x = sum(np.exp(-(((t - p) / 2) ** 2)) + 0.3 * np.exp(-(((t - p - 25) / 8) ** 2)) for p in peaks)
    return np.asarray(x + noise * np.random.default_rng(seed).normal(size=length))


def recordings(x: FloatArray | list[FloatArray], fs_hz: float | None = FS_HZ) -> Recordings:
    n = len(x)
    part = np.where(np.arange(n) % 2, TEST, TRAIN)
    return Recordings(x, np.arange(n) + 5, fs_hz, "mV", np.arange(n) * 10, part, {"before": 1})


def one_by_one(x: FloatArray, start: IntArray, stop: IntArray, length: int, stride: int) -> FloatArray:
    """What ``cut_beats`` must give, said plainly."""
    beats = np.zeros((len(start), len(x), length))
    for i, (first, end) in enumerate(zip(start, stop, strict=True)):
        for c, channel in enumerate(x):
            beat = channel[first:end:stride]
            span = beat.max() - beat.min()
            scaled = ((beat - beat.min()) / span if span else beat * 0)[:length]
            beats[i, c, : len(scaled)] = scaled
    return beats


@given(
    seed=st.integers(0, 2**31),
    stride=st.integers(1, 9),
    length=st.integers(2, 60),
    count=st.integers(0, 12),
    flat=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_beats_are_those_of_a_plain_loop(seed: int, stride: int, length: int, count: int, flat: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, 200))
    if flat:
        x[1] = 3.0
    start = rng.integers(0, 199, count)
    stop = start + rng.integers(1, 150, count)  # may pass the end of the series
    beats = cut_beats(x, start, stop, length, stride)
    assert beats.dtype == np.float32
    assert beats.shape == (count, 2, length)
    assert np.allclose(beats, one_by_one(x, start, stop, length, stride), atol=1e-6)
    assert ((beats >= 0) & (beats <= 1)).all()


def test_a_beat_is_scaled_over_its_whole_extent_even_where_it_is_cut() -> None:
    x = np.concatenate([np.linspace(0, 1, 10), [9.0, -1.0]])[None]
    beat = cut_beats(x, np.array([0]), np.array([12]), 10)[0, 0]
    assert beat.max() == pytest.approx(0.2), "the maximum of 9 lies behind the cut"
    assert beat.min() == pytest.approx(0.1)


def test_peaks_median_and_length() -> None:
    peaks = [60, 160, 262, 360, 460]  # distances 100, 102, 98, 100
    found = find_beats(ecg(peaks, 625)[None], 0.9, 1.2, 50, 150, 5)
    assert found.start.tolist() == peaks
    assert (found.stop - found.start).tolist() == [120] * 5
    assert (found.window.tolist(), found.dropped) == ([0] * 5, {})


def test_length_is_rounded_down() -> None:
    found = find_beats(ecg([20, 116, 211, 307], 625)[None], 0.9, 1.2, 50, 150, 5)  # median of 96, 95, 96 is 96: 115.2
    assert set((found.stop - found.start).tolist()) == {115}


@pytest.mark.parametrize(
    ("peaks", "reason", "count"),
    [
        ([60], "windows of 5 s without two R peaks", 1),
        ([60, 100, 140], "windows of 5 s with an unbelievable heart rate", 1),
        ([60, 260, 460], "windows of 5 s with an unbelievable heart rate", 1),
        ([60, 160, 260, 360, 460, 560], "beats that reach past their window", 1),
    ],
)
def test_what_is_left_out_is_counted(peaks: list[int], reason: str, count: int) -> None:
    found = find_beats(ecg(peaks, 625)[None], 0.9, 1.2, 50, 150, 5)
    assert found.dropped == {reason: count}


def test_a_beat_may_end_with_its_window_but_not_after_it() -> None:
    windows = ecg([60, 160, 260], 380)[None]
    assert find_beats(windows, 0.9, 1.2, 50, 150, 5).start.tolist() == [60, 160, 260]
    assert find_beats(windows[:, :-1], 0.9, 1.2, 50, 150, 5).start.tolist() == [60, 160]


def test_a_flat_series_gives_nothing_and_says_so() -> None:
    done = Beats(window_s=5)(recordings(np.zeros((2, 1, 1300))))
    assert np.asarray(done.x).shape == (0, 1, 187)
    assert done.dropped == {"before": 1, "windows of 5 s without two R peaks": 4}


def test_beats_inherit_what_is_known_of_their_series() -> None:
    places = [[50, 150, 250, 700, 800, 900], [40, 120, 200]]
    x = np.stack([ecg(peaks, 1250)[None] for peaks in places]).astype(np.float32)
    done = Beats(window_s=5)(recordings(x))
    assert done.y.tolist() == [5] * 6 + [6] * 3
    assert done.group is not None
    assert done.group.tolist() == [0] * 6 + [10] * 3
    assert done.part is not None
    assert done.part.tolist() == [TRAIN] * 6 + [TEST] * 3
    assert (done.unit, done.fs_hz) == ("1", FS_HZ)
    assert done.dropped["windows of 5 s without two R peaks"] == 1, "the second window of the second series is empty"
    beats = np.asarray(done.x)
    for beat, (series, peak) in zip(beats, [(s, p) for s in (0, 1) for p in places[s]], strict=True):
        end = peak + (120 if series == 0 else 96)
        assert np.allclose(beat, one_by_one(x[series], np.array([peak]), np.array([end]), 187, 1)[0], atol=1e-6)


def test_series_of_several_lengths_give_what_each_gives_alone() -> None:
    series = [ecg([50, 150, 250], 600)[None], ecg([50, 140], 300)[None], ecg([30, 130, 230, 330], 600)[None]]
    together = Beats(window_s=5)(recordings(series))
    alone = [Beats(window_s=5)(recordings([x])) for x in series]
    assert np.array_equal(np.asarray(together.x), np.concatenate([np.asarray(done.x) for done in alone]))
    assert together.y.tolist() == [5] * 3 + [6] * 2 + [7] * 4


def test_all_channels_are_cut_where_one_has_its_peaks() -> None:
    lead = ecg([50, 150, 250], 625)
    other = np.sin(np.arange(625) / 7)
    done = Beats(channel=1)(recordings(np.stack([other, lead])[None]))
    beats = np.asarray(done.x)
    assert beats.shape == (3, 2, 187)
    start = np.array([50, 150, 250])
    assert np.allclose(beats, one_by_one(np.stack([other, lead]), start, start + 120, 187, 1), atol=1e-6)


def test_the_argument_stays_as_it_is() -> None:
    x = ecg([50, 150, 250], 625, noise=0.01)[None, None]
    given = recordings(x.copy())
    Beats()(given)
    assert np.array_equal(np.asarray(given.x), x)
    assert given.dropped == {"before": 1}


def test_a_lower_threshold_finds_lower_peaks() -> None:
    x = ecg([50, 150, 250], 625)
    x[250] *= 0.8
    count = {t: len(Beats(threshold=t)(recordings(x[None, None])).y) for t in (0.9, 0.6)}
    assert count == {0.9: 2, 0.6: 3}


def test_what_cannot_be_worked_on_is_refused() -> None:
    x = ecg([50, 150, 250], 625)[None, None]
    with pytest.raises(DataError, match="needs a sampling rate"):
        Beats()(recordings(x, fs_hz=None))
    with pytest.raises(DataError, match="channel 1, but the series have 1"):
        Beats(channel=1)(recordings(x))
    with pytest.raises(DataError, match="same channels"):
        Beats()(recordings([x[0], np.repeat(x[0], 2, axis=0)]))
    x[0, 0, 7] = np.nan
    with pytest.raises(DataError, match="Beats needs complete series, but 1 hold missing"):
        Beats()(recordings(x))


def test_series_too_short_for_a_peak_are_counted() -> None:
    done = Beats()(recordings(np.zeros((3, 1, 2))))
    assert done.dropped == {"before": 1, "shorter than 3 samples": 3}
    assert not len(done.x)


@pytest.mark.parametrize(
    "wrong",
    [{"length": 1}, {"channel": -1}, {"window_s": 0}, {"threshold": 1.0}, {"stretch": 0}, {"shortest_s": 2.0}],
)
def test_settings_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Beats takes"):
        Beats(**wrong)  # type: ignore[arg-type]


def test_the_config_has_every_setting_with_its_default() -> None:
    text = (Path(__file__).resolve().parents[2] / "conf" / "preprocess" / "beats.yaml").read_text(encoding="utf-8")
    step = yaml.safe_load(text)["steps"]["beats"]
    assert step.pop("_target_") == "ecgan.preprocess.beats.Beats"
    assert step == {name: p.default for name, p in inspect.signature(Beats).parameters.items()}
