"""Series as spectra."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from ecgan.data.transforms.scaling import BaseTransform
from ecgan.types import FloatArray


class Fourier(BaseTransform):
    """The real Fourier transform of each channel of each series over time.

    (B, C, T) becomes (B, 2 C, T // 2 + 1): the real parts of all channels, then their imaginary parts, from frequency
    0 upwards. It is scaled so that sums of squares stay the same (Parseval): an error in the spectrum is as large as
    the error over time that it stands for.
    """

    learns: ClassVar[tuple[str, ...]] = ("seq_len",)

    def fit(self, chunks: Iterable[FloatArray]) -> None:
        """Learn how long series are, which their spectrum does not tell; one chunk suffices."""
        self.learned = {"seq_len": np.asarray(next(iter(chunks)).shape[2], np.float32)}

    def __call__(self, x: FloatArray) -> FloatArray:
        """Map (B, C, T) to (B, 2 C, T // 2 + 1)."""
        # in float64, so that a large offset of a series does not blur the other frequencies
        spectrum = np.fft.rfft(np.asarray(x, np.float64), axis=2, norm="ortho") * _weight(x.shape[2])
        return np.concatenate([spectrum.real, spectrum.imag], axis=1).astype(np.float32)

    def inverse(self, x: FloatArray, like: FloatArray | None = None) -> FloatArray:
        """Map (B, 2 C, T // 2 + 1) to (B, C, T); imaginary parts that no real series has are ignored."""
        seq_len = int(self["seq_len"])
        real, imaginary = np.split(np.asarray(x, np.float64), 2, axis=1)
        spectrum = (real + 1j * imaginary) / _weight(seq_len)
        return np.fft.irfft(spectrum, seq_len, axis=2, norm="ortho").astype(np.float32)

    def shape(self, channels: int, seq_len: int) -> tuple[int, int]:
        """Twice the channels, half the samples and one."""
        return 2 * channels, seq_len // 2 + 1

    def state(self) -> dict[str, Any]:
        """Samples per series."""
        return {"seq_len": int(self["seq_len"])}


def _weight(seq_len: int) -> FloatArray:
    """All frequencies but the first, and the last of an even length, stand for two of the full transform."""
    weight = np.full(seq_len // 2 + 1, np.sqrt(2))
    weight[0] = 1
    if seq_len % 2 == 0:
        weight[-1] = 1
    return weight
