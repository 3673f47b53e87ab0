"""Sets of the UCR Time Series Classification Archive."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecgan.data.formats.archive import is_inside
from ecgan.data.source import BaseSource
from ecgan.errors import ConfigError, DataError, did_you_mean
from ecgan.types import TEST, TRAIN, Card, FloatArray, IntArray, Recordings, RemoteFile

ARCHIVE = "https://www.timeseriesclassification.com/aeon-toolkit"
MAX_MEMBER_BYTES = 2 * 2**30
DAMAGED = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading damaged, encrypted or foreign text and zip files raises."""


class UCR(BaseSource):
    """One univariate set of the UCR archive, training and test file merged.

    Shape (N, 1, T), z-normalised by the archive, unit 1, sampling rate not given. The archive's own partition is
    kept as the ``official`` split. Patients are not known.

    Licence: free for research with citation. Cite: Dau et al. (2019), The UCR Time Series Archive,
    doi:10.1109/JAS.2019.1911747.

    Traps: the archive numbers classes per set, and nothing says which one is normal. Unless ``normal`` names it, the
    most frequent class of the training file is taken as normal, and the manifest says which one that was.

    Args:
        name: name in the archive, such as ``ECG200``.
        folder: folder below ``data/`` and the mirror; the lower-case name by default.
        normal: the archive's label of the normal class.

    Raises:
        ConfigError: when the name is not one of the archive, or ``normal`` is no whole number.
    """

    partition = "the archive's"
    card = Card("any univariate set of the UCR archive", None, None, 1, False, "research, cite")

    def __init__(self, name: str, folder: str | None = None, normal: int | None = None) -> None:
        name = str(name)  # digits alone are a number in YAML
        if not re.fullmatch(r"[A-Za-z0-9]+", name):
            raise ConfigError(
                f"dataset.name={name!r} is not a name of the UCR archive; they are letters and digits, such as ECG200."
            )
        if normal is not None and type(normal) is not int:
            raise ConfigError(f"dataset.normal is {normal!r}, but the archive's labels are whole numbers.")
        self.archive_name, self.normal = name, normal
        self.name = folder or name.lower()
        self.classes = ()
        # the archive's zip, or the two tab-separated files that it replaces
        members = tuple(f"{name}_{part}.tsv" for part in ("TRAIN", "TEST"))
        self.remote = (RemoteFile(f"{name}.zip", f"{ARCHIVE}/{name}.zip", members=members),)

    def pieces(self, raw: Path) -> Sequence[Recordings]:
        """Read both files, which tell the classes; they are small.

        Raises:
            ConfigError: when there is no class ``normal``.
            DataError: when a file is damaged or multivariate, or the two differ in length.
        """
        tables = [_read_table(raw, self.remote[0], f"{self.archive_name}_{part}") for part in ("TRAIN", "TEST")]
        if tables[0].shape[1] != tables[1].shape[1]:
            raise DataError(f"The two files of {self.archive_name} differ in length; delete them and fetch them again.")
        table = np.concatenate(tables)
        part = np.repeat([TRAIN, TEST], [len(tables[0]), len(tables[1])])
        labels = table[:, 0].astype(np.int64)
        names = self._normal_first(labels[part == TRAIN], np.unique(labels))
        self.classes = tuple(f"label {name}" for name in names)
        position = {name: i for i, name in enumerate(names)}
        y = np.asarray([position[label] for label in labels.tolist()])
        return (Recordings(table[:, None, 1:].astype(np.float32), y, fs_hz=None, unit="1", part=part),)

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Hand over what ``pieces`` has read."""
        recordings: Recordings = piece
        return recordings

    def _normal_first(self, train: IntArray, present: IntArray) -> list[int]:
        """Labels, the normal one first; which one was taken goes into the note."""
        known: list[int] = present.tolist()
        normal = self.normal
        if normal is None:
            names, counts = np.unique(train, return_counts=True)
            most: list[int] = names[counts == counts.max()].tolist()
            normal = most[0]
            self.note = (
                f"label {normal} was taken as normal because it is the most frequent in the training file"
                if len(most) == 1
                else f"labels {', '.join(map(str, most[:-1]))} and {most[-1]} are equally frequent in the training "
                f"file; {normal} was taken as normal: set dataset.normal"
            )
        if normal not in known:
            hint = did_you_mean(str(normal), map(str, known))
            raise ConfigError(f"{self.archive_name} has no class {normal} that dataset.normal asks for; {hint}")
        return [normal, *(name for name in known if name != normal)]


class Wafer(UCR):
    """Process control measurements of semiconductor wafers: 7,164 series of 152 samples, one channel.

    Each series z-normalised by the archive, so unit 1; sampling rate not given. Classes: normal (6,402
    series; label 1 in the archive) and abnormal (762; label -1). Training file 1,000 series, test file 6,164.

    Licence: free for research with citation. Cite: Olszewski (2001), Generalized Feature Extraction for Structural
    Pattern Recognition in Time-Series Data, CMU-CS-01-108; Dau et al. (2019), doi:10.1109/JAS.2019.1911747.

    Traps: several sensors and fabrication runs share a wafer and the archive does not tell which series belong
    together, so random folds may be optimistic.
    """

    expected = {"normal": 6402, "abnormal": 762}  # noqa: RUF012 - read only
    card = Card("semiconductor process control", 7164, 152, 1, False, "research, cite")

    def __init__(self) -> None:
        super().__init__("Wafer", normal=1)
        self.classes = ("normal", "abnormal")

    def pieces(self, raw: Path) -> Sequence[Recordings]:
        """Read both files and name the classes.

        Raises:
            DataError: when a file is damaged or holds other labels than 1 and -1.
        """
        try:
            pieces = super().pieces(raw)
        except ConfigError:  # there is no class 1
            self.classes = ()
        if self.classes != ("label 1", "label -1"):
            raise DataError(f"Wafer in {raw} has other labels than 1 and -1; delete its files and fetch them again.")
        self.classes = ("normal", "abnormal")
        return pieces


def _read_table(raw: Path, file: RemoteFile, stem: str) -> FloatArray:
    # either both bare files or the archive, as in the checksums: one of each would read what nobody checked
    bare = all((raw / member).is_file() for member in file.members)
    place = raw / (f"{stem}.tsv" if bare else file.name)
    try:
        return _parse(place.read_text(encoding="utf-8"), "tsv", place) if bare else _read_member(place, stem)
    except DAMAGED as error:
        raise DataError(f"{place} is damaged ({error}); delete it and fetch it again.") from error


def _read_member(archive: Path, stem: str) -> FloatArray:
    with zipfile.ZipFile(archive) as opened:
        outside = [info.filename for info in opened.infolist() if not is_inside(info.filename)]
        if outside:  # nothing is written, but an archive with such names is not the one that was asked for
            raise ValueError(f"it names {outside[0]!r}, a file outside of itself")
        by_name = {Path(info.filename).name: info for info in opened.infolist()}
        for kind in ("tsv", "txt", "ts", "arff"):
            info = by_name.get(f"{stem}.{kind}")
            if info is not None:
                if info.file_size > MAX_MEMBER_BYTES:
                    raise ValueError(f"{info.filename} would unpack to {info.file_size} bytes")
                return _parse(opened.read(info).decode("utf-8", errors="replace"), kind, archive / info.filename)
    raise ValueError(f"it holds no {stem} file")


def _parse(text: str, kind: str, place: Path) -> FloatArray:
    """Rows of label first, then samples, whatever the file format."""
    if kind in ("ts", "arff"):
        body = re.split(r"(?im)^@data\s*$", text, maxsplit=1)[-1]
        if kind == "ts":
            _refuse_multivariate(body, place)
        text = body.replace(":", ",").replace(",", " ")
    if not text.strip():
        raise ValueError("it is empty")
    table = np.loadtxt(io.StringIO(text), ndmin=2, dtype=np.float64)
    if table.shape[1] < 2:  # noqa: PLR2004 - a label and a sample
        raise ValueError("rows of a label and at least one sample are expected")
    table = np.roll(table, 1, axis=1) if kind in ("ts", "arff") else table
    label = table[:, 0]
    wrong = np.flatnonzero(~np.isfinite(label) | (label != np.round(label)))
    if wrong.size:
        raise DataError(
            f"{place} has the label {label[wrong[0]]:g} in row {wrong[0] + 1} of its data; a whole number belongs "
            "there."
        )
    return table


def _refuse_multivariate(body: str, place: Path) -> None:
    """In the archive's own format a colon ends each channel, and what follows the last one is the label."""
    for row, line in enumerate(filter(str.strip, body.splitlines()), 1):
        channels = line.split(":")[:-1]
        if len(channels) != 1 or "," in line.rpartition(":")[2]:
            raise DataError(
                f"{place} has {len(channels)} channels and a label in row {row} of its data; only univariate sets with "
                "labels can be read, so choose another."
            )
