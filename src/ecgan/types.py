"""The types that every room of the house shares: no Hydra and no Lightning down here.

Shapes are always ``(batch, channels, time)``; label 0 is normal; a larger score is more abnormal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ecgan.errors import DataError

if TYPE_CHECKING:  # reading raw files needs no torch, and the processes that do start sooner without it
    import torch
    from torch import Tensor

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

Supervision = Literal["normal_only", "train_unlabelled", "val_labelled", "train_labelled", "oracle"]
"""What a detector has seen: normal series only, abnormal ones among the training series without being told, a labelled
validation part, labelled training series, or the test part itself (an upper bound, never a result). In the order of how
much that is."""

TRAIN, VAL, TEST, UNUSED = 0, 1, 2, 3
"""Values of ``Recordings.part``: the partition that the source itself prescribes."""


@dataclass(frozen=True, slots=True)
class DataSpec:
    """All that a model may know about the data; no model file holds a size.

    Attributes:
        seq_len: samples per series.
        channels: channels (leads, sensors) per series.
        n_classes: number of classes, the normal one included.
        fs_hz: sampling rate, or None where it is undefined (for example after LTTB).
        value_range: range of the transformed training series, or None where it is unbounded.
        class_counts: training series of each class, or None where nobody counted.
    """

    seq_len: int
    channels: int
    n_classes: int
    fs_hz: float | None = None
    value_range: tuple[float, float] | None = None
    class_counts: tuple[int, ...] | None = None


class Batch(NamedTuple):
    """What a data loader yields: x (B, C, T) float32, y (B,) int64, index (B,) int64 into the store."""

    x: Tensor
    y: Tensor
    index: Tensor  # type: ignore[assignment] # hides tuple.index, which nobody calls on a batch


@dataclass(frozen=True, slots=True)
class Fold:
    """Three disjoint sets of indices into a store.

    Raises:
        DataError: when two parts share an index, or one part repeats one.
    """

    number: int
    train: IntArray
    val: IntArray
    test: IntArray

    def __post_init__(self) -> None:
        together = np.sort(np.concatenate([self.train, self.val, self.test]))  # np.unique takes ten times as long
        if (together[1:] == together[:-1]).any():
            raise DataError(f"Fold {self.number} uses a series twice; its parts must be disjoint.")

    def check(self, n_series: int) -> Fold:
        """Return the fold if all indices lie in ``[0, n_series)`` and no part is empty."""
        for name in ("train", "val", "test"):
            part = getattr(self, name)
            if part.size == 0:
                raise DataError(f"Fold {self.number} has an empty {name} part; use more series or other sizes.")
            if part.min() < 0 or part.max() >= n_series:
                raise DataError(f"Fold {self.number} names a series in {name} that the data set does not have.")
        return self


@dataclass(frozen=True)
class Recordings:
    """What goes into and comes out of every preprocessing step.

    Attributes:
        x: (N, C, T), or a list of (C, T) where lengths differ.
        y: (N,) class of each series, 0 is normal.
        fs_hz: sampling rate, None where undefined.
        unit: unit of x, such as ``mV``; ``1`` where it has none.
        group: (N,) patient or record of each series, None if the source does not tell.
        part: (N,) the source's own partition (TRAIN, VAL, TEST; UNUSED for series in none of them), None if it has
            none.
        dropped: how many series have been left out so far, by reason, such as ``{"more than 20 % missing": 3}``.
    """

    x: FloatArray | list[FloatArray]
    y: IntArray
    fs_hz: float | None
    unit: str
    group: IntArray | None = None
    part: IntArray | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)

    def with_series(self, x: FloatArray | list[FloatArray], fs_hz: float | None) -> Recordings:
        """Copy with other series in the same order."""
        return replace(self, x=x, fs_hz=fs_hz)

    def cut(self, x: FloatArray | list[FloatArray], parent: IntArray, fs_hz: float | None) -> Recordings:
        """Copy with pieces of the series; piece i was cut from series ``parent[i]`` and inherits all it has."""
        group, part = (None if column is None else column[parent] for column in (self.group, self.part))
        return replace(self, x=x, y=self.y[parent], fs_hz=fs_hz, group=group, part=part)

    def keep(self, wanted: BoolArray, reason: str) -> Recordings:
        """Copy with the series that are ``wanted``; the others are counted under ``reason``."""
        lost = int(len(wanted) - wanted.sum())
        if not lost:
            return self
        rows = np.flatnonzero(wanted)
        x = self.x[rows] if isinstance(self.x, np.ndarray) else [self.x[row] for row in rows]
        dropped = {**self.dropped, reason: self.dropped.get(reason, 0) + lost}
        return replace(self.cut(x, rows, self.fs_hz), dropped=dropped)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A raw file: its name below ``<dataset>/raw``, where it comes from, and its sha256 if known.

    ``members`` names the files that an archive holds and that serve instead of it when they lie there already.
    """

    name: str
    url: str | None = None
    sha256: str | None = None
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """What somebody who looks for data wants to know of a source; ``ecgan-preprocess --list`` shows it.

    Attributes:
        title: the data set in a few words.
        series: number of series of the complete set with the default settings, None where it depends on the files.
        length: samples per series.
        channels: channels per series.
        patients: whether the source tells patients (or subjects) apart.
        license: terms of use in a few words.
        size_mb: size of the download in MB, 0 where there is none, None where it is unknown.
        account: whether downloading needs an account somewhere.
    """

    title: str
    series: int | None
    length: int | None
    channels: int | None
    patients: bool
    license: str
    size_mb: float | None = None
    account: bool = False


class Step(Protocol):
    """A preprocessing step: pure, one piece of recordings to another, each series on its own.

    A step that cuts several series out of one says so by an attribute ``cuts = True``, and one that every report must
    mention has a ``note``.
    """

    version: str
    """Changes when the step gives other values; part of the store's name."""

    def __call__(self, recordings: Recordings) -> Recordings:
        """Return new recordings; the argument stays as it is."""


class Series(Protocol):
    """Transformed series of one part of a fold, by position."""

    def __len__(self) -> int:
        """Count the series."""

    def __getitems__(self, positions: list[int]) -> Batch:
        """Return the series at these positions as one batch."""


class Scorer(Protocol):
    """Series to anomaly score. Whatever is fitted sees the fold's training normals only."""

    requires: tuple[type, ...]

    def fit(self, model: torch.nn.Module, train: Series, device: torch.device) -> None:
        """Fit on the training normals; do nothing where there is nothing to fit."""

    def score(self, model: torch.nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,) scores, larger = more abnormal."""

    def state(self) -> dict[str, Tensor]:
        """What ``fit`` learned, as tensors; empty where nothing was."""

    def load_state(self, state: dict[str, Tensor], model: torch.nn.Module, device: torch.device) -> None:
        """Take back what ``state`` gave."""


@runtime_checkable
class Calibrates(Protocol):
    """A scorer that learns from the fold's validation part too, after ``fit`` and before thresholds are chosen."""

    supervision: Supervision
    """``normal_only``: nothing but validation normals is handed over; ``val_labelled``: all, with their labels."""

    def calibrate(self, model: torch.nn.Module, val: Series, abnormal: BoolArray, device: torch.device) -> None:
        """Learn from validation series; ``abnormal`` (N,) is true where a series is."""


class ThresholdRule(Protocol):
    """Chooses the score above which a series is called abnormal, from validation scores.

    A rule that has an attribute ``on_test = True`` is handed the scores of the test part instead; its supervision is
    ``oracle``.
    """

    supervision: Supervision

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        """Choose from (N,) float64 validation scores and (N,) true where abnormal."""
