"""Bringing series to another length."""

from __future__ import annotations

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.types import FloatArray, Recordings

MIN_LENGTH = 3


class Interpolate:
    """Linear interpolation to ``length`` samples; first and last sample stay where they are.

    There is no low-pass filter before: shortening a series much aliases what lies above the new Nyquist rate.

    Args:
        length: samples per series afterwards.
    """

    def __init__(self, length: int) -> None:
        self.length = _valid(length)

    def __call__(self, recordings: Recordings) -> Recordings:
        """Interpolate all series; the sampling rate changes with the length."""
        if isinstance(recordings.x, list):
            x = np.stack([_interpolated(series[None], self.length)[0] for series in recordings.x])
            return recordings.with_series(x, None)
        old = recordings.x.shape[-1]
        fs_hz = recordings.fs_hz
        if fs_hz is not None and old > 1:
            fs_hz = fs_hz * (self.length - 1) / (old - 1)
        return recordings.with_series(_interpolated(recordings.x, self.length), fs_hz)


class LTTB:
    """Largest-Triangle-Three-Buckets: keeps the ``length`` samples that matter most to the eye.

    The result is not uniformly sampled in time, so the sampling rate is undefined afterwards.

    Args:
        length: samples per series afterwards, fewer than before.

    Source: Steinarsson (2013), Downsampling Time Series for Visual Representation, University of Iceland.
    """

    def __init__(self, length: int) -> None:
        self.length = _valid(length)

    def __call__(self, recordings: Recordings) -> Recordings:
        """Downsample each channel of each series.

        Raises:
            DataError: when a series has fewer samples than asked for.
        """
        from tsdownsample import LTTBDownsampler

        sampler = LTTBDownsampler()  # type: ignore[no-untyped-call]
        shortest = min(series.shape[-1] for series in recordings.x)
        if shortest < self.length:
            raise DataError(
                f"LTTB cannot lengthen series from {shortest} to {self.length} samples; use preprocess=interpolate."
            )
        rows = []
        for series in recordings.x:
            channels = [np.ascontiguousarray(channel) for channel in series]
            rows.append([channel[sampler.downsample(channel, n_out=self.length)] for channel in channels])
        return recordings.with_series(np.asarray(rows, np.float32), None)


def _interpolated(x: FloatArray, length: int) -> FloatArray:
    old = x.shape[-1]
    if old == 0:
        raise DataError("A series of zero length cannot be interpolated; remove it from the raw file.")
    position = np.linspace(0, old - 1, length)
    left = np.floor(position).astype(np.int64)
    right = np.minimum(left + 1, old - 1)
    weight = (position - left).astype(np.float32)
    values: FloatArray = x[..., left] * (1 - weight) + x[..., right] * weight
    return values


def _valid(length: int) -> int:
    if length < MIN_LENGTH:
        raise ConfigError(f"preprocess.length is {length} but must be at least {MIN_LENGTH}.")
    return length
