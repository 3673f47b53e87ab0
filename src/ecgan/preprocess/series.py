"""What the steps share: working on all series of one shape at once, and refusing those that cannot be worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from ecgan.errors import DataError
from ecgan.types import BoolArray, FloatArray, IntArray

Many = FloatArray | list[FloatArray]
"""Series as ``Recordings`` holds them: (N, C, T), or a list of (C, T) where lengths differ."""


def same_shape(x: Many) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield the rows of all series that share a shape, with those series as one array (n, C, T)."""
    if isinstance(x, np.ndarray):
        yield np.arange(len(x)), x
        return
    rows: dict[tuple[int, ...], list[int]] = {}
    for row, series in enumerate(x):
        rows.setdefault(series.shape, []).append(row)
    for group in rows.values():
        yield np.asarray(group), np.stack([x[row] for row in group])


def mapped(x: Many, function: Callable[[FloatArray], FloatArray]) -> Many:
    """Apply a function of (n, C, T) arrays to all series; a list gives a list in the same order."""
    if isinstance(x, np.ndarray):
        return function(x)
    done: dict[int, FloatArray] = {}
    for rows, stacked in same_shape(x):
        done.update(zip(rows.tolist(), function(stacked), strict=True))
    return [done[row] for row in range(len(x))]


def judged(x: Many, verdict: Callable[[FloatArray], npt.ArrayLike]) -> BoolArray:
    """Apply a verdict on (n, C, T) arrays to all series and return (N,)."""
    verdicts = np.zeros(len(x), bool)
    for rows, stacked in same_shape(x):
        verdicts[rows] = verdict(stacked)
    return verdicts


def incomplete(x: FloatArray, share: float) -> BoolArray:
    """Which of (n, C, T) miss more than this share of the values (NaN) of any channel."""
    return np.asarray((np.isnan(x).sum(axis=-1) / max(x.shape[-1], 1) > share).any(axis=1))


def stacked_if_equal(x: Many) -> Many:
    """Turn a list of series into one array if there are any and all have one shape."""
    if isinstance(x, list) and len({series.shape for series in x}) == 1:
        return np.stack(x)
    return x


def refuse_missing(x: Many, step: str) -> None:
    """Refuse NaN and infinite values, which a filter spreads over the whole series and LTTB may take peaks for.

    Raises:
        DataError: naming the first such series of the piece.
    """
    broken = np.flatnonzero(judged(x, lambda stacked: ~np.isfinite(stacked).all(axis=(1, 2))))
    if broken.size:
        raise DataError(
            f"{step} needs complete series, but {broken.size} hold missing or infinite values (the first is number "
            f"{broken[0]} of its piece); put impute before it in preprocess=[…]."
        )


def known_rate(fs_hz: float | None, step: str) -> float:
    """Return the sampling rate.

    Raises:
        DataError: when it is unknown or undefined.
    """
    if fs_hz is None:
        raise DataError(
            f"{step} needs a sampling rate, but there is none; put it before lttb, and before interpolate where series "
            "differ in length, in preprocess=[…], or leave it out where the source itself gives none."
        )
    return fs_hz
