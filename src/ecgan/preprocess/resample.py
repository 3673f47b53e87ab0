"""Bringing series to another length or sampling rate."""

from __future__ import annotations

from fractions import Fraction
from itertools import repeat
from math import ceil
from typing import Any, ClassVar

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.series import Many, known_rate, mapped, refuse_missing, stacked_if_equal
from ecgan.types import FloatArray, Recordings

MIN_LENGTH = 3
LINE = 2  # samples that the line needs along which polyphase continues a series
LARGEST_RATIO = 1000
RATE_TOLERANCE = 1e-3
BLOCK = 256  # channels whose picks fit into the cache together


class Interpolate:
    """Linear interpolation to ``length`` samples; first and last sample stay where they are.

    There is no low-pass filter before: shortening a series much aliases what lies above the new Nyquist rate. Use
    ``polyphase`` where that matters.

    Args:
        length: samples per series afterwards.
    """

    version: ClassVar[str] = "2"

    def __init__(self, length: int) -> None:
        self.length = _valid(length)

    def __call__(self, recordings: Recordings) -> Recordings:
        """Interpolate all series.

        Their sampling rate changes with their length. Series that come as a list, as those of different lengths do,
        have no common rate afterwards, so it is undefined; where the records of a data set differ in length but those
        within each do not, their rates differ, and no store is made of them.

        Raises:
            DataError: when series are empty or incomplete.
        """
        refuse_missing(recordings.x, "Interpolate")
        x = stacked_if_equal(mapped(recordings.x, lambda stacked: _interpolated(stacked, self.length)))
        if isinstance(recordings.x, list):
            return recordings.with_series(x, None)
        old, fs_hz = recordings.x.shape[-1], recordings.fs_hz
        if fs_hz is not None and old > 1:
            fs_hz = fs_hz * (self.length - 1) / (old - 1)
        return recordings.with_series(x, fs_hz)


class LTTB:
    """Largest-Triangle-Three-Buckets: keeps the ``length`` samples that matter most to the eye.

    Each channel keeps samples of its own choice at unequal distances, so the sampling rate is undefined afterwards,
    filters and ``polyphase`` refuse the series, and channels are no longer sampled at the same moments.

    Args:
        length: samples per series afterwards, at most as many as before.

    Source: Steinarsson (2013), Downsampling Time Series for Visual Representation, University of Iceland.
    """

    version: ClassVar[str] = "2"
    note: ClassVar[str] = "LTTB keeps samples at unequal distances, so the sampling rate is undefined"

    def __init__(self, length: int) -> None:
        self.length = _valid(length)

    def __call__(self, recordings: Recordings) -> Recordings:
        """Downsample each channel of each series.

        Raises:
            DataError: when a series has fewer samples than asked for, or is incomplete.
        """
        refuse_missing(recordings.x, "LTTB")
        shortest = min((series.shape[-1] for series in recordings.x), default=self.length)
        if shortest < self.length:
            raise DataError(
                f"LTTB cannot lengthen series from {shortest} to {self.length} samples; use preprocess=interpolate."
            )
        return recordings.with_series(stacked_if_equal(mapped(recordings.x, self._downsampled)), None)

    def _downsampled(self, x: FloatArray) -> FloatArray:
        total = x.shape[-1]
        # below the library's checks: its functions take these two types only, in the byte order of the machine
        narrow = x.dtype.kind == "f" and x.dtype.itemsize <= np.dtype(np.float32).itemsize
        channels = np.ascontiguousarray(x, np.float32 if narrow else np.float64)
        channels = channels.reshape(x.shape[0] * x.shape[1], total)
        kept = np.empty((len(channels), self.length), channels.dtype)
        starts = total * np.arange(BLOCK)[:, None]
        positions = _lttb(channels.dtype)
        for first in range(0, len(channels), BLOCK):
            block = channels[first : first + BLOCK]
            picks = np.concatenate(list(map(positions, block, repeat(self.length)))).view(np.intp)
            picks = picks.reshape(-1, self.length)
            picks += starts[: len(block)]
            # unlike "raise", the mode "clip" needs no buffer
            block.reshape(-1).take(picks, out=kept[first : first + BLOCK], mode="clip")
        return kept.reshape(*x.shape[:-1], self.length)


