"""Zero-phase filters over time."""

from __future__ import annotations

from math import ceil
from typing import ClassVar, Literal

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.series import known_rate, mapped, refuse_missing
from ecgan.types import FloatArray, Recordings

BASELINE_ORDER = 2


class BaselineWander:
    """Removes slow drift by a Butterworth high-pass of second order, run forwards and backwards.

    Run twice, it leaves the phase alone and halves the amplitude at the cut-off. At its ends a series is continued
    point-symmetrically over one period of the cut-off (2 s at 0.5 Hz), so series must be longer than that: drift
    cannot be told from signal in less.

    Args:
        cutoff_hz: cut-off in Hz.

    Source of the cut-off: Kligfield et al. (2007), Recommendations for the standardization and interpretation of the
    electrocardiogram, Circulation 115, doi:10.1161/CIRCULATIONAHA.106.180200.
    """

    version: ClassVar[str] = "1"

    def __init__(self, cutoff_hz: float = 0.5) -> None:
        if not cutoff_hz > 0:
            raise ConfigError(f"BaselineWander takes a cutoff_hz above 0, but got {cutoff_hz}.")
        self.cutoff_hz = cutoff_hz

    def __call__(self, recordings: Recordings) -> Recordings:
        """Filter each channel of each series.

        Raises:
            DataError: when the sampling rate is unknown or too low, or series are too short or incomplete.
        """
        return _filtered(recordings, "BaselineWander", BASELINE_ORDER, [self.cutoff_hz], "highpass")


class BandPass:
    """Keeps a band of frequencies by a Butterworth filter, run forwards and backwards.

    Run twice, it leaves the phase alone, falls off twice as steeply and halves the amplitude at both cut-offs. At its
    ends a series is continued point-symmetrically over one period of the lower cut-off, so series must be longer.

    Args:
        low_hz: lower cut-off in Hz.
        high_hz: upper cut-off in Hz, below half the sampling rate.
        order: order of the low-pass that the band-pass is made from.
    """

    version: ClassVar[str] = "1"

    def __init__(self, low_hz: float = 0.5, high_hz: float = 40.0, order: int = 2) -> None:
        if not 0 < low_hz < high_hz:
            raise ConfigError(f"BandPass takes 0 < low_hz < high_hz, but got {low_hz} and {high_hz}.")
        if order < 1:
            raise ConfigError(f"BandPass takes an order of at least 1, but got {order}.")
        self.low_hz, self.high_hz, self.order = low_hz, high_hz, order

    def __call__(self, recordings: Recordings) -> Recordings:
        """Filter each channel of each series.

        Raises:
            DataError: when the sampling rate is unknown or too low, or series are too short or incomplete.
        """
        return _filtered(recordings, "BandPass", self.order, [self.low_hz, self.high_hz], "bandpass")


def _filtered(
    recordings: Recordings, step: str, order: int, cutoffs_hz: list[float], kind: Literal["highpass", "bandpass"]
) -> Recordings:
    from scipy.signal import butter, sosfiltfilt

    fs_hz = known_rate(recordings.fs_hz, step)
    if max(cutoffs_hz) >= fs_hz / 2:
        raise DataError(
            f"{step} cannot cut off at {max(cutoffs_hz):g} Hz, since the sampling rate is {fs_hz:g} Hz and only "
            f"frequencies below {fs_hz / 2:g} Hz exist; lower the cut-off."
        )
    period = ceil(fs_hz / min(cutoffs_hz))
    shortest = min((series.shape[-1] for series in recordings.x), default=period + 1)
    if shortest <= period:
        raise DataError(
            f"{step} at {min(cutoffs_hz):g} Hz needs more than {period} samples per series (one period), but the "
            f"shortest has {shortest}; filter before cutting, raise the cut-off, or drop short series by window."
        )
    refuse_missing(recordings.x, step)
    sections = butter(order, np.squeeze(cutoffs_hz), kind, fs=fs_hz, output="sos")

    def both_ways(x: FloatArray) -> FloatArray:
        if not len(x):
            return x
        return np.asarray(sosfiltfilt(sections, x, padlen=period), x.dtype)

    return recordings.with_series(mapped(recordings.x, both_ways), fs_hz)
