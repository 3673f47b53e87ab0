"""Cutting series into windows of one length."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ecgan.errors import ConfigError
from ecgan.preprocess.series import Many
from ecgan.types import FloatArray, Recordings


def windows(x: FloatArray, length: int, step: int) -> FloatArray:
    """Cut windows out of one series; the last full one is kept, a partial one is left out.

    Args:
        x: (C, T).
        length: samples per window.
        step: samples from the start of a window to that of the next.

    Returns:
        (n, C, length), a copy; n is 0 where the series is shorter than a window.
    """
    if x.shape[-1] < length:
        return np.empty((0, x.shape[0], length), x.dtype)
    view = np.lib.stride_tricks.sliding_window_view(x, length, axis=-1)[:, ::step]
    return np.ascontiguousarray(view.transpose(1, 0, 2))


class Window:
    """Cuts every series into windows that inherit its class, patient and part.

    Windows of one series are alike, and overlap where ``step`` is smaller than ``length``: they stay in one part of a
    split, since the store makes each series a group where the source tells none. What is left at the end of a series
    and fills no window is left out, and series shorter than a window are dropped and counted.

    Args:
        length: samples per window.
        step: samples from the start of a window to that of the next.
    """

    version: ClassVar[str] = "1"
    cuts: ClassVar[bool] = True

    def __init__(self, length: int, step: int) -> None:
        if length < 1 or step < 1:
            raise ConfigError(f"Window takes a length and a step of at least 1 sample, but got {length} and {step}.")
        self.length, self.step = length, step

    def __call__(self, recordings: Recordings) -> Recordings:
        """Cut all series; windows of a series follow each other."""
        long = np.fromiter((series.shape[-1] >= self.length for series in recordings.x), bool, len(recordings.x))
        kept = recordings.keep(long, f"shorter than a window of {self.length} samples")
        cut = [windows(series, self.length, self.step) for series in kept.x]
        parent = np.repeat(np.arange(len(cut)), [len(pieces) for pieces in cut])
        return kept.cut(self._joined(cut, kept.x), parent, kept.fs_hz)

    def _joined(self, cut: list[FloatArray], x: Many) -> Many:
        if cut and len({pieces.shape[1] for pieces in cut}) == 1:
            return np.concatenate(cut)
        if isinstance(x, np.ndarray):
            return np.empty((0, x.shape[1], self.length), x.dtype)
        return [window for pieces in cut for window in pieces]
