"""Scaling, fitted on the training part of a fold only and never stored with the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from ecgan.errors import DataError
from ecgan.types import FloatArray

SAMPLED = 2**24
"""Up to so many values ``Robust`` is exact; they take 64 MB."""
FEWEST = 100
"""Series that it draws at least, however long they are."""


class Transform(Protocol):
    """Fitted on training chunks, then applied to any batch of shape (B, C, T), each series on its own."""

    learned: dict[str, FloatArray]

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Range of the transformed training series, None where it is unbounded."""

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Learn from chunks of training series, each (n, C, T)."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """Transform (B, C, T)."""

    def inverse(self, x: FloatArray, like: FloatArray | None = None) -> FloatArray:
        """Bring transformed series (B, C, T) back to the original unit.

        Args:
            x: transformed series, such as reconstructions or generated ones.
            like: (B, C, T) the originals in their own unit where there are any; for a transform that forgets
                something of each series, such as its amplitude.
        """

    def shape(self, channels: int, seq_len: int) -> tuple[int, int]:
        """Channels and samples of what comes out for series of this many channels and samples."""

    def state(self) -> dict[str, Any]:
        """What was learned, as plain data for ``transform.json``; equal for equal training parts."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state`` gave, instead of fitting.

        Raises:
            RunError: when ``state`` holds a checksum in place of large arrays; those of ``learned`` serve then.
        """


class BaseTransform:
    """Keeps the shape and what it has learned: arrays by name, listed in ``learns``.

    A subclass implements ``fit``, which fills ``learned``, ``__call__`` and ``inverse``.
    """

    value_range: ClassVar[tuple[float, float] | None] = None
    learns: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.learned: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        """What was learned under a name."""
        if name not in self.learned:
            raise RuntimeError("the transform is used before it was fitted")
        return self.learned[name]

    def shape(self, channels: int, seq_len: int) -> tuple[int, int]:
        """The shape stays."""
        return channels, seq_len

    def state(self) -> dict[str, Any]:
        """Lists of what was learned, one value per channel."""
        return {name: self[name].tolist() for name in self.learns}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.learned = {name: np.asarray(state[name], np.float32) for name in self.learns}


class Identity(BaseTransform):
    """Leaves series as they are."""

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Learn nothing."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return x."""
        return x

    def inverse(self, x: FloatArray, like: FloatArray | None = None) -> FloatArray:
        """Return x."""
        return x


class PerSeries(BaseTransform):
    """Scales each channel of each series on its own to [-1, 1]; a constant channel becomes 0.

    The result depends on the series alone, so nothing can leak; the amplitude of a series is lost. The way back takes
    it from the original where there is one. A generated series has no amplitude of its own: it gets the usual one,
    that is the medians of the lowest value and of the width of the training series, all that is learned here.
    """

    value_range: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)
    learns: ClassVar[tuple[str, ...]] = ("usual_low", "usual_width")

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Learn the usual lowest value and width of each channel; the transform itself does not use them."""
        lows, highs = zip(*((chunk.min(axis=2), chunk.max(axis=2)) for chunk in chunks), strict=True)
        low, high = np.concatenate(lows), np.concatenate(highs)
        self.learned = {
            "usual_low": np.median(low, axis=0).astype(np.float32),
            "usual_width": np.median(high - low, axis=0).astype(np.float32),
        }

    def __call__(self, x: FloatArray) -> FloatArray:
        """Scale (B, C, T)."""
        low = x.min(axis=2, keepdims=True)
        width = x.max(axis=2, keepdims=True) - low
        constant = width == 0
        scaled: FloatArray = (x - low) / np.where(constant, 1, width) * 2 - 1
        return np.where(constant, np.float32(0), scaled)

    def inverse(self, x: FloatArray, like: FloatArray | None = None) -> FloatArray:
        """Give (B, C, T) the lowest value and the width of ``like``, or the usual ones of the training series."""
        if like is None:
            low, width = self["usual_low"][:, None], self["usual_width"][:, None]
        else:
            low = like.min(axis=2, keepdims=True)
            width = like.max(axis=2, keepdims=True) - low
        original: FloatArray = (x + 1) / 2 * width + low
        return original


class PerChannel(BaseTransform):
    """Base of what subtracts one number from each channel and divides by another; ``affine`` names both."""

    def affine(self) -> tuple[FloatArray, FloatArray]:
        """What is subtracted and what is divided by, (C,) each."""
        raise NotImplementedError

    def __call__(self, x: FloatArray) -> FloatArray:
        """Scale (B, C, T)."""
        shift, scale = self.affine()
        scaled: FloatArray = (x - shift[:, None]) / scale[:, None]
        return scaled if self.value_range is None else scaled + np.float32(self.value_range[0])

    def inverse(self, x: FloatArray, like: FloatArray | None = None) -> FloatArray:
        """Bring (B, C, T) back to the original unit."""
        shift, scale = self.affine()
        above = x if self.value_range is None else x - np.float32(self.value_range[0])
        original: FloatArray = above * scale[:, None] + shift[:, None]
        return original


class MinMax(PerChannel):
    """Scales each channel with the smallest and largest training value to [-1, 1].

    Values outside the training range are not clipped: they may be what is abnormal.
    """

    value_range: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)
    learns: ClassVar[tuple[str, ...]] = ("low", "high")

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Find the extremes of each channel.

        Raises:
            DataError: when a channel is constant over all training series.
        """
        extremes = [(chunk.min(axis=(0, 2)), chunk.max(axis=(0, 2))) for chunk in chunks]
        low = np.min([pair[0] for pair in extremes], axis=0)
        high = np.max([pair[1] for pair in extremes], axis=0)
        refuse_constant(high - low, "minmax")
        self.learned = {"low": low.astype(np.float32), "high": high.astype(np.float32)}

    def affine(self) -> tuple[FloatArray, FloatArray]:
        """The lowest value, which becomes -1, and half the range."""
        return self["low"], (self["high"] - self["low"]) / 2


