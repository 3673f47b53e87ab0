"""A trained detector for series in their own unit: arrays in, verdicts out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits

from ecgan.data.transforms.scaling import Transform
from ecgan.detect.detector import Threshold
from ecgan.errors import ConfigError, DataError, RunError, did_you_mean
from ecgan.evaluate.p_values import p_values
from ecgan.types import BoolArray, FloatArray, Scorer

AXES = 3


@dataclass(frozen=True)
class Judge:
    """One of the detectors of a run.

    Attributes:
        scorer: fitted.
        threshold: with its rule and supervision.
        normals: (n,) float64 scores of the validation normals, in order of size.
    """

    scorer: Scorer
    threshold: Threshold
    normals: FloatArray

    def p_value(self, score: FloatArray) -> FloatArray:
        """Share of normal series that would score as high, NaN where there are no normals to compare with."""
        return p_values(score, self.normals) if len(self.normals) else np.full(len(score), np.nan)


@dataclass(frozen=True)
class Parts:
    """What detectors of one fold share, and the detectors.

    Attributes:
        model: on the CPU, in eval mode.
        transform: fitted.
        channels: of series before the transform.
        seq_len: their samples.
        unit: their unit, ``1`` where they have none.
        fs_hz: their sampling rate, None where it is undefined.
        batch: series that are scored at once; sums depend on it.
        threads: that they are scored with; sums depend on these too.
        judges: the detectors by name, in the order of the config.
    """

    model: torch.nn.Module
    transform: Transform
    channels: int
    seq_len: int
    unit: str
    fs_hz: float | None
    batch: int
    threads: int
    judges: dict[str, Judge]


@dataclass(frozen=True)
class Verdict:
    """What one detector says of series.

    Attributes:
        score: (N,) float64, larger = more abnormal.
        p_value: (N,) share of normal series that would score as high.
        threshold: scores above it are predicted abnormal.
        predicted: (N,) int64, 1 = abnormal.
    """

    score: FloatArray
    p_value: FloatArray
    threshold: float
    predicted: npt.NDArray[np.int64]


@dataclass(frozen=True)
class PublishedDetector:
    """A detector that judges new series, in the unit of the data that it was trained on.

    Series are arrays (N, channels, time), of any N from 1 on; they are scored in batches.

    Attributes:
        parts: model, transform and all detectors of the run.
        name: of the detector that judges.
        sha256: digest of the bundle, None for a run directory.
    """

    parts: Parts
    name: str
    sha256: str | None = None

    def __repr__(self) -> str:
        parts, threshold = self.parts, self.threshold
        return (
            f"PublishedDetector({self.name!r} of {', '.join(self.names)}: series of {parts.channels} x {parts.seq_len}"
            f", abnormal above {threshold.value:.6g}, has seen {threshold.supervision})"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All detectors that were published together."""
        return tuple(self.parts.judges)

    @property
    def threshold(self) -> Threshold:
        """Threshold, its rule, and what it has seen."""
        return self.parts.judges[self.name].threshold

    def using(self, name: str) -> PublishedDetector:
        """Another detector of the same run.

        Raises:
            ConfigError: when there is none of this name.
        """
        if name not in self.parts.judges:
            raise ConfigError(f"There is no detector {name!r} here; {did_you_mean(name, self.names)}")
        return replace(self, name=name)

    def score(self, x: npt.ArrayLike) -> FloatArray:
        """Anomaly scores (N,) of series (N, channels, time), larger = more abnormal.

        Raises:
            DataError: when the series are not of the right shape, or hold values that are missing or infinite.
        """
        return self._judged(x).score

    def p_value(self, x: npt.ArrayLike) -> FloatArray:
        """Share (N,) of normal series that would score as high, from the run's validation normals.

        Raises:
            DataError: as ``score`` does.
        """
        return self._judged(x).p_value

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Verdicts (N,): 1 where the score is above the threshold, else 0.

        Raises:
            DataError: as ``score`` does.
        """
        return self._judged(x).predicted

    def verdicts(self, x: npt.ArrayLike, names: tuple[str, ...] | None = None) -> dict[str, Verdict]:
        """Everything that several detectors, or all of them, say of the same series.

        Raises:
            ConfigError: when there is no detector of such a name.
            DataError: as ``score`` does.
            RunError: when a score is not finite.
        """
        asked = [self.using(name).name for name in names or self.names]
        with _threads(self.parts.threads):
            return self._verdicts(x, tuple(asked))

    def streamed(
        self, blocks: Iterable[npt.ArrayLike], names: tuple[str, ...] | None = None
    ) -> Iterator[dict[str, Verdict]]:
        """The same of one block of series after the other, as they come.

        Raises:
            DataError: as ``score`` does.
            RunError: when a score is not finite.
        """
        with _threads(self.parts.threads):  # once, since asking which libraries there are takes as long as a block
            for x in blocks:
                yield self._verdicts(x, names or self.names)

    def _verdicts(self, x: npt.ArrayLike, names: tuple[str, ...]) -> dict[str, Verdict]:
        series = checked_series(x, self.parts.channels, self.parts.seq_len)
        scorers = {name: self.parts.judges[name].scorer for name in names}
        scores: dict[str, list[FloatArray]] = {name: [] for name in scorers}
        with torch.no_grad():
            for start in range(0, len(series), self.parts.batch):
                batch = self.parts.transform(series[start : start + self.parts.batch])
                # a copy, as the caller's array may be read-only, and layers may work in place
                transformed = torch.from_numpy(np.array(batch, dtype=np.float32, order="C"))
                for name, scorer in scorers.items():
                    score = scorer.score(self.parts.model, transformed)
                    scores[name].append(score.detach().cpu().double().numpy())
        return {name: self._verdict(name, np.concatenate(pieces)) for name, pieces in scores.items()}

    def _judged(self, x: npt.ArrayLike) -> Verdict:
        return self.verdicts(x, (self.name,))[self.name]

    def _verdict(self, name: str, score: FloatArray) -> Verdict:
        if not np.isfinite(score).all():
            raise RunError(
                f"The detector {name!r} gives a score that is not finite; the series are too far from normal."
            )
        judge = self.parts.judges[name]
        value = judge.threshold.value
        return Verdict(score, judge.p_value(score), value, (score > value).astype(np.int64))


def checked_series(x: npt.ArrayLike, channels: int, seq_len: int) -> FloatArray:
    """Series (N, channels, time) as float32 that can be scored.

    Raises:
        DataError: when they have another shape, are no numbers, or hold values that are missing or infinite.
    """
    try:
        given = np.asarray(x)
    except ValueError as error:
        raise DataError("The series differ in length; give one array (N, channels, time) of numbers.") from error
    if given.dtype.kind not in "fiu":
        raise DataError(f"The series are of the type {given.dtype}; give an array of real numbers.")
    check_shape(given.shape, channels, seq_len)
    with np.errstate(over="ignore"):
        series = np.asarray(given, np.float32)
    broken = np.flatnonzero(unfit(series))
    if broken.size:
        raise DataError(f"Series {broken[0]} holds a missing or infinite value; leave it out, or fill it in.")
    return series


def check_shape(shape: tuple[int, ...], channels: int, seq_len: int | None) -> None:
    """Refuse arrays of another shape than (N, channels, time).

    Args:
        shape: of the array.
        channels: of the detector's series.
        seq_len: their samples, None where any number will do.

    Raises:
        DataError: saying what is wrong with it.
    """
    if len(shape) != AXES:
        raise DataError(f"The series have the shape {shape}; give an array (N, channels, time).")
    if not shape[0]:
        raise DataError("There is no series to score; the input is empty.")
    if shape[1] != channels:
        raise DataError(f"The series have {shape[1]} channel(s), but the detector was trained on {channels}.")
    if seq_len is not None and shape[2] != seq_len:
        raise DataError(
            f"The series have {shape[2]} samples, but the detector was trained on {seq_len}; cut them as the training "
            "data were, or bring them to this length (ecgan-detect does it with resample=true)."
        )


def unfit(x: FloatArray) -> BoolArray:
    """Which of (N, C, T) hold a value that is missing or infinite."""
    return np.asarray(~np.isfinite(x).all(axis=(1, 2)))


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Compute with so many threads for the length of a block; sums depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number, "blas"):
            yield
    finally:
        torch.set_num_threads(before)
