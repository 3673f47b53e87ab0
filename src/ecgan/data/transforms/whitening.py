"""Series whose samples are uncorrelated over time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from ecgan.data.transforms.scaling import BaseTransform, refuse_constant
from ecgan.errors import ConfigError, DataError, RunError
from ecgan.types import FloatArray

FLOOR = 1e-6
"""Smallest variance in any direction, as a share of the largest; less is rounding noise, not to be blown up."""
LARGEST = 2**26
"""Values of all covariance matrices together; fitting holds a few such arrays of 512 MB."""


class Whitening(BaseTransform):
    """Makes the samples of each channel uncorrelated over time, with variance 1 over the training part (ZCA).

    Of all whitening transforms ZCA changes the series least (Kessy et al. 2018, doi:10.1080/00031305.2016.1277159).
    Each channel has its own mean (T,) and covariance (T, T). The covariance is shrunk towards a multiple of the
    identity, as an empirical one of fewer series than samples cannot be inverted; by default as much as Ledoit and
    Wolf (2004, doi:10.1016/S0047-259X(03)00096-4) find best. Fitting takes memory for a few arrays of (C, T, T)
    float64, however many series there are.

    Args:
        shrinkage: 0 for the empirical covariance, 1 for a multiple of the identity, None for Ledoit and Wolf's.
    """

    learns: ClassVar[tuple[str, ...]] = ("mean", "variance", "covariance", "shrinkage", "series")

    def __init__(self, shrinkage: float | None = None) -> None:
        super().__init__()
        if shrinkage is not None and not 0 <= shrinkage <= 1:
            raise ConfigError(f"transform.shrinkage is {shrinkage} but must lie between 0 and 1, or be null.")
        self.shrinkage = shrinkage
        self.matrices: tuple[FloatArray, FloatArray] | None = None

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Accumulate moments in float64 around the median of the first chunk, so that large offsets do no harm.

        Raises:
            DataError: when a channel is constant or the same in all training series, or the matrices would not fit into
                memory.
        """
        moments = _Moments()
        for chunk in chunks:
            moments.add(chunk)
        mean, variance, covariance = moments.mean(), moments.variance(), moments.covariance()
        _refuse_equal(moments.n, mean, variance)
        best = moments.ledoit_wolf() if self.shrinkage is None else np.full(len(mean), float(self.shrinkage))
        shrunk = (1 - best)[:, None, None] * covariance
        diagonal = np.arange(mean.shape[1])
        shrunk[:, diagonal, diagonal] += (best * variance.mean(axis=1))[:, None]
        found = (mean, variance, shrunk, best, np.asarray(moments.n, np.float64))
        self.learned, self.matrices = dict(zip(self.learns, found, strict=True)), None

    def __call__(self, x: FloatArray) -> FloatArray:
        """Whiten (B, C, T)."""
        whiten, _ = self._matrices()
        return _multiplied((x - self["mean"]).astype(np.float32), whiten)

    def inverse(self, x: FloatArray, like: FloatArray | None = None) -> FloatArray:
        """Give whitened series (B, C, T) the mean and the covariance of the training part."""
        _, color = self._matrices()
        return (_multiplied(np.asarray(x, np.float32), color) + self["mean"]).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """Number of series, shrinkage per channel, and a checksum in place of the large arrays."""
        # of sums that no linear algebra library takes part in, so that they are the same on another machine
        sums = hashlib.sha256(self["mean"].tobytes() + self["variance"].tobytes())
        shrinkage = [float(f"{share:.6g}") for share in self["shrinkage"]]
        return {"series": int(self["series"]), "shrinkage": shrinkage, "sha256": sums.hexdigest()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take the arrays of ``learned``.

        Raises:
            RunError: when ``state`` is that of ``transform.json``, which has only their checksum.
        """
        if not set(self.learns) <= set(state):
            raise RunError("What a whitening learned is known by its checksum only; fit it again on the training part.")
        self.learned, self.matrices = {name: np.asarray(state[name], np.float64) for name in self.learns}, None

    def _matrices(self) -> tuple[FloatArray, FloatArray]:
        """The symmetric roots of the inverse covariance and of the covariance, (C, T, T) float32."""
        if self.matrices is None:
            values, vectors = np.linalg.eigh(self["covariance"])
            deviation = np.sqrt(np.maximum(values, FLOOR * values[:, -1:]))
            transposed = vectors.transpose(0, 2, 1)
            whiten = (vectors / deviation[:, None, :]) @ transposed
            color = (vectors * deviation[:, None, :]) @ transposed
            self.matrices = whiten.astype(np.float32), color.astype(np.float32)
        return self.matrices


def _refuse_equal(n: int, mean: FloatArray, variance: FloatArray) -> None:
    """Refuse training series that do not differ, which tell nothing of how samples vary together."""
    if n == 1:
        raise DataError(
            "There is only one training series, but transform=whitening needs some that differ; use more series, or "
            "another transform."
        )
    equal = variance.sum(axis=1) == 0
    refuse_constant(np.where(equal, np.ptp(mean, axis=1), 1), "whitening")
    if equal.any():
        raise DataError(
            f"Channel {np.argmax(equal)} is the same in all {n:,} training series, so transform=whitening cannot tell "
            "how its samples vary; remove the channel or use transform=per_series."
        )


class _Moments:
    """Sums over series around a provisional center, from which mean, covariance and shrinkage follow."""

    def __init__(self) -> None:
        self.n = 0

    def add(self, chunk: FloatArray) -> None:
        """Take in (n, C, T)."""
        if not self.n:
            self._begin(chunk)
        x = chunk - self.around
        length = (x**2).sum(axis=2)  # squared norm of each series
        by_channel = x.transpose(1, 0, 2)
        self.n += len(x)
        self.x += x.sum(axis=0)
        self.squares += (x**2).sum(axis=0)
        self.xx += by_channel.transpose(0, 2, 1) @ by_channel
        self.length += length.sum(axis=0)
        self.length_squared += (length**2).sum(axis=0)
        self.length_x += (length[:, :, None] * x).sum(axis=0)

    def _begin(self, chunk: FloatArray) -> None:
        _, channels, seq_len = chunk.shape
        if channels * seq_len**2 > LARGEST:
            raise DataError(
                f"The covariance of {channels} channels of {seq_len:,} samples is too large for transform=whitening; "
                "shorten the series with preprocess=interpolate preprocess.length=… or choose another transform."
            )
        self.around = np.median(chunk, axis=0).astype(np.float64)  # of a constant channel exactly its value
        self.x, self.squares, self.length_x = np.zeros((3, channels, seq_len))
        self.xx = np.zeros((channels, seq_len, seq_len))
        self.length, self.length_squared = np.zeros((2, channels))

    def mean(self) -> FloatArray:
        """Mean (C, T)."""
        mean: FloatArray = self.around + self.x / self.n
        return mean

    def variance(self) -> FloatArray:
        """Variance of each sample (C, T)."""
        return np.maximum(self.squares / self.n - (self.x / self.n) ** 2, 0)

    def covariance(self) -> FloatArray:
        """Empirical covariance (C, T, T)."""
        off = self.x / self.n
        covariance: FloatArray = self.xx / self.n - off[:, :, None] * off[:, None, :]
        return covariance

    def ledoit_wolf(self) -> FloatArray:
        """Shrinkage (C,) that is best in expectation, from the fourth moments of the norms of the series."""
        n, seq_len = self.n, self.x.shape[1]
        off, covariance = self.x / n, self.covariance()
        c = (off**2).sum(axis=1)
        along = (off * self.x).sum(axis=1)
        across = np.einsum("ct,cts,cs->c", off, self.xx, off, optimize=True)
        # the sum of ||x - off||^4 = (||x||^2 - 2 off x + c)^2, multiplied out
        fourth = self.length_squared + 4 * across + n * c**2
        fourth += 2 * c * self.length - 4 * (off * self.length_x).sum(axis=1) - 4 * c * along
        norm = (covariance**2).sum(axis=(1, 2))
        spread = norm - np.trace(covariance, axis1=1, axis2=2) ** 2 / seq_len
        error = np.clip(fourth / n - norm, 0, None) / n
        usable = spread > 0
        return np.where(usable, np.minimum(error / np.where(usable, spread, 1), 1), 0)


def _multiplied(x: FloatArray, matrices: FloatArray) -> FloatArray:
    """Multiply each channel of (B, C, T) with its own symmetric (T, T)."""
    product: FloatArray = np.matmul(x.transpose(1, 0, 2), matrices).transpose(1, 0, 2)
    return product
