"""A user's own series, from a table or from arrays."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgan.data.source import BaseSource
from ecgan.errors import ConfigError, DataError, did_you_mean
from ecgan.files import reading
from ecgan.types import Card, FloatArray, IntArray, Recordings, RemoteFile

DAMAGED = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)
Column = npt.NDArray[Any]


class OwnFile(BaseSource):
    """Series of one length in one file, with a label for each; subclasses read it.

    Args:
        path: the file; a relative one starts where the command is given.
        label: what holds the label of each series.
        group: what holds the patient or record of each series; null where they are not known. Series of one group are
            kept on one side of every split.
        normal: label of the normal class; null for the most frequent one.
        fs_hz: sampling rate; null where there is none.
        unit: of the samples.

    Raises:
        ConfigError: when the sampling rate is no positive number.
    """

    def __init__(
        self,
        path: str,
        label: str = "label",
        group: str | None = None,
        normal: str | int | None = None,
        fs_hz: float | None = None,
        unit: str = "1",
    ) -> None:
        if fs_hz is not None and not 0 < float(fs_hz) < float("inf"):
            raise ConfigError(f"dataset.fs_hz is {fs_hz}, but must be a positive number, or null where there is none.")
        self.path = Path(path).expanduser()
        self.label, self.group, self.normal = str(label), None if group is None else str(group), normal
        self.grouping = self.group or "group"
        self.fs_hz, self.unit = None if fs_hz is None else float(fs_hz), unit
        self.name = re.sub(r"[^A-Za-z0-9_-]+", "_", self.path.stem).strip("_") or "series"
        self.classes = ()
        self.remote = (RemoteFile(self.path.name),)

    @property
    def place(self) -> Path:
        """The file stays where it is."""
        return self.path.parent

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Hand over what ``pieces`` has read."""
        recordings: Recordings = piece
        return recordings

    def pieces(self, raw: Path) -> Sequence[Recordings]:
        """Read the file, which tells the classes.

        Raises:
            ConfigError: when it lacks what the settings name.
            DataError: when it is damaged, or a series has no label or no group.
        """
        path = raw / self.path.name
        with reading(path):
            try:
                x, labels, groups = self.columns(path)
            except DAMAGED as error:
                reason = " ".join(str(error).split()) or type(error).__name__
                raise DataError(f"{path} cannot be read ({reason}); write it again.") from error
        _refuse_missing(path, labels, self.label)
        y = self._classes(path, labels.astype(str))
        group = None
        if groups is not None:
            _refuse_missing(path, groups, str(self.group))
            group = np.unique(groups.astype(str), return_inverse=True)[1].astype(np.int64)
        return (Recordings(x, y, fs_hz=self.fs_hz, unit=self.unit, group=group),)

    def columns(self, path: Path) -> tuple[FloatArray, Column, Column | None]:
        """Subclasses read series (N, C, T), labels (N,) and groups (N,) or None here."""
        raise NotImplementedError

    def _classes(self, path: Path, labels: Column) -> IntArray:
        """Number the labels, the normal one first; which one was taken goes into the note."""
        known, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
        names: list[str] = known.tolist()
        normal = names[int(np.argmax(counts))] if self.normal is None else str(self.normal)
        if normal not in names:
            raise ConfigError(f"{path} has no label {normal!r} that dataset.normal asks for; {_hint(normal, names)}")
        if self.normal is None:
            self.note = f"label {normal} was taken as normal because it is the most frequent; set dataset.normal"
        order = [normal, *(name for name in names if name != normal)]
        self.classes = tuple(order)
        numbers = np.asarray([order.index(name) for name in names])
        return numbers[position].astype(np.int64)


