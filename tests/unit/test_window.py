"""Windows: where they start, what is left out, and what they inherit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgan.preprocess.window import Window, windows
from ecgan.types import Recordings


@given(total=st.integers(0, 60), channels=st.integers(1, 3), length=st.integers(1, 20), step=st.integers(1, 25))
def test_windows_are_all_full_ones_at_multiples_of_the_step(total: int, channels: int, length: int, step: int) -> None:
    x = np.arange(channels * total, dtype=np.float32).reshape(channels, total)
    result = windows(x, length, step)
    starts = [start for start in range(0, total, step) if start + length <= total]
    assert (result.shape, result.dtype) == ((len(starts), channels, length), np.float32)
    for window, start in zip(result, starts, strict=True):
        assert np.array_equal(window, x[:, start : start + length])


def test_windows_are_copies() -> None:
    x = np.zeros((1, 10), np.float32)
    result = windows(x, 4, 2)
    result[0] = 7
    assert not x.any()
    assert not result[1].any(), "nor do overlapping windows share samples"
    assert result.flags.c_contiguous


@pytest.mark.parametrize("ragged", [False, True])
def test_windows_inherit_from_their_series(ragged: bool) -> None:
    x = np.arange(40, dtype=np.float32).reshape(2, 1, 20)
    recordings = Recordings(list(x) if ragged else x, np.array([3, 1]), 50.0, "mV", np.array([8, 9]), np.array([0, 2]))
    result = Window(8, 6)(recordings)
    assert np.asarray(result.x)[:, 0, 0].tolist() == [0, 6, 12, 20, 26, 32]
    assert result.y.tolist() == [3, 3, 3, 1, 1, 1]
    assert result.group is not None
    assert result.part is not None
    assert (result.group.tolist(), result.part.tolist()) == ([8] * 3 + [9] * 3, [0] * 3 + [2] * 3)
    assert result.fs_hz == 50.0


def test_short_series_are_dropped_and_counted_and_the_last_full_window_stays() -> None:
    x = [np.ones((2, n), np.float32) * n for n in (9, 10, 25, 0)]
    result = Window(10, 5)(Recordings(x, np.arange(4), 50.0, "mV"))
    assert result.y.tolist() == [1, 2, 2, 2, 2]
    assert result.dropped == {"shorter than a window of 10 samples": 2}
    assert isinstance(result.x, np.ndarray)


def test_series_with_different_channels_stay_a_list() -> None:
    x = [np.ones((2, 12), np.float32), np.ones((3, 12), np.float32)]
    result = Window(6, 6)(Recordings(x, np.arange(2), 50.0, "mV"))
    assert [series.shape for series in result.x] == [(2, 6), (2, 6), (3, 6), (3, 6)]
    assert result.y.tolist() == [0, 0, 1, 1]
