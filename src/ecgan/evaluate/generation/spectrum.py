"""Distance between mean power spectra: do generated series oscillate as the real ones do?

Periodograms are one-sided, without a taper and without the mean of the series (frequency 0). They are averaged over a
set and divided by their sum over all frequencies, for each channel. The distance in a channel is the share of power
that two such spectra do not have in common, 1 - sum_f min(p_f, q_f), which is half their L1 distance; the distance of
two sets is the mean over channels. It lies between 0 and 1 and knows neither level nor amplitude.
"""

from __future__ import annotations

import numpy as np

from ecgan.evaluate.generation.resampling import NAN, weighted_means
from ecgan.types import FloatArray

CHUNK = 4_000_000
ROUNDING = 1e-12
"""Power relative to the squared values, below which a series is constant but for rounding of single precision."""


def periodograms(x: FloatArray) -> FloatArray:
    """Power of series (N, C, T) at the frequencies 1/T, 2/T, ... up to a half: (N, C, T // 2) float64."""
    step = max(1, CHUNK // int(np.prod(x.shape[1:])))
    return np.concatenate([_periodograms(x[i : i + step].astype(np.float64)) for i in range(0, len(x), step)])


def spectrum_distance(x: FloatArray, y: FloatArray) -> float:
    """Distance between the mean spectra of periodograms (N, C, F) and (M, C, F), see the module."""
    return float(_unshared(x.mean(0), y.mean(0)))


def spectrum_replicates(x: FloatArray, y: FloatArray, draws: int, seed: int = 0) -> FloatArray:
    """The same of resampled sets: (draws,)."""
    return _unshared(weighted_means(x, draws, seed), weighted_means(y, draws, seed + 1))


def _periodograms(x: FloatArray) -> FloatArray:
    n = x.shape[-1]
    power: FloatArray = np.abs(np.fft.rfft(x))[..., 1:] ** 2 / n**2
    power[..., : (n - 1) // 2] *= 2  # a frequency below one half stands for its negative, too
    return np.where(power.sum(-1, keepdims=True) > ROUNDING * (x**2).mean(-1, keepdims=True), power, 0.0)


def _unshared(x: FloatArray, y: FloatArray) -> FloatArray:
    """Unshared power of mean periodograms (..., C, F): (...,); channels where both are constant do not count."""
    power_x, power_y = x.sum(-1, keepdims=True), y.sum(-1, keepdims=True)
    counted = ((power_x > 0) | (power_y > 0))[..., 0]
    p, q = (np.divide(a, s, out=np.zeros_like(a), where=s > 0) for a, s in ((x, power_x), (y, power_y)))
    unshared = np.where(counted, 1 - np.minimum(p, q).sum(-1), 0.0).sum(-1)
    channels = counted.sum(-1)
    distance: FloatArray = np.divide(unshared, channels, out=np.full(channels.shape, NAN), where=channels > 0)
    return np.maximum(distance, 0)
