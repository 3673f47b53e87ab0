"""R peaks of an ECG: Hamilton's detector, and moving what it finds to the nearest maximum."""

from __future__ import annotations

from collections import deque

import numpy as np

from ecgan.types import FloatArray, IntArray

VERSION = "1"
"""Changes when the peaks that are found do."""

BAND_HZ = (3.0, 25.0)
THRESHOLD = 0.475
"""Where between the usual noise peak and the usual QRS peak the line is drawn."""

REMEMBERED = 8
"""Peaks and intervals that the adaptive threshold remembers, and seconds from which it starts."""

POSITIVE_SHARE = 0.85
"""An upright R wave is preferred unless the negative one stands out this much more."""


def hamilton_peaks(x: FloatArray, fs_hz: float) -> IntArray:
    """Find R peaks after Hamilton (2002), Open Source ECG Analysis, Computers in Cardiology 29.

    The signal is filtered, differentiated, rectified and averaged over 80 ms. Peaks of that energy are taken as QRS
    complexes by an adaptive threshold, with rules for larger peaks within 200 ms, baseline shifts, and T waves within
    360 ms; half the threshold suffices from 1.5 usual intervals after the last complex on. The numbers, and how the R
    peak is located in a complex, are those of the detector in the library biosppy 2.2 (BSD licence): on the first lead
    of the 44 unpaced records of MIT-BIH both give the same peaks in 43, and all but 14 of 2,069 in record 207.

    Args:
        x: (T,) signal of one lead, without baseline wander; 8 s at least.
        fs_hz: sampling rate.

    Returns:
        (P,) samples, one per QRS complex, at the extremum of the polarity that stands out.
    """
    energy = _energy(x, fs_hz)
    return _located(x, _complexes(x, energy, fs_hz), fs_hz)


def corrected_peaks(x: FloatArray, peaks: IntArray, reach: int) -> IntArray:
    """Move each peak to the maximum of ``[peak - reach, peak + reach)``; those nearer to an end are left out.

    Returns:
        samples, sorted, without repetitions.
    """
    inside = peaks[(peaks >= reach) & (peaks <= len(x) - reach)]
    return np.unique(inside - reach + x[inside[:, None] + np.arange(-reach, reach)].argmax(axis=1))


def _energy(x: FloatArray, fs_hz: float) -> FloatArray:
    from scipy import signal

    low, high = BAND_HZ
    for cutoff, kind in ((high, "lowpass"), (low, "highpass")):
        x = signal.filtfilt(*signal.butter(4, cutoff, kind, fs=fs_hz), x)
    size = int(0.08 * fs_hz)
    window = np.hamming(size)
    rectified = np.pad(np.abs(np.diff(x)) * fs_hz, size, mode="edge")
    energy: FloatArray = np.convolve(rectified, window / window.sum(), mode="same")[size:-size]
    return energy


def _maxima(x: FloatArray) -> IntArray:
    rising = np.sign(np.diff(x))
    return 1 + np.flatnonzero((rising[:-1] > 0) & (rising[1:] < 0))


def _candidates(energy: FloatArray, reach: int) -> IntArray:
    """Peaks of the energy without a larger one nearer than ``reach``."""
    from scipy.ndimage import maximum_filter1d

    peaks = _maxima(energy)
    only = np.zeros_like(energy)
    only[peaks] = energy[peaks]
    alone: IntArray = peaks[only[peaks] >= maximum_filter1d(only, 2 * reach - 1)[peaks]]
    return alone


def _complexes(x: FloatArray, energy: FloatArray, fs_hz: float) -> IntArray:
    """Decide for each candidate whether it is a QRS complex; each decision moves the threshold for the next."""
    second, refractory, near = int(fs_hz), 0.36 * fs_hz, int(np.ceil(0.045 * fs_hz))
    slope = np.diff(x)
    starts = range(0, REMEMBERED * second, second)
    qrs = deque((float(energy[start : start + second].max(initial=0)) for start in starts), REMEMBERED)
    noise, intervals = deque([0.0] * REMEMBERED, REMEMBERED), deque([fs_hz] * REMEMBERED, REMEMBERED)
    found: list[int] = []
    steepest = 0.0
    for peak in _candidates(energy, int(np.ceil(0.2 * fs_hz))).tolist():
        height, elapsed = float(energy[peak]), peak - found[-1] if found else 0
        usual = _median(noise)
        threshold = usual + THRESHOLD * (_median(qrs) - usual)
        slopes = slope[max(0, peak - near) : peak + near - 1]
        rise = float(slopes.max())
        if height > threshold:
            shift = rise <= 0 or slopes.min() > 0
            t_wave = 0 < elapsed < refractory and rise < steepest / 2
            if shift or t_wave:
                continue
        elif elapsed <= refractory or elapsed < 1.5 * _median(intervals):
            noise.append(height)
            continue
        elif height <= threshold / 2:
            continue
        if found:
            intervals.append(elapsed)
        found.append(peak)
        qrs.append(height)
        steepest = rise
    return np.asarray(found, np.int64)


def _median(values: deque[float]) -> float:
    """Median of an even number of values; numpy's takes most of the time here."""
    ordered = sorted(values)
    return (ordered[REMEMBERED // 2 - 1] + ordered[REMEMBERED // 2]) / 2


def _located(x: FloatArray, complexes: IntArray, fs_hz: float) -> IntArray:
    """The largest maximum or minimum within 200 ms of each complex, whichever stands out from others of its kind."""
    reach, apart = int(np.ceil(0.2 * fs_hz)), int(0.05 * fs_hz)
    located = []
    for peak in complexes.tolist():
        start = max(0, peak - reach)
        window = x[start : peak + reach]
        (top, above), (bottom, below) = _largest(window, apart), _largest(-window, apart)
        located.append(start + (top if above > POSITIVE_SHARE * below else bottom))
    return np.asarray(located, np.int64)


def _largest(x: FloatArray, apart: int) -> tuple[int, float]:
    """Position of the largest maximum, and its height above the next one further than ``apart`` samples away."""
    maxima = _maxima(x)
    if not maxima.size:
        return int(x.argmax()), 0.0
    first = int(maxima[x[maxima].argmax()])
    others = x[maxima[np.abs(maxima - first) > apart]]
    return first, float(x[first] - (others.max() if others.size else x.min()))
