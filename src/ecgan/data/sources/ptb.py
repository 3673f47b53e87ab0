"""PTB Diagnostic ECG Database: long 12-lead recordings of patients and healthy people."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecgan.data.formats.records import mended, read_signals, record_files, refuse_incomplete
from ecgan.data.source import BaseSource, listed
from ecgan.errors import ConfigError, DataError, did_you_mean
from ecgan.preprocess.window import windows
from ecgan.types import Card, Recordings, RemoteFile

URL = "https://physionet.org/files/ptbdb/1.0.0"
SUFFIXES = (".hea", ".dat")
"""The ``.xyz`` files hold the Frank leads, which are not used."""
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
FS_HZ = 1000.0
SHORTEST_S, LONGEST_S = 0.002, 200.0
"""Bounds of a window: two samples, and more than the longest record has."""
HEALTHY, INFARCTION = "healthy control", "myocardial infarction"
DIAGNOSES = (
    HEALTHY,
    INFARCTION,
    "bundle branch block",
    "cardiomyopathy",
    "dysrhythmia",
    "heart failure (nyha 2)",
    "heart failure (nyha 3)",
    "heart failure (nyha 4)",
    "hypertrophy",
    "myocarditis",
    "palpitation",
    "stable angina",
    "unstable angina",
    "valvular heart disease",
)
CLASSES = {"mi": (HEALTHY, INFARCTION), "diagnosis": DIAGNOSES}
NOT_GIVEN = ("n/a", "")
REASON = "reason for admission:"
PATIENT = re.compile(r"patient(\d+)/")


class Record(NamedTuple):
    """A record and why its patient was admitted, in lower case; empty where the header does not say."""

    name: str
    diagnosis: str


class PTB(BaseSource):
    """549 recordings of 290 people, 12 leads, half a minute to two minutes each, cut into windows.

    Shape (N, 12, T) with ten seconds a window by default, so T = 10,000; 1000 Hz, unit mV, not filtered. The class is
    the header's reason for admission. Records: myocardial infarction 368, healthy control 80, bundle branch block 17,
    cardiomyopathy 17, dysrhythmia 16, hypertrophy 7, valvular heart disease 6, myocarditis 4, stable angina 2, one
    each of unstable angina, palpitation and heart failure of NYHA class 2, 3 and 4; 27 do not say. ``classes=mi``
    keeps healthy control and myocardial infarction, ``classes=diagnosis`` all that say one. A group is a patient.

    Licence: ODC-By 1.0. Cite: Bousseljot et al. (1995), doi:10.1515/bmte.1995.40.s1.317; Goldberger et al. (2000),
    doi:10.1161/01.CIR.101.23.e215. Database: doi:10.13026/C28C71.

    Traps: there are far more patients than healthy people, and many recordings of the same patient: split by group.
    Healthy people are younger than patients. Records differ in length, so long ones give more windows. Twelve of the
    15 signals are read; the three Frank leads lie in ``.xyz`` files, which need not be there.

    Args:
        classes: ``mi`` or ``diagnosis``.
        window_s: seconds per window, from 0.002 to 200; shorter records are left out.
        step_s: seconds from the start of a window to that of the next.
        leads: names of the leads in the order wanted; by default the 12 standard ones.
    """

    name = "ptb"
    expected = {"records": 549}  # noqa: RUF012 - read only
    card = Card("12-lead recordings of patients and healthy people", None, 10_000, 12, True, "ODC-By 1.0", 1400)

    def __init__(
        self,
        classes: str = "mi",
        window_s: float = 10.0,
        step_s: float = 10.0,
        leads: Sequence[str] | None = None,
    ) -> None:
        if classes not in tuple(CLASSES):
            raise ConfigError(f"dataset.classes is {classes!r}; {did_you_mean(str(classes), CLASSES)}")
        if not SHORTEST_S <= window_s <= LONGEST_S:  # which NaN is not
            raise ConfigError(
                f"dataset.window_s is {window_s}, but from {SHORTEST_S:g} to {LONGEST_S:g} s are possible."
            )
        if not (step_s > 0 and math.isfinite(step_s)):
            raise ConfigError(f"dataset.step_s is {step_s}, but must be finite and greater than 0 seconds.")
        self.leads = LEADS if leads is None else _leads(leads)
        self.classes = CLASSES[classes]
        self.window_s, self.step_s = window_s, step_s

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """All records, without the Frank leads."""
        return listed(raw, URL, suffixes=SUFFIXES)

    def found(self, raw: Path) -> tuple[str, ...]:
        """Files of the records that are there."""
        return tuple(name for record in _names(raw) for name in record_files(raw, record, SUFFIXES))

    def pieces(self, raw: Path) -> Sequence[Record]:
        """All records; how many are excerpts goes into the note.

        Raises:
            DataError: when a record lacks its signals.
        """
        refuse_incomplete(raw, _names(raw), SUFFIXES)
        comments = {name: _comments(raw / f"{name}.hea") for name in _names(raw)}
        excerpts = sum("EXCERPT" in lines[-1] for lines in comments.values() if lines)
        self.note = ""
        if excerpts:
            self.note = f"{excerpts} of the {len(comments)} records are excerpts, not originals, as their headers say"
        return [Record(name, _diagnosis(lines)) for name, lines in comments.items()]

    def read(self, raw: Path, piece: Record) -> Recordings:
        """Cut one record into windows, or count it as left out.

        Raises:
            DataError: when a file is damaged, the unit or the sampling rate is another one, or the diagnosis is not one
                of the database's.
        """
        name, diagnosis = piece
        patient = PATIENT.match(name)
        if patient is None:
            raise DataError(f"{raw / name}.hea lies in no folder patientNNN, which tells the patient; put it there.")
        if diagnosis in NOT_GIVEN:
            return self._nothing("records without a diagnosis")
        if diagnosis not in DIAGNOSES:
            hint = did_you_mean(diagnosis, DIAGNOSES)
            raise DataError(f"{raw / name}.hea gives {diagnosis!r} as reason for admission, which is unknown; {hint}")
        if diagnosis not in self.classes:
            return self._nothing("records with a diagnosis other than the classes asked for")
        signals = read_signals(raw, name, self.leads)
        if {unit.lower() for unit in signals.units} != {"mv"}:
            raise DataError(f"{raw / name}.hea gives {', '.join(signals.units)} as units instead of mV; {mended(raw)}.")
        if signals.fs_hz != FS_HZ:
            raise DataError(f"{raw / name}.hea gives {signals.fs_hz:g} Hz instead of {FS_HZ:g}; {mended(raw)}.")
        length, step = (max(1, round(seconds * FS_HZ)) for seconds in (self.window_s, self.step_s))
        x = windows(signals.x, length, step)
        if not len(x):
            return self._nothing("records shorter than a window")
        y = np.full(len(x), self.classes.index(diagnosis))
        return Recordings(x, y, FS_HZ, "mV", group=np.full(len(x), int(patient[1])))

    def _nothing(self, reason: str) -> Recordings:
        x, none = np.empty((0, len(self.leads), 0), np.float32), np.empty(0, np.int64)
        return Recordings(x, none, FS_HZ, "mV", group=none, dropped={reason: 1})


def _leads(leads: Sequence[str]) -> tuple[str, ...]:
    if isinstance(leads, str) or not all(isinstance(lead, str) for lead in leads):
        raise ConfigError("dataset.leads is null or a list of names, such as [i, v5].")
    names = tuple(lead.lower() for lead in leads)
    unknown = [lead for lead in names if lead not in LEADS]
    if unknown:
        raise ConfigError(f"dataset.leads has {unknown[0]!r}; {did_you_mean(unknown[0], LEADS)}")
    if not names or len(set(names)) < len(names):
        raise ConfigError("dataset.leads must name at least one lead, and each only once.")
    return names


def _names(raw: Path) -> list[str]:
    return sorted(path.relative_to(raw).with_suffix("").as_posix() for path in raw.glob("*/*.hea"))


def _comments(header: Path) -> list[str]:
    lines = header.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines:  # else its record would pass for one without a diagnosis
        raise DataError(f"{header} is empty; {mended(header.parents[1])}.")
    return [line.lstrip("# ").rstrip() for line in lines if line.startswith("#")]


def _diagnosis(comments: Sequence[str]) -> str:
    found = [line[len(REASON) :].strip().lower() for line in comments if line.lower().startswith(REASON)]
    return found[0] if found else ""
