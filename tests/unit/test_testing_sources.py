"""The battery for sources finds what is wrong with them, and says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgan.data.source import BaseSource, Source
from ecgan.errors import DataError
from ecgan.testing import check_source
from ecgan.types import Card, Recordings, RemoteFile


class Sound(BaseSource):
    """Beats of one patient per row: label, then samples."""

    name = "sound"
    classes = ("normal", "abnormal")
    card = Card("made up", None, 3, 1, True, "none needed")
    remote = (RemoteFile("beats.csv"),)

    def read(self, raw: Path, piece: Any) -> Recordings:
        try:
            table = np.loadtxt(raw / "beats.csv", delimiter=",", ndmin=2)
        except ValueError as error:
            raise DataError(f"{raw} is damaged") from error
        if table.shape[1:] != (4,):
            raise DataError(f"{raw} has no beats")
        label = table[:, 0].astype(np.int64)
        return Recordings(table[:, None, 1:], label, 100.0, "mV", group=np.arange(len(label)))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "sound" / "raw"
    folder.mkdir(parents=True)
    (folder / "beats.csv").write_text("0,1,2,3\n1,4,5,6\n0,7,8,9\n")
    (folder / "scale.txt").write_text("2")
    return folder


@pytest.mark.filterwarnings("ignore:loadtxt:UserWarning")
def test_a_sound_source_passes(raw: Path) -> None:
    check_source(Sound, raw)


class Nameless(Sound):
    name = "../sound"


class Blind(Sound):
    def found(self, raw: Path) -> tuple[str, ...]:
        return ()


class Seeing(Sound):
    def found(self, raw: Path) -> tuple[str, ...]:
        return ("others.csv",)


class Twice(Sound):
    classes = ("normal", "normal")


class Few(Sound):
    classes = ("normal",)


class Unlicensed(Sound):
    card = replace(Sound.card, license="")


class Expecting(Sound):
    expected = {"nromal": 2}  # noqa: RUF012 - as in the protocol


class Flat(Sound):
    def read(self, raw: Path, piece: Any) -> Recordings:
        read = super().read(raw, piece)
        return read.with_series(np.asarray(read.x)[:, 0], read.fs_hz)


class Mixed(Sound):
    def read(self, raw: Path, piece: Any) -> Recordings:
        return replace(super().read(raw, piece), group=None)


class Short(Sound):
    def read(self, raw: Path, piece: Any) -> Recordings:
        return replace(super().read(raw, piece), group=np.arange(2))


class Uneven(Sound):
    def pieces(self, raw: Path) -> list[int]:
        return [100, 200]

    def read(self, raw: Path, piece: Any) -> Recordings:
        return replace(super().read(raw, piece), fs_hz=float(piece))


class Remembering(Sound):
    def pieces(self, raw: Path) -> list[int]:
        self.seen = 0
        return [0, 1]

    def read(self, raw: Path, piece: Any) -> Recordings:
        self.seen += 1
        read = super().read(raw, piece)
        return read.with_series(np.asarray(read.x) * self.seen, read.fs_hz)


class Secret(Sound):
    def read(self, raw: Path, piece: Any) -> Recordings:
        read = super().read(raw, piece)
        scale = float((raw / "scale.txt").read_text()) if (raw / "scale.txt").is_file() else 1.0
        return read.with_series(np.asarray(read.x) * scale, read.fs_hz)


class Writing(Sound):
    def read(self, raw: Path, piece: Any) -> Recordings:
        (raw / "seen").touch()
        return super().read(raw, piece)


class Raw(Sound):
    def read(self, raw: Path, piece: Any) -> Recordings:
        first = (raw / "beats.csv").read_text().splitlines()[0]
        x = np.array([[[float(value) for value in first.split(",")]]])
        return Recordings(x, np.zeros(1, np.int64), 100.0, "mV", group=np.zeros(1, np.int64))


class Trusting(Sound):
    def read(self, raw: Path, piece: Any) -> Recordings:
        lines = len((raw / "beats.csv").read_text().splitlines()) + 1
        zeros = np.zeros(lines, np.int64)
        return Recordings(np.ones((lines, 1, 3)), zeros, 100.0, "mV", group=zeros)


@pytest.mark.parametrize(
    ("cls", "complaint"),
    [
        (Nameless, r"Nameless calls itself '\.\./sound'"),
        (Blind, "Blind does not find its files"),
        (Seeing, r"Seeing says that it has found others\.csv"),
        (Twice, "Twice has two classes of one name"),
        (Few, r"Few gives labels \[0, 1\] but has 1 classes"),
        (Unlicensed, "the card of Unlicensed does not say on which terms"),
        (Expecting, r"Expecting expects series of \['nromal'\]"),
        (Flat, r"Flat gives series of shape \{\(3,\)\}, not \(channels, time\)"),
        (Mixed, "Mixed has patients in its card, but gives no groups"),
        (Short, r"Short gives a group of shape \(2,\), not \(3,\)"),
        (Uneven, "Uneven changes sampling rate"),
        (Remembering, "Remembering reads something else in another process, or in another order"),
        (Secret, r"Secret reads files that found\(\) does not name"),
        (Writing, "Writing changes its raw files"),
        (Raw, r"Raw fails with IndexError at 0 of \d+ bytes of beats\.csv; raise a DataError"),
        (Trusting, r"Trusting takes an empty beats\.csv for a whole one"),
    ],
)
def test_what_is_wrong_is_told(cls: type[Sound], complaint: str, raw: Path) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_source(cls, raw)


def test_what_is_missing_is_named(raw: Path) -> None:
    class Partial:
        name = folder = "partial"

    def make() -> Source:
        return Partial()  # type: ignore[return-value]

    with pytest.raises(AssertionError, match="Partial lacks card, classes"):
        check_source(make, raw)