class CSV(OwnFile):
    """One row per series, with a line of names: columns of the label and the group, all others are samples.

    Several channels follow one another in a row; names such as ``c0_t0``, ``c0_t1``, … ``c1_t0`` tell how many there
    are, as in what ecgan-generate writes. A column called ``index`` is left out.

    Args:
        path: the file.
        label: name of the column of labels.
        group: name of the column of patients or records; null where they are not known.
        normal: label of the normal class; null for the most frequent one.
        channels: number of channels; null for what the names tell, or one.
        fs_hz: sampling rate; null where there is none.
        unit: of the samples.

    Raises:
        ConfigError: when a number is out of its range.
    """

    card = Card("your own table, one row per series", None, None, 1, False, "none needed", 0)

    def __init__(
        self,
        path: str = "my.csv",
        label: str = "label",
        group: str | None = None,
        normal: str | int | None = None,
        channels: int | None = None,
        fs_hz: float | None = None,
        unit: str = "1",
    ) -> None:
        super().__init__(path, label, group, normal, fs_hz, unit)
        if channels is not None and channels < 1:
            raise ConfigError(f"dataset.channels is {channels}, but must be at least 1.")
        self.channels = channels

    def columns(self, path: Path) -> tuple[FloatArray, Column, Column | None]:
        """Read the table."""
        import pandas as pd

        wanted = [name for name in (self.label, self.group) if name is not None]
        table = pd.read_csv(path, dtype=dict.fromkeys(wanted, str), float_precision="round_trip", encoding="utf-8-sig")
        table.columns = table.columns.astype(str)
        for setting, name in (("label", self.label), ("group", self.group)):
            if name is not None and name not in table:
                raise ConfigError(f"{path} has no column {name!r}; set dataset.{setting}: {_hint(name, table.columns)}")
        samples = table.drop(columns=[*wanted, *(name for name in table.columns if name.lower() == "index")])
        words = [name for name in samples if not pd.api.types.is_numeric_dtype(samples[name])]
        if words:
            raise DataError(f"{path} has values in column {words[0]!r} that are no numbers; take the column out.")
        channels = self.channels or _channels(path, list(samples.columns))
        if not samples.shape[1] or samples.shape[1] % channels:
            raise DataError(f"{path} has {samples.shape[1]} samples a row, which {channels} channels cannot share.")
        x = samples.to_numpy(np.float64).reshape(len(samples), channels, -1)
        groups = None if self.group is None else table[self.group].to_numpy(object)
        return x, table[self.label].to_numpy(object), groups


class NumPy(OwnFile):
    """Arrays of a ``.npz`` file: series (N, C, T) or (N, T), labels (N,), and groups (N,) where they are known.

    Args:
        path: the file.
        series: name of the array of series.
        label: name of the array of labels.
        group: name of the array of patients or records; null where they are not known.
        normal: label of the normal class; null for the most frequent one.
        fs_hz: sampling rate; null where there is none.
        unit: of the samples.

    Raises:
        ConfigError: when a number is out of its range.
    """

    card = Card("your own arrays in a .npz file", None, None, 1, False, "none needed", 0)

    def __init__(
        self,
        path: str = "my.npz",
        series: str = "x",
        label: str = "y",
        group: str | None = None,
        normal: str | int | None = None,
        fs_hz: float | None = None,
        unit: str = "1",
    ) -> None:
        super().__init__(path, label, group, normal, fs_hz, unit)
        self.series = series

    def columns(self, path: Path) -> tuple[FloatArray, Column, Column | None]:
        """Read the arrays."""
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path} is no .npz file; write one with numpy.savez(path, x=series, y=labels).")
        with np.load(path, allow_pickle=False) as arrays:
            wanted = {"series": self.series, "label": self.label, "group": self.group}
            for setting, name in wanted.items():
                if name is not None and name not in arrays:
                    raise ConfigError(f"{path} has no array {name!r}; set dataset.{setting}: {_hint(name, arrays)}")
            x, labels = arrays[self.series], arrays[self.label]
            groups = None if self.group is None else arrays[self.group]
        if x.dtype.kind not in "fiu":
            raise ValueError(f"the series are of the type {x.dtype}, not real numbers")
        if x.ndim == 2:  # noqa: PLR2004 - series of one channel without its axis
            x = x[:, None, :]
        for name, values in ((self.label, labels), (self.group, groups)):
            if values is not None and values.shape != x.shape[:1]:
                raise ValueError(f"{name!r} has the shape {values.shape}, not one value for each of {len(x)} series")
        return x, labels, groups


def _channels(path: Path, names: Sequence[str]) -> int:
    """How many channels names such as ``c1_t0`` tell of, one where they are others."""
    matches = [re.fullmatch(r"c(\d+)_t\d+", name) for name in names]
    if not names or not all(matches):
        return 1
    channels = 1 + max(int(match[1]) for match in matches if match)
    expected = [f"c{c}_t{t}" for c in range(channels) for t in range(len(names) // channels)]
    if list(names) != expected:
        raise DataError(f"The columns of {path} are not in order; let them be c0_t0, c0_t1, … channel after channel.")
    return channels


def _refuse_missing(path: Path, values: Column, name: str) -> None:
    import pandas as pd

    missing = np.flatnonzero(pd.isna(values))
    if len(missing):
        raise DataError(f"{path} has {len(missing)} series without {name!r} (the first is number {missing[0]}).")


def _hint(name: str, known: Any) -> str:
    names = [str(other) for other in known]
    if len(names) > 20:  # noqa: PLR2004 - samples by the hundred would hide the rest
        names = [other for other in names if not re.fullmatch(r"[a-z]*\d*_?[a-z]*\d+", other)] or names[:20]
    return did_you_mean(name, names)
