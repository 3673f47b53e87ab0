"""Filling in missing values."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from ecgan.errors import ConfigError
from ecgan.preprocess.series import incomplete, judged, mapped
from ecgan.types import BoolArray, FloatArray, Recordings


class Impute:
    """Replaces missing values (NaN) by values of the same series; other series have no influence.

    ``linear`` connects the known values on both sides of a gap by a straight line in time; a gap at an end takes the
    nearest known value. ``knn`` takes the mean of a channel over those moments of the series at which the other
    channels are most alike (scikit-learn's ``KNNImputer`` with moments as samples and channels as features, by
    Euclidean distance in the unit of the data, so channels of large amplitude count more). Moments without anything
    to compare are filled by ``linear``: those at which all channels are missing, and every gap of a single channel.
    ``knn`` compares each incomplete moment with all others, so it is meant for short series.

    Series with too much missing in a channel are dropped and counted, as what is filled in is a guess. A ``clean``
    finds nothing missing any more after this step, so it belongs before.

    Args:
        method: ``linear`` or ``knn``.
        neighbors: moments to average over, for ``knn``.
        max_missing: largest share of missing values in any channel; 1 keeps all series but those with a channel that
            has no value at all, of which nothing is known.

    Source of ``knn``: Troyanskaya et al. (2001), Missing value estimation methods for DNA microarrays,
    Bioinformatics 17(6), doi:10.1093/bioinformatics/17.6.520.
    """

    version: ClassVar[str] = "2"

    def __init__(
        self, method: Literal["linear", "knn"] = "linear", neighbors: int = 5, max_missing: float = 0.2
    ) -> None:
        if method not in ("linear", "knn"):
            raise ConfigError(f"Impute takes the method 'linear' or 'knn', but got {method!r}.")
        if neighbors < 1:
            raise ConfigError(f"Impute takes at least 1 of neighbors, but got {neighbors}.")
        if not 0 <= max_missing <= 1:
            raise ConfigError(f"Impute takes a share from 0 to 1 as max_missing, but got {max_missing}.")
        self.method, self.neighbors, self.max_missing = method, neighbors, max_missing

    def __call__(self, recordings: Recordings) -> Recordings:
        """Fill all gaps of the series that are complete enough."""
        empty = judged(recordings.x, lambda x: np.any(np.isnan(x).all(axis=-1), axis=1))
        kept = recordings.keep(~empty, "a channel without any value")
        gappy = judged(kept.x, lambda x: incomplete(x, self.max_missing))
        kept = kept.keep(~gappy, f"more than {100 * self.max_missing:g} % missing in a channel")
        return kept.with_series(mapped(kept.x, self._filled), kept.fs_hz)

    def _filled(self, x: FloatArray) -> FloatArray:
        filled = x.copy()
        rows = np.flatnonzero(np.isnan(x).any(axis=(1, 2)))
        if self.method == "knn":
            for row in rows:
                filled[row] = self._from_neighbors(x[row])
        filled[rows] = _linear(filled[rows])
        return filled

    def _from_neighbors(self, series: FloatArray) -> FloatArray:
        """Fill what other moments tell of; the rest stays missing."""
        from sklearn.impute import KNNImputer

        moments = series.T
        filled: FloatArray = KNNImputer(n_neighbors=self.neighbors).fit_transform(moments).astype(series.dtype)
        filled[_incomparable(~np.isnan(moments))] = np.nan  # scikit-learn takes the channel's mean there
        return filled.T


def _incomparable(known: BoolArray) -> BoolArray:
    """Gaps (T, C) for which no moment that knows the channel shares another known channel with this moment."""
    counts = known.astype(np.int64)
    together = counts.T @ counts  # (C, C): moments at which both channels are known
    incomparable: BoolArray = ~known & (counts @ together == 0)
    return incomparable


def _linear(x: FloatArray) -> FloatArray:
    """Fill gaps in (n, C, T) along the last axis; each channel knows at least one value."""
    if not x.size:
        return x
    last = x.shape[-1] - 1
    time = np.arange(last + 1)
    gaps = np.isnan(x)
    before = np.maximum.accumulate(np.where(gaps, -1, time), axis=-1)[gaps]
    after = np.minimum.accumulate(np.where(gaps, last + 1, time)[..., ::-1], axis=-1)[..., ::-1][gaps]
    n, c, t = np.nonzero(gaps)
    left, right = np.where(before < 0, after, before), np.where(after > last, before, after)
    weight = (t - left) / np.maximum(right - left, 1)
    filled = x.copy()
    filled[gaps] = x[n, c, left] * (1 - weight) + x[n, c, right] * weight
    return filled
