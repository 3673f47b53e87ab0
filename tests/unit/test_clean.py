"""Cleaning: each rule at its border, each reason counted once."""

from __future__ import annotations

import numpy as np
import pytest

from ecgan.errors import DataError
from ecgan.preprocess.clean import Clean
from ecgan.types import FloatArray, Recordings

LENGTH = 100


def recordings(x: FloatArray | list[FloatArray]) -> Recordings:
    return Recordings(x, np.arange(len(x)), 100.0, "mV", group=np.arange(len(x)))


def noise(n: int = 4, channels: int = 2, length: int = LENGTH) -> FloatArray:
    return np.random.default_rng(0).normal(size=(n, channels, length)).astype(np.float32)


def kept(step: Clean, x: FloatArray | list[FloatArray]) -> list[int]:
    return step(recordings(x)).y.tolist()


def test_good_series_stay_untouched() -> None:
    given = recordings(noise())
    assert Clean()(given) == given


@pytest.mark.parametrize("share", [0.0, 0.2, 0.29, 0.7])
def test_the_share_of_missing_values_counts_per_channel_and_may_be_reached(share: float) -> None:
    x = noise()
    missing = round(share * LENGTH)
    x[1, 0, :missing] = np.nan
    x[2, 1, : missing + 1] = np.nan
    result = Clean(max_missing=share)(recordings(x))
    assert result.y.tolist() == [0, 1, 3]
    assert result.dropped == {f"more than {100 * share:g} % missing in a channel": 1}


def test_a_dead_sensor_is_found_in_any_channel_and_beside_missing_values() -> None:
    x = noise(6)
    x[1, 1] = 0
    x[2, 0] = -1234.5
    x[3, 0] = 7
    x[3, 0, ::10] = np.nan
    x[4, 1] = 1000
    x[4, 1, ::2] = np.nextafter(np.float32(1000), np.float32(2000))
    assert kept(Clean(), x) == [0, 5]
    assert Clean()(recordings(x)).dropped == {"a constant channel": 4}
    assert kept(Clean(dead=False), x) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e30])
def test_a_weak_signal_is_not_dead(scale: float) -> None:
    assert kept(Clean(), (noise() * scale).astype(np.float32)) == [0, 1, 2, 3]


def test_a_small_signal_on_a_large_offset_is_not_dead() -> None:
    x = noise()
    x[0] = 1000
    x[0, :, 7] += 0.001
    assert kept(Clean(), x) == [0, 1, 2, 3]


def test_values_at_the_limits_are_valid_and_each_side_is_counted() -> None:
    x = np.clip(noise(5), -0.9, 0.9)
    x[0, 0, 3], x[1, 1, 4] = 0.1 - 1.1, 1.0
    x[2, 0, 5] = np.nextafter(np.float32(1), np.float32(2))
    x[3, 1, 6] = -1.001
    result = Clean(low=-1, high=1)(recordings(x))
    assert result.y.tolist() == [0, 1, 4]
    assert result.dropped == {"a value below -1": 1, "a value above 1": 1}
    assert kept(Clean(low=-1), x) == [0, 1, 2, 4]
    assert kept(Clean(high=1), x) == [0, 1, 3, 4]


def test_a_limit_is_compared_in_the_precision_of_the_series() -> None:
    x = np.clip(noise(), -0.05, 0.05)
    x[0, 0, 0] = 0.1  # a little more than 0.1 in float32
    assert kept(Clean(high=0.1), x) == [0, 1, 2, 3]


def test_missing_values_are_not_out_of_range() -> None:
    x = np.clip(noise(), -1, 1)
    x[1, 0, :5] = np.nan
    assert kept(Clean(low=-1, high=1), x) == [0, 1, 2, 3]


def test_a_wrong_shape_is_dropped_and_what_stays_is_one_array() -> None:
    x = [noise(1)[0], noise(1, length=99)[0], noise(1, channels=3)[0], noise(1)[0] + 1]
    result = Clean(shape=[2, LENGTH])(recordings(x))
    assert result.y.tolist() == [0, 3]
    assert result.dropped == {"not of shape 2 x 100": 2}
    assert np.array_equal(np.asarray(result.x), np.stack([x[0], x[3]]))
    assert isinstance(result.x, np.ndarray)


def test_an_array_of_a_wrong_shape_is_dropped_as_a_whole() -> None:
    result = Clean(shape=[2, 50])(recordings(noise()))
    assert len(result.x) == len(result.y) == 0
    assert result.dropped == {"not of shape 2 x 50": 4}


def test_series_of_different_lengths_are_judged_in_place() -> None:
    x = [noise(1, length=n)[0] for n in (50, 80, 50, 0, 80)]
    x[1][0, :30] = np.nan
    x[2][1] = 3
    result = Clean()(recordings(x))
    assert result.y.tolist() == [0, 4]
    assert isinstance(result.x, list)
    assert [series.shape[1] for series in result.x] == [50, 80]
    assert result.dropped == {"more than 20 % missing in a channel": 1, "a constant channel": 2}


def test_each_series_is_counted_under_its_first_reason_only() -> None:
    x = noise(3)
    x[1] = np.nan  # also has no varying channel
    x[2] = 50  # constant and out of range
    result = Clean(high=10)(recordings(x))
    assert result.dropped == {"more than 20 % missing in a channel": 1, "a constant channel": 1}


def test_counts_add_up_over_earlier_steps() -> None:
    x = noise(4)
    x[0] = 1
    once = Clean()(recordings(x))
    twice = Clean()(
        once.with_series(np.concatenate([np.zeros((1, 2, LENGTH), np.float32), np.asarray(once.x)[1:]]), None)
    )
    assert twice.dropped == {"a constant channel": 2}
    assert twice.group is not None
    assert twice.group.tolist() == [2, 3]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_refused_with_their_place(value: float) -> None:
    x = noise(9)
    x[[3, 7], 1, 5] = value
    with pytest.raises(DataError, match=r"2 series hold infinite values \(the first is number 3 of its piece\)"):
        Clean(low=-1, high=1)(recordings(x))
