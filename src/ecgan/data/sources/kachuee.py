"""What the two sets of heartbeats of Kachuee et al. share: Kaggle's CSV files, and the choice where beats come from."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ecgan.data.fetch.kaggle import SCHEME, kaggle_credentials
from ecgan.data.formats.tables import read_numbers
from ecgan.data.source import BaseSource, Source
from ecgan.errors import ConfigError, DataError, did_you_mean
from ecgan.types import FloatArray, Recordings, RemoteFile

log = logging.getLogger(__name__)

KAGGLE = f"{SCHEME}shayanfazeli/heartbeat"
FOLDER = "kachuee_heartbeat"
ORIGINS = ("auto", "kaggle", "physionet")
SAMPLES = 187
COLUMNS = SAMPLES + 1
CELL = len("0.000000000000000000e+00,")
"""Bytes per value: all files are written with one format, so their size tells their rows."""


class CsvFile(NamedTuple):
    """One of Kaggle's files.

    Attributes:
        name: of the file.
        counts: rows of the complete file by label; a label with no row does not belong there.
        part: the part that the authors put it into, None where they made none.
    """

    name: str
    counts: tuple[int, ...]
    part: int | None = None

    def complete(self, raw: Path) -> bool:
        """Whether the file is there with all its rows, told by its size for line ends of one or two bytes."""
        path = raw / self.name
        rows = sum(self.counts)
        return path.is_file() and path.stat().st_size in (rows * COLUMNS * CELL, rows * (COLUMNS * CELL + 1))


class KachueeBeats(BaseSource):
    """Base of both sets; a subclass sets ``csv``, ``fs_hz``, and reads the raw database in ``rebuilt``.

    Args:
        origin: ``kaggle`` reads Kaggle's files; ``physionet`` rebuilds the beats from the raw database, with patients;
            ``auto`` takes Kaggle's files if the first folder that has them holds all of their rows; else it rebuilds
            if raw records lie there; else it fetches Kaggle's files if there are credentials; else it fetches the raw
            database. A subset of Kaggle's files is read only by ``kaggle``.
    """

    without_account = "dataset.origin=physionet"
    """The setting that needs no account, for the sentence about a refused download."""

    csv: ClassVar[tuple[CsvFile, ...]]
    fs_hz: ClassVar[float]
    kaggle_note: ClassVar[str]
    kaggle_partition: ClassVar[str] = ""
    rebuilt_version: ClassVar[str]
    rebuilt_from: ClassVar[str]
    rebuilt_note: ClassVar[str]
    rebuilt_partition: ClassVar[str] = ""
    rebuilt_expected: ClassVar[Mapping[str, int]]

    def __init__(self, origin: str = "auto") -> None:
        if origin not in ORIGINS:
            raise ConfigError(f"dataset.origin is {origin!r}; {did_you_mean(origin, ORIGINS)}")
        self._take(origin)

    def _take(self, origin: str) -> None:
        """Set all that depends on the origin."""
        kaggle = origin == "kaggle"
        self.origin, self.version = origin, f"{1 if kaggle else self.rebuilt_version}, {origin}"
        self.note = self.kaggle_note if kaggle else self.rebuilt_note
        self.partition = self.kaggle_partition if kaggle else self.rebuilt_partition
        self.expected = rows_per_class(self.csv, self.classes) if kaggle else self.rebuilt_expected

    @property
    def folder(self) -> str:
        """Kaggle's files share a folder; the raw database has its own."""
        return FOLDER if self.origin == "kaggle" else self.rebuilt_from

    def settled(self, roots: Sequence[Path]) -> Source:
        """Choose the origin if it is ``auto``, and log why."""
        if self.origin != "auto":
            return self
        origin, why = self._chosen(roots)
        log.info("%s: origin is %s, because %s", self.name, origin, why)
        source = copy.copy(self)
        source._take(origin)
        return source

    def _chosen(self, roots: Sequence[Path]) -> tuple[str, str]:
        """The origin, and why it is that one."""
        raws = [root / FOLDER / "raw" for root in roots]
        # the first one is the folder that they would be read from, so a subset in it counts, whatever the others hold
        taken = next((raw for raw in raws if all((raw / file.name).is_file() for file in self.csv)), None)
        if taken and all(file.complete(taken) for file in self.csv):
            return "kaggle", f"{taken} holds Kaggle's files with all rows"
        subset = f", and Kaggle's files in {taken} are a subset" if taken else ""
        records = [raw for raw in (root / self.rebuilt_from / "raw" for root in roots) if self.rebuilt_found(raw)]
        if records:
            return "physionet", f"{records[0]} holds raw records{subset}"
        if taken is None and kaggle_credentials():
            return "kaggle", "there are credentials for Kaggle, and no raw records"
        return "physionet", f"there are no raw records yet{subset or ', and no credentials for Kaggle'}"

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """Kaggle's files, or those of the raw database."""
        if self.origin == "kaggle":
            return tuple(RemoteFile(file.name, f"{KAGGLE}/{file.name}") for file in self.csv)
        return self.rebuilt_files(raw)

    def found(self, raw: Path) -> tuple[str, ...]:
        """All of Kaggle's files, or those of the records that are there."""
        return super().found(raw) if self.origin == "kaggle" else self.rebuilt_found(raw)

    def pieces(self, raw: Path) -> Sequence[Any]:
        """Names of Kaggle's files, or what the raw database consists of."""
        return [file.name for file in self.csv] if self.origin == "kaggle" else self.rebuilt_pieces(raw)

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Read one file, or cut one record into beats.

        Raises:
            DataError: when a file is missing or damaged.
        """
        if self.origin != "kaggle":
            return self.rebuilt(raw, piece)
        file = next(file for file in self.csv if file.name == piece)
        return read_csv(raw, file, self.classes, self.fs_hz)

    def rebuilt_files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """Files of the raw database."""
        raise NotImplementedError

    def rebuilt_found(self, raw: Path) -> tuple[str, ...]:
        """Those that are there."""
        raise NotImplementedError

    def rebuilt_pieces(self, raw: Path) -> Sequence[Any]:
        """What can be read one by one."""
        raise NotImplementedError

    def rebuilt(self, raw: Path, piece: Any) -> Recordings:
        """Cut one piece into beats."""
        raise NotImplementedError


def rows_per_class(files: Sequence[CsvFile], classes: Sequence[str]) -> dict[str, int]:
    """Rows of all complete files by class."""
    totals = (sum(counts) for counts in zip(*(file.counts for file in files), strict=True))
    return dict(zip(classes, totals, strict=True))


def read_csv(raw: Path, file: CsvFile, classes: Sequence[str], fs_hz: float) -> Recordings:
    """Read one of Kaggle's files.

    Raises:
        DataError: when the file is empty, a row has another length, a value is not in [0, 1], or a label is unknown.
    """
    path = raw / file.name
    table = _table(path)
    x, label = table[:, :SAMPLES], table[:, SAMPLES]
    wrong = np.flatnonzero(~((x >= 0) & (x <= 1)).all(axis=1))
    if wrong.size:
        row = x[wrong[0]]
        value = row[~((row >= 0) & (row <= 1))][0]
        raise DataError(
            f"{path} has {value:g} in row {wrong[0] + 1}, but beats lie in [0, 1]; delete it and fetch it again."
        )
    valid = [i for i, count in enumerate(file.counts) if count]
    unknown = np.flatnonzero(~np.isin(label, valid))
    if unknown.size:
        names = ", ".join(f"{i} ({classes[i]})" for i in valid)
        raise DataError(
            f"{path} has the label {label[unknown[0]]:g} in row {unknown[0] + 1}; valid are {names}; delete "
            "it and fetch it again."
        )
    part = None if file.part is None else np.full(len(x), file.part)
    return Recordings(np.ascontiguousarray(x[:, None]), label.astype(np.int64), fs_hz, "1", part=part)


def _table(path: Path) -> FloatArray:
    """(rows, 188) float32, by pandas' fast parser; the slow one finds the place of what is wrong."""
    import pandas as pd

    try:
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused
            frame = pd.read_csv(path, header=None, dtype=np.float32, na_filter=False, skip_blank_lines=False)
        table: FloatArray = frame.to_numpy()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); fetch it again or put it there by hand.") from error
    except ValueError:  # which pandas' parser errors are too
        table = np.empty((0, 0), np.float32)
    if table.shape[1] != COLUMNS or not np.isfinite(table).all():
        return read_numbers(path.read_bytes(), COLUMNS, path).astype(np.float32)
    return table