class Polyphase:
    """Resamples to another rate with a low-pass filter, so that nothing is aliased.

    The ratio of the rates is approximated by a fraction of whole numbers up to 1000. The rate recorded is ``fs_hz``, so
    that records of all rates get the same one; what results differs from it by 0.1 % at most, else it is refused.
    Outside its ends a series is continued along the line through its first and last sample.

    Args:
        fs_hz: sampling rate afterwards.
    """

    version: ClassVar[str] = "2"

    def __init__(self, fs_hz: float) -> None:
        if not 0 < fs_hz < np.inf:
            raise ConfigError(f"Polyphase takes an fs_hz above 0, but got {fs_hz}.")
        self.fs_hz = fs_hz

    def __call__(self, recordings: Recordings) -> Recordings:
        """Resample all series to ceil(length x new rate / old rate) samples.

        Raises:
            DataError: when the sampling rate is unknown, or series have fewer than two samples or are incomplete.
        """
        from scipy.signal import resample_poly

        old = known_rate(recordings.fs_hz, "Polyphase")
        ratio = Fraction(self.fs_hz / old).limit_denominator(LARGEST_RATIO)
        if abs(float(ratio) * old / self.fs_hz - 1) > RATE_TOLERANCE or ratio.numerator > LARGEST_RATIO:
            raise DataError(
                f"Polyphase cannot bring {old:g} Hz to {self.fs_hz:g} Hz by a ratio of whole numbers up to "
                f"{LARGEST_RATIO}; choose another fs_hz."
            )
        _refuse_short(recordings.x)
        refuse_missing(recordings.x, "Polyphase")

        def resampled(x: FloatArray) -> FloatArray:
            if not len(x):
                return np.empty((*x.shape[:-1], ceil(x.shape[-1] * ratio)), x.dtype)
            y = resample_poly(x.astype(np.float64), ratio.numerator, ratio.denominator, axis=-1, padtype="line")
            return np.asarray(y, x.dtype)

        return recordings.with_series(mapped(recordings.x, resampled), float(self.fs_hz))


class FixedRate:
    """Keeps every ``stride``-th sample, from the first on.

    There is no low-pass filter before: what lies above the new Nyquist rate is aliased and cannot be told from signal
    afterwards. Use ``polyphase`` unless the series hold nothing there.

    Args:
        stride: distance of the samples kept.
    """

    version: ClassVar[str] = "1"

    def __init__(self, stride: int) -> None:
        if stride < 1:
            raise ConfigError(f"FixedRate takes a stride of at least 1, but got {stride}.")
        self.stride = stride

    def __call__(self, recordings: Recordings) -> Recordings:
        """Take the samples; the sampling rate is divided by the stride."""
        x = mapped(recordings.x, lambda stacked: np.ascontiguousarray(stacked[..., :: self.stride]))
        return recordings.with_series(x, None if recordings.fs_hz is None else recordings.fs_hz / self.stride)


def _lttb(dtype: np.dtype[Any]) -> Any:
    """Function (T,), length -> (length,) positions. Calling it without the class's checks is several times as fast."""
    from tsdownsample import LTTBDownsampler

    functions = LTTBDownsampler().mod_single_core  # type: ignore[no-untyped-call]
    return functions.downsample_f32 if dtype == np.float32 else functions.downsample_f64


def _interpolated(x: FloatArray, length: int) -> FloatArray:
    _refuse_empty(x)
    if not len(x):
        return np.empty((*x.shape[:-1], length), x.dtype)
    old = x.shape[-1]
    position = np.linspace(0, old - 1, length)
    left = np.floor(position).astype(np.int64)
    right = np.minimum(left + 1, old - 1)
    weight = (position - left).astype(x.dtype)
    values: FloatArray = x[..., left] * (1 - weight) + x[..., right] * weight
    return values


def _refuse_empty(x: FloatArray) -> None:
    if len(x) and x.shape[-1] == 0:
        raise DataError("A series of zero length cannot be resampled; remove it from the raw file.")


def _refuse_short(x: Many) -> None:
    shortest = min((series.shape[-1] for series in x), default=LINE)
    if shortest < LINE:
        raise DataError(
            f"Polyphase needs at least {LINE} samples per series, but the shortest has {shortest}; drop short series "
            "by window."
        )


def _valid(length: int) -> int:
    if length < MIN_LENGTH:
        raise ConfigError(f"preprocess.length is {length} but must be at least {MIN_LENGTH}.")
    return length
