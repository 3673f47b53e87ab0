"""Cutting long series into heartbeats that are scaled and padded one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, NamedTuple

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.series import known_rate, refuse_missing, same_shape
from ecgan.types import FloatArray, IntArray, Recordings

VERSION = "1"
"""Changes when what ``cut_beats`` or ``find_beats`` gives does."""

MIN_SAMPLES = 3
"""A peak has a neighbor on each side."""


class Found(NamedTuple):
    """Beats found in windows.

    Attributes:
        window: (B,) number of the window that beat b lies in.
        start: (B,) its first sample in the window.
        stop: (B,) the sample after its last one.
        dropped: what was left out, by reason.
    """

    window: IntArray
    start: IntArray
    stop: IntArray
    dropped: Mapping[str, int]


def cut_beats(x: FloatArray, start: IntArray, stop: IntArray, length: int, stride: int = 1) -> FloatArray:
    """Cut beats out of a series, scale each to [0, 1] over its whole extent, then cut or pad it to ``length``.

    Beats may overlap. Each channel is scaled on its own, a flat one becomes zeros. Padding is zeros at the end, so a
    zero may be the smallest value of the beat or no value at all.

    Args:
        x: (C, T).
        start: (B,) first sample of each beat.
        stop: (B,) the sample after its last one, greater than ``start``; the end of the series ends a beat too.
        length: samples per beat afterwards.
        stride: distance of the samples kept; there is no low-pass filter before.

    Returns:
        (B, C, length) float32.
    """
    beats = np.zeros((len(start), x.shape[0], length), np.float32)
    if not len(start):
        return beats
    stop = np.minimum(stop, x.shape[1])
    at = start[:, None] + stride * np.arange(-(-int((stop - start).max()) // stride))
    inside = at < stop[:, None]
    values = x[:, np.where(inside, at, start[:, None])]  # the first sample again changes neither minimum nor maximum
    low, high = values.min(axis=-1, keepdims=True), values.max(axis=-1, keepdims=True)
    scaled = np.where(inside, (values - low) / np.where(high > low, high - low, 1), 0)[..., :length]
    beats[..., : scaled.shape[-1]] = scaled.transpose(1, 0, 2)
    return beats


def find_beats(
    windows: FloatArray, threshold: float, stretch: float, shortest: float, longest: float, seconds: float
) -> Found:
    """Find R peaks in windows of one lead and say where beats begin and end.

    A window is scaled to [0, 1]; its R peaks are the local maxima (zero crossings of the first derivative) above
    ``threshold``; T is the median distance of those; a beat begins at a peak and lasts ``stretch`` x T.

    Args:
        windows: (W, n).
        threshold: from 0 to 1.
        stretch: length of a beat in T.
        shortest: smallest believable T in samples.
        longest: largest believable T in samples.
        seconds: duration of a window, for the reasons.
    """
    low, high = windows.min(axis=1, keepdims=True), windows.max(axis=1, keepdims=True)
    slope = np.diff(windows, axis=1)
    peak = (slope[:, :-1] > 0) & (slope[:, 1:] <= 0) & (windows[:, 1:-1] - low > threshold * (high - low))
    row, before = np.nonzero(peak)
    at = before + 1
    ends = np.cumsum(peak.sum(axis=1))
    median = np.zeros(len(windows))
    for i, peaks in enumerate(np.split(at, ends[:-1])):
        if len(peaks) > 1:
            median[i] = np.median(np.diff(peaks))
    believable = (median >= shortest) & (median <= longest)
    stop = at + (stretch * median[row]).astype(np.int64)
    # at least two samples, or there is nothing to scale
    fits = (stop <= windows.shape[1]) & (stop > at + 1)
    kept = believable[row] & fits
    dropped = {
        f"windows of {seconds:g} s without two R peaks": int((median == 0).sum()),
        f"windows of {seconds:g} s with an unbelievable heart rate": int((~believable & (median > 0)).sum()),
        "beats that reach past their window": int((believable[row] & ~fits).sum()),
    }
    return Found(row[kept], at[kept], stop[kept], {reason: n for reason, n in dropped.items() if n})


class Beats:
    """Cuts every series into heartbeats, without annotations, by the method of Kachuee et al.

    The series is cut into windows, and ``find_beats`` looks for R peaks in one channel of each. What is left at the
    end and fills no window is left out; a series shorter than a window is one window. Beats inherit class, patient
    and part of their series; all channels are cut alike and scaled to [0, 1] one by one, so their unit is lost.
    Windows and beats that are left out are counted.

    Traps: one high T wave or a wandering baseline hides the R peaks of a whole window; put baseline_wander before.
    Beats that are longer than ``length`` samples lose their end.

    Args:
        length: samples per beat, padded with zeros at the end.
        channel: number of the channel that has the R peaks.
        window_s: seconds per window.
        threshold: height of R peaks as a share of the window's range.
        stretch: length of a beat in median distances of the R peaks.
        shortest_s: smallest believable median distance of R peaks in seconds.
        longest_s: the largest one.

    Source: Kachuee, Fazeli and Sarrafzadeh (2018), doi:10.1109/ICHI.2018.00092. The bounds of the distances are not
    in the paper.
    """

    version: ClassVar[str] = VERSION
    cuts: ClassVar[bool] = True

    def __init__(
        self,
        length: int = 187,
        channel: int = 0,
        window_s: float = 10.0,
        threshold: float = 0.9,
        stretch: float = 1.2,
        shortest_s: float = 0.4,
        longest_s: float = 1.2,
    ) -> None:
        if length < 2 or channel < 0:  # noqa: PLR2004 - one sample cannot be scaled
            raise ConfigError(
                f"Beats takes a length of at least 2 and a channel of at least 0, but got {length} and {channel}."
            )
        if window_s <= 0 or stretch <= 0 or not 0 < threshold < 1:
            raise ConfigError("Beats takes a window_s and a stretch above 0 and a threshold between 0 and 1.")
        if not 0 < shortest_s <= longest_s:
            raise ConfigError("Beats takes a shortest_s above 0 and a longest_s that is not below it.")
        self.length, self.channel, self.window_s = length, channel, window_s
        self.threshold, self.stretch = threshold, stretch
        self.shortest_s, self.longest_s = shortest_s, longest_s

    def __call__(self, recordings: Recordings) -> Recordings:
        """Cut all series; beats of a series follow each other.

        Raises:
            DataError: when a series has missing values or no such channel, or there is no sampling rate.
        """
        fs_hz = known_rate(recordings.fs_hz, "Beats")
        refuse_missing(recordings.x, "Beats")
        long = np.fromiter((series.shape[-1] >= MIN_SAMPLES for series in recordings.x), bool, len(recordings.x))
        kept = recordings.keep(long, f"shorter than {MIN_SAMPLES} samples")
        channels = {series.shape[0] for series in kept.x} or {1}
        if len(channels) > 1:
            raise DataError(
                f"Beats takes series with the same channels, but these have {sorted(channels)}; choose some."
            )
        beats: list[FloatArray] = [np.empty((0, channels.pop(), self.length), np.float32)]
        parents: list[IntArray] = [np.empty(0, np.int64)]
        dropped = dict(kept.dropped)
        for rows, stacked in same_shape(kept.x) if len(kept.x) else ():
            x, series, reasons = self._cut(stacked, fs_hz)
            beats.append(x)
            parents.append(rows[series])
            for reason, count in reasons.items():
                dropped[reason] = dropped.get(reason, 0) + count
        parent = np.concatenate(parents)
        order = np.argsort(parent, kind="stable")
        done = kept.cut(np.concatenate(beats)[order], parent[order], fs_hz)
        return replace(done, unit="1", dropped=dropped)

    def _cut(self, x: FloatArray, fs_hz: float) -> tuple[FloatArray, IntArray, Mapping[str, int]]:
        """Beats of (N, C, T), the series that each was cut from, and what was left out."""
        n, channels, length = x.shape
        if self.channel >= channels:
            raise DataError(
                f"Beats looks for R peaks in channel {self.channel}, but the series have {channels} (from 0 on); "
                "change its channel."
            )
        size = min(length, max(MIN_SAMPLES, round(self.window_s * fs_hz)))
        count = length // size
        windows = x[..., : count * size].reshape(n, channels, count, size).transpose(1, 0, 2, 3)
        found = find_beats(
            windows[self.channel].reshape(n * count, size),
            self.threshold,
            self.stretch,
            self.shortest_s * fs_hz,
            self.longest_s * fs_hz,
            self.window_s,
        )
        # beats stay in their windows, so all windows can lie in one row
        first = found.window * size
        beats = cut_beats(windows.reshape(channels, -1), first + found.start, first + found.stop, self.length)
        return beats, found.window // count, found.dropped