class Standard(PerChannel):
    """Subtracts the mean and divides by the standard deviation of each channel over the training part."""

    learns: ClassVar[tuple[str, ...]] = ("mean", "std")

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
        refuse_constant(std, "standard")
        self.learned = {"mean": mean.astype(np.float32), "std": std.astype(np.float32)}

    def affine(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation."""
        return self["mean"], self["std"]


class Robust(PerChannel):
    """Subtracts the median and divides by the interquartile range of each channel over the training part.

    Outliers have no influence on either. Both are exact up to 2^24 training values (16.8 million); of more, they are
    those of a random sample of half of the series, or a quarter, and so on, that has at most so many values. The draw
    is the same for the same training part, in whatever chunks it comes.
    """

    learns: ClassVar[tuple[str, ...]] = ("median", "iqr")

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Find the quartiles of each channel.

        Raises:
            DataError: when half of the training values of a channel are equal.
        """
        x = _sample(chunks, SAMPLED)
        values = x.transpose(1, 0, 2).reshape(x.shape[1], -1)
        first, median, third = np.quantile(values, [0.25, 0.5, 0.75], axis=1)
        equal = np.flatnonzero(third == first)
        if equal.size:
            raise DataError(
                f"Half of the training values of channel {equal[0]} are equal, so transform=robust cannot scale it; "
                "use transform=standard or transform=per_series."
            )
        self.learned = {"median": median.astype(np.float32), "iqr": (third - first).astype(np.float32)}

    def affine(self) -> tuple[FloatArray, FloatArray]:
        """Median and interquartile range."""
        return self["median"], self["iqr"]


def refuse_constant(width: FloatArray, name: str) -> None:
    """Refuse channels of no width.

    Raises:
        DataError: naming the first of them.
    """
    constant = np.flatnonzero(width == 0)
    if constant.size:
        raise DataError(
            f"Channel {constant[0]} is constant over the training part, so transform={name} cannot scale it; "
            "remove the channel or use transform=per_series."
        )


def _sample(chunks: Iterable[FloatArray], limit: int) -> FloatArray:
    """Series with at most ``limit`` values in all: each draws a number in [0, 1), and the lowest are kept."""
    rng = np.random.default_rng(0)
    kept: list[FloatArray] = []
    numbers: list[FloatArray] = []
    share, size = 1.0, 0
    for chunk in chunks:
        drawn = rng.random(len(chunk))
        kept.append(chunk[drawn < share])
        numbers.append(drawn[drawn < share])
        size += kept[-1].size
        while size > max(limit, FEWEST * chunk[0].size):
            share /= 2
            kept = [x[number < share] for x, number in zip(kept, numbers, strict=True)]
            numbers = [number[number < share] for number in numbers]
            size = sum(x.size for x in kept)
    return np.concatenate(kept)
