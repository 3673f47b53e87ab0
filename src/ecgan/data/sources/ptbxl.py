"""PTB-XL: 21,799 clinical 12-lead ECGs with diagnoses and ten folds of patients."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ecgan.data.formats.listing import names_below
from ecgan.data.formats.records import mended, read_signals, refuse_incomplete
from ecgan.data.formats.tables import read_table, whole_numbers
from ecgan.data.source import BaseSource, listed
from ecgan.errors import ConfigError, DataError
from ecgan.types import TEST, TRAIN, VAL, Card, IntArray, Recordings, RemoteFile

if TYPE_CHECKING:
    from pandas import DataFrame

URL = "https://physionet.org/files/ptb-xl/1.0.3"
RECORDS, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"
SUFFIXES = (".hea", ".dat")
FOLDER = {100: "records100", 500: "records500"}
COLUMN = {100: "filename_lr", 500: "filename_hr"}
LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
SECONDS, FOLDS = 10, 10
CHUNK = 100
NONE, SEVERAL = -1, -2
REASONS = {NONE: "records without a diagnostic superclass", SEVERAL: "records of several superclasses"}


class Chunk(NamedTuple):
    """Some records: names below the raw folder, class (or ``NONE`` or ``SEVERAL``), patient, and the part of each."""

    names: tuple[str, ...]
    y: IntArray
    group: IntArray
    part: IntArray


class PTBXL(BaseSource):
    """Clinical ECGs of ten seconds, 12 leads, by diagnostic superclass; 16,244 of 21,799 records have exactly one.

    Shape (16244, 12, 1000) at 100 Hz or (16244, 12, 5000) at 500 Hz, unit mV. Classes with counts: NORM, normal 9,069;
    MI, myocardial infarction 2,532; STTC, ST and T wave changes 2,400; CD, conduction disturbance 1,708; HYP,
    hypertrophy 535. A record has the superclasses of all its diagnostic statements, whatever their likelihood, as in
    the database's own example. Records of several superclasses and those of none are left out and counted, since a
    series has one class here; figures of multi-label work, which uses all 21,799 records, are not comparable. A group
    is a patient (18,869 in the whole database).

    Licence: CC BY 4.0. Cite: Wagner et al. (2020), doi:10.1038/s41597-020-0495-6; Goldberger et al. (2000),
    doi:10.1161/01.CIR.101.23.e215; PhysioNet, PTB-XL 1.0.3.

    Traps: versions before 1.0.3 hold 21,837 records, so their counts differ. Folds 9 and 10 were checked by people
    more often than the others, which is why they are for validation and test. Leaving out records of several
    superclasses makes the task easier than it is in a clinic.

    Args:
        fs_hz: 100 or 500; only these files are downloaded.
        test_fold: fold of 1 to 10 that is the test part.
        val_fold: fold that is the validation part; the other eight are for training.
    """

    name = "ptbxl"
    classes = SUPERCLASSES
    partition = "PTB-XL's ten patient-disjoint folds"
    expected = dict(zip(SUPERCLASSES, (9069, 2532, 2400, 1708, 535), strict=True))  # noqa: RUF012 - read only
    card = Card("clinical 12-lead ECGs, 5 diagnostic superclasses", 16_244, 1000, 12, True, "CC BY 4.0", 550)

    def __init__(self, fs_hz: int = 100, test_fold: int = 10, val_fold: int = 9) -> None:
        if fs_hz not in FOLDER:
            raise ConfigError(f"dataset.fs_hz is {fs_hz}, but PTB-XL has 100 and 500 Hz.")
        if not {test_fold, val_fold} <= set(range(1, FOLDS + 1)) or test_fold == val_fold:
            raise ConfigError("dataset.test_fold and dataset.val_fold must be two different folds from 1 to 10.")
        self.fs_hz, self.test_fold, self.val_fold = fs_hz, test_fold, val_fold

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """Both tables and the records of the chosen sampling rate."""
        all_files = listed(raw, URL, suffixes=(".csv", *SUFFIXES))
        records = f"{FOLDER[self.fs_hz]}/"
        sums = all_files[0].name
        return tuple(f for f in all_files if f.name in (sums, RECORDS, STATEMENTS) or f.name.startswith(records))

    def found(self, raw: Path) -> tuple[str, ...]:
        """Both tables and the records that are there; none if one of these is missing."""
        if not all((raw / table).is_file() for table in (RECORDS, STATEMENTS)):
            return ()
        names = names_below(raw, FOLDER[self.fs_hz], SUFFIXES)
        records = {name.removesuffix(".hea") for name in names if name.endswith(".hea")}
        names = [name for name in names if name.rpartition(".")[0] in records]
        return (RECORDS, STATEMENTS, *names) if names else ()

    def pieces(self, raw: Path) -> Sequence[Chunk]:
        """Chunks of the records that are there, in the order of the table.

        Raises:
            DataError: when a table is damaged or lacks a column, a value is not as it should be, or a record lacks its
                signals.
        """
        column = COLUMN[self.fs_hz]
        table = read_table(raw / RECORDS, ("patient_id", "scp_codes", "strat_fold", column))
        y = _superclasses(table, raw)
        group = whole_numbers(table, "patient_id", raw / RECORDS)
        fold = whole_numbers(table, "strat_fold", raw / RECORDS)
        outside = np.flatnonzero((fold < 1) | (fold > FOLDS))
        if outside.size:
            row = outside[0]
            raise DataError(f"{raw / RECORDS} has fold {fold[row]} in row {row + 2}; folds are 1 to {FOLDS}.")
        part = np.where(fold == self.test_fold, TEST, np.where(fold == self.val_fold, VAL, TRAIN))
        there = {name.removesuffix(".hea") for name in names_below(raw, FOLDER[self.fs_hz], (".hea",))}
        names = np.asarray(table[column].tolist(), dtype=np.str_)
        rows = np.flatnonzero([name in there for name in names.tolist()])
        refuse_incomplete(raw, names[rows].tolist(), SUFFIXES)
        chunks = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
        return [Chunk(tuple(names[c].tolist()), y[c], group[c], part[c]) for c in chunks]

    def read(self, raw: Path, piece: Chunk) -> Recordings:
        """Read the records of a chunk that have exactly one superclass.

        Raises:
            DataError: when a record is damaged, or has another length, unit or sampling rate.
        """
        rows = np.flatnonzero(piece.y >= 0)
        x = np.empty((len(rows), len(LEADS), SECONDS * self.fs_hz), np.float32)
        for place, row in enumerate(rows):
            name = piece.names[row]
            signals = read_signals(raw, name, LEADS)
            units = {unit.lower() for unit in signals.units}
            if (signals.x.shape, signals.fs_hz, units) != (x.shape[1:], self.fs_hz, {"mv"}):
                raise DataError(
                    f"{raw / name}.hea is not of {x.shape[-1]} samples in mV at {self.fs_hz} Hz; {mended(raw)}."
                )
            x[place] = signals.x
        dropped = {reason: int((piece.y == code).sum()) for code, reason in REASONS.items()}
        return Recordings(
            x,
            piece.y[rows],
            float(self.fs_hz),
            "mV",
            group=piece.group[rows],
            part=piece.part[rows],
            dropped={reason: n for reason, n in dropped.items() if n},
        )


def _superclasses(table: DataFrame, raw: Path) -> IntArray:
    """(N,) class of each record, ``NONE`` or ``SEVERAL``."""
    position = {name: i for i, name in enumerate(SUPERCLASSES)}
    by_code = {code: position[name] for code, name in _diagnostic_codes(raw / STATEMENTS)}
    known: dict[str, int] = {}
    for row, text in enumerate(table["scp_codes"].tolist()):
        if text in known:
            continue
        try:
            codes = ast.literal_eval(text)
            found = {by_code[code] for code in codes.keys() if code in by_code}  # noqa: SIM118 - only a dict has keys
        except (ValueError, SyntaxError, AttributeError, TypeError, MemoryError, RecursionError) as error:
            place = f"row {row + 2}, column scp_codes"
            raise DataError(
                f"{raw / RECORDS} has no statements in {place} ({text[:40]!r}); delete it and fetch it again."
            ) from error
        known[text] = next(iter(found)) if len(found) == 1 else SEVERAL if found else NONE
    return np.asarray([known[text] for text in table["scp_codes"].tolist()], np.int64)


def _diagnostic_codes(path: Path) -> list[tuple[str, str]]:
    """Pairs of a diagnostic statement's code and its superclass."""
    import pandas as pd

    code = ""  # the first column has no name
    table = read_table(path, (code, "diagnostic", "diagnostic_class"))
    table = table[pd.to_numeric(table["diagnostic"], errors="coerce") == 1]
    unknown = sorted(set(table["diagnostic_class"]) - set(SUPERCLASSES))
    if unknown:
        raise DataError(f"{path} has {unknown[0]!r} as a superclass; known are {', '.join(SUPERCLASSES)}.")
    return list(zip(table[code].tolist(), table["diagnostic_class"].tolist(), strict=True))
