"""Scaling, fitted on the training part of a fold only and never stored with the data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

import numpy as np

from ecgan.errors import DataError
from ecgan.types import FloatArray


class Transform(Protocol):
    """Fitted on training chunks, then applied to any batch of shape (B, C, T)."""

    value_range: tuple[float, float] | None

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Learn from chunks of training series, each (n, C, T)."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """Transform (B, C, T)."""

    def state(self) -> dict[str, Any]:
        """What was learned, as plain data for ``transform.json``."""


class Identity:
    """Leaves series as they are."""

    value_range: ClassVar[tuple[float, float] | None] = None

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Learn nothing."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return x."""
        return x

    def state(self) -> dict[str, Any]:
        """Nothing was learned."""
        return {}


class PerSeries:
    """Scales each channel of each series on its own to [-1, 1]; a constant channel becomes 0.

    Nothing is fitted, so nothing can leak; the amplitude of a series is lost.
    """

    value_range: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Learn nothing: each series has its own scale."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """Scale (B, C, T)."""
        low = x.min(axis=2, keepdims=True)
        width = x.max(axis=2, keepdims=True) - low
        constant = width == 0
        scaled: FloatArray = (x - low) / np.where(constant, 1, width) * 2 - 1
        return np.where(constant, np.float32(0), scaled)

    def state(self) -> dict[str, Any]:
        """Nothing was learned."""
        return {}


class MinMax:
    """Scales each channel with the smallest and largest training value to [-1, 1].

    Values outside the training range are not clipped: they may be what is abnormal.
    """

    value_range: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    def __init__(self) -> None:
        self.low: FloatArray | None = None
        self.high: FloatArray | None = None

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Find the extremes of each channel.

        Raises:
            DataError: when a channel is constant over all training series.
        """
        extremes = [(chunk.min(axis=(0, 2)), chunk.max(axis=(0, 2))) for chunk in chunks]
        low = np.min([pair[0] for pair in extremes], axis=0)
        high = np.max([pair[1] for pair in extremes], axis=0)
        _refuse_constant(high - low, "minmax")
        self.low, self.high = low.astype(np.float32), high.astype(np.float32)

    def __call__(self, x: FloatArray) -> FloatArray:
        """Scale (B, C, T)."""
        low, high = _fitted(self.low, self.high)
        scaled: FloatArray = (x - low[:, None]) / (high - low)[:, None] * 2 - 1
        return scaled

    def state(self) -> dict[str, Any]:
        """Lowest and highest training value of each channel."""
        low, high = _fitted(self.low, self.high)
        return {"low": low.tolist(), "high": high.tolist()}


class Standard:
    """Subtracts the mean and divides by the standard deviation of each channel over the training part."""

    value_range: ClassVar[tuple[float, float] | None] = None

    def __init__(self) -> None:
        self.mean: FloatArray | None = None
        self.std: FloatArray | None = None

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Accumulate mean and variance in float64 (Chan et al. 1979, so that large offsets do no harm).

        Raises:
            DataError: when a channel is constant over all training series.
        """
        count, mean, squares = 0, np.zeros(1), np.zeros(1)
        for chunk in chunks:
            values = np.asarray(chunk, np.float64)
            n = values.shape[0] * values.shape[2]
            own = values.mean(axis=(0, 2))
            shift = own - mean
            squares = squares + values.var(axis=(0, 2)) * n + shift**2 * count * n / (count + n)
            mean = mean + shift * n / (count + n)
            count += n
        std = np.sqrt(squares / count)
        _refuse_constant(std, "standard")
        self.mean, self.std = mean.astype(np.float32), std.astype(np.float32)

    def __call__(self, x: FloatArray) -> FloatArray:
        """Scale (B, C, T)."""
        mean, std = _fitted(self.mean, self.std)
        scaled: FloatArray = (x - mean[:, None]) / std[:, None]
        return scaled

    def state(self) -> dict[str, Any]:
        """Training mean and standard deviation of each channel."""
        mean, std = _fitted(self.mean, self.std)
        return {"mean": mean.tolist(), "std": std.tolist()}


def _fitted(first: FloatArray | None, second: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    if first is None or second is None:
        raise RuntimeError("the transform is used before it was fitted")
    return first, second


def _refuse_constant(width: FloatArray, name: str) -> None:
    constant = np.flatnonzero(width == 0)
    if constant.size:
        raise DataError(
            f"Channel {constant[0]} is constant over the training part, so transform={name} cannot scale it; "
            "remove the channel or use transform=per_series."
        )
