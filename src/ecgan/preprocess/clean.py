"""Leaving out series that cannot be used, with a count of each reason."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.series import Many, incomplete, judged
from ecgan.types import BoolArray, FloatArray, Recordings


class Clean:
    """Drops series of a wrong shape, with much missing, with a dead sensor, or with values out of range.

    Each dropped series is counted under the first reason that holds, in the order of the arguments. What is missing
    in the series that stay is for ``impute``.

    Args:
        shape: channels and samples that a series must have; null for any. Where it is set, series that came as a list
            leave as one array.
        max_missing: largest share of missing values (NaN) in any channel.
        dead: whether to drop series with a constant channel. A channel is constant when it varies by no more than
            float32 can tell apart at its largest value; missing values do not count.
        low: smallest valid value in the unit of the data, null for none.
        high: largest valid value, null for none.
    """

    version: ClassVar[str] = "1"

    def __init__(
        self,
        shape: list[int] | None = None,
        max_missing: float = 0.2,
        dead: bool = True,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        if shape is not None and (len(shape) != 2 or min(shape) < 1):  # noqa: PLR2004 - channels and samples
            raise ConfigError(f"Clean takes shape=[channels, samples], both at least 1, but got {shape}.")
        if not 0 <= max_missing <= 1:
            raise ConfigError(f"Clean takes a share from 0 to 1 as max_missing, but got {max_missing}.")
        if low is not None and high is not None and not low < high:
            raise ConfigError(f"Clean takes a low below high, but got {low} and {high}.")
        self.shape = None if shape is None else (shape[0], shape[1])
        self.max_missing, self.dead, self.low, self.high = max_missing, dead, low, high

    def __call__(self, recordings: Recordings) -> Recordings:
        """Leave out what cannot be used.

        Raises:
            DataError: when a value is infinite, which no sensor measures and only a wrong file or reader gives.
        """
        _refuse_infinite(recordings.x)
        kept = self._of_shape(recordings)
        percent = f"{100 * self.max_missing:g}"
        gappy = judged(kept.x, lambda x: incomplete(x, self.max_missing))
        kept = kept.keep(~gappy, f"more than {percent} % missing in a channel")
        if self.dead:
            kept = kept.keep(~judged(kept.x, _constant), "a constant channel")
        low, high = self.low, self.high
        if low is not None:
            kept = kept.keep(~judged(kept.x, lambda x: np.any(x < low, axis=(1, 2))), f"a value below {low:g}")
        if high is not None:
            kept = kept.keep(~judged(kept.x, lambda x: np.any(x > high, axis=(1, 2))), f"a value above {high:g}")
        return kept

    def _of_shape(self, recordings: Recordings) -> Recordings:
        if self.shape is None:
            return recordings
        fits = judged(recordings.x, lambda x: np.full(len(x), x.shape[1:] == self.shape))
        kept = recordings.keep(fits, f"not of shape {self.shape[0]} x {self.shape[1]}")
        if isinstance(kept.x, list):
            return replace(kept, x=np.stack(kept.x) if kept.x else np.empty((0, *self.shape), np.float32))
        return kept


def _constant(x: FloatArray) -> BoolArray:
    # an empty or missing channel has the range minus infinity here, and so is constant
    largest = np.fmax.reduce(x, axis=-1, initial=-np.inf)
    smallest = np.fmin.reduce(x, axis=-1, initial=np.inf)
    tolerance = np.finfo(np.float32).eps * np.maximum(np.abs(largest), np.abs(smallest))
    constant: BoolArray = (largest - smallest <= tolerance).any(axis=1)
    return constant


def _refuse_infinite(x: Many) -> None:
    infinite = np.flatnonzero(judged(x, lambda stacked: np.isinf(stacked).any(axis=(1, 2))))
    if infinite.size:
        raise DataError(
            f"{infinite.size} series hold infinite values (the first is number {infinite[0]} of its piece); repair or "
            "remove them in the raw file."
        )
