"""Synthetic sine waves with two kinds of anomalies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecgan.data.source import BaseSource
from ecgan.errors import ConfigError
from ecgan.types import Card, FloatArray, IntArray, Recordings

CHUNK = 10_000


class Sine(BaseSource):
    """Seeded sine waves; nothing is downloaded.

    Each series is ``a sin(f t + p) + v`` over ``t`` from 0 to ``duration`` with amplitude a, frequency f, phase p
    and vertical shift v drawn uniformly from (0, maximum]. Classes: normal; noise (uniform over the normal range);
    superimposed (mean of three sine waves). Unit 1, no sampling rate, no groups.

    Args:
        n_series: number of series.
        seq_len: samples per series.
        anomaly_share: share of abnormal series.
        noise_share: share of noise among the abnormal series.
        amplitude: largest amplitude; this and the next four are finite and greater than 0.
        frequency: largest angular frequency.
        phase: largest phase.
        vertical_shift: largest vertical shift.
        duration: end of the time axis.
        seed: of the generator, at least 0; independent of the seed of the training.

    Raises:
        ConfigError: when one of them is outside of its range.
    """

    name = "sine"
    classes = ("normal", "noise", "superimposed")
    card = Card("synthetic sine waves", 30_000, 128, 1, False, "none needed", 0)

    def __init__(
        self,
        n_series: int = 30_000,
        seq_len: int = 128,
        anomaly_share: float = 0.2,
        noise_share: float = 0.5,
        amplitude: float = 3.0,
        frequency: float = 3.0,
        phase: float = 5.0,
        vertical_shift: float = 1.0,
        duration: float = 25.0,
        seed: int = 1337,
    ) -> None:
        if n_series < 1 or seq_len < 1:
            raise ConfigError("dataset.n_series and dataset.seq_len must be at least 1.")
        if not (0 <= anomaly_share <= 1 and 0 <= noise_share <= 1):
            raise ConfigError("dataset.anomaly_share and dataset.noise_share are shares between 0 and 1.")
        maxima = {"amplitude": amplitude, "frequency": frequency, "phase": phase, "vertical_shift": vertical_shift}
        for name, value in (maxima | {"duration": duration}).items():
            if not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"dataset.{name} is {value}, but must be finite and greater than 0.")
        if not isinstance(seed, int) or seed < 0:
            raise ConfigError(f"dataset.seed is {seed}, but must be a whole number of at least 0.")
        self.n_series, self.seq_len, self.seed = n_series, seq_len, seed
        self.anomaly_share, self.noise_share = anomaly_share, noise_share
        self.maxima = tuple(maxima.values())
        self.duration = duration

    def pieces(self, raw: Path) -> Sequence[int]:
        """Numbers of the chunks; the values do not depend on how many of them are read."""
        return range(-(-self.n_series // CHUNK))

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Generate one chunk."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, piece]))
        n = min(CHUNK, self.n_series - piece * CHUNK)
        y = self._classes(n, rng)
        x = self._waves(n, rng)
        noise = y == 1
        x[noise] = rng.uniform(x.min(), x.max(), (int(noise.sum()), self.seq_len))
        several = y == 2  # noqa: PLR2004 - the class "superimposed"
        count = int(several.sum())
        x[several] = self._waves(3 * count, rng).reshape(3, count, self.seq_len).mean(0)
        return Recordings(x[:, None, :].astype(np.float32), y, fs_hz=None, unit="1")

    def _classes(self, n: int, rng: np.random.Generator) -> IntArray:
        abnormal = round(n * self.anomaly_share)
        noise = round(abnormal * self.noise_share)
        y = np.repeat([0, 1, 2], [n - abnormal, noise, abnormal - noise])
        rng.shuffle(y)
        return y

    def _waves(self, n: int, rng: np.random.Generator) -> FloatArray:
        a, f, p, v = (maximum * (1 - rng.random((n, 1))) for maximum in self.maxima)
        t = np.linspace(0, self.duration, self.seq_len)
        waves: FloatArray = a * np.sin(f * t + p) + v
        return waves
