"""Choosing channels by number."""

from __future__ import annotations

import numpy as np
import pytest

from ecgan.errors import DataError
from ecgan.preprocess.channels import Channels
from ecgan.types import Recordings


def test_channels_come_in_the_order_given() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 10)).astype(np.float32)
    result = Channels([3, 1])(Recordings(x, np.arange(3), 100.0, "mV"))
    assert np.array_equal(np.asarray(result.x), np.stack([x[:, 3], x[:, 1]], axis=1))
    assert (result.fs_hz, result.y.tolist()) == (100.0, [0, 1, 2])


def test_series_may_differ_in_what_is_not_kept() -> None:
    x = [np.ones((2, 5), np.float32), 2 * np.ones((4, 7), np.float32)]
    result = Channels([1])(Recordings(x, np.arange(2), 100.0, "mV"))
    assert [series.tolist() for series in result.x] == [[[1] * 5], [[2] * 7]]


@pytest.mark.parametrize("rows", [0, 3])
def test_a_channel_that_is_not_there_is_refused(rows: int) -> None:
    given = Recordings(np.zeros((rows, 2, 5), np.float32), np.zeros(rows, int), 100.0, "mV")
    with pytest.raises(DataError, match="shall keep number 2, but a series has only 2 channels"):
        Channels([0, 2])(given)
    ragged = given.with_series([np.zeros((3, 5), np.float32), np.zeros((2, 5), np.float32)], 100.0)
    with pytest.raises(DataError, match="number 2"):
        Channels([2])(ragged)
