"""Beats of a ward: a list of patients, and one CSV file of beats for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ecgan.data.formats.tables import read_numbers, read_table
from ecgan.data.source import BaseSource
from ecgan.errors import ConfigError, DataError
from ecgan.types import Card, Recordings, RemoteFile

LIST = "patients.csv"


class Patient(NamedTuple):
    """A line of the list."""

    number: int
    name: str
    diagnosis: str


class Ward(BaseSource):
    """Beats of a ward, one lead, in millivolts.

    Shape (N, 1, samples). Classes: healthy, ill; all beats of a patient have the patient's class. License: internal.
    Traps: beats of a patient are alike. They must not be divided at random; patients are given as groups.

    Args:
        samples: of each beat.
        fs_hz: sampling rate.

    Raises:
        ConfigError: when a number is not positive.
    """

    name = "ward"
    classes = ("healthy", "ill")
    card = Card("beats of our ward", series=None, length=100, channels=1, patients=True, license="internal")

    def __init__(self, samples: int = 100, fs_hz: float = 100.0) -> None:
        if samples < 1 or fs_hz <= 0:
            raise ConfigError(f"dataset.samples and dataset.fs_hz must be positive, not {samples} and {fs_hz}.")
        self.samples, self.fs_hz = samples, fs_hz

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """The list, and once it is there the files that it names. Without an address they must be put there."""
        patients = self.pieces(raw) if (raw / LIST).is_file() else ()
        return (RemoteFile(LIST), *(RemoteFile(f"{patient.name}.csv") for patient in patients))

    def pieces(self, raw: Path) -> Sequence[Patient]:
        """The patients: several processes read one each."""
        table = read_table(raw / LIST, ["patient", "diagnosis"])
        rows = zip(table["patient"], table["diagnosis"], strict=True)
        return [Patient(number, name, diagnosis) for number, (name, diagnosis) in enumerate(rows)]

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Read the beats of one patient.

        Raises:
            DataError: when the diagnosis is unknown or the file is damaged.
        """
        if piece.diagnosis not in self.classes:
            raise DataError(f"{raw / LIST} gives {piece.name} the diagnosis {piece.diagnosis!r}; use {self.classes}.")
        path = raw / f"{piece.name}.csv"
        beats = read_numbers(path.read_bytes(), self.samples, path).astype(np.float32)
        label = np.full(len(beats), self.classes.index(piece.diagnosis))
        return Recordings(beats[:, None], label, self.fs_hz, "mV", group=np.full(len(beats), piece.number))
