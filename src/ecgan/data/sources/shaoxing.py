"""Chapman-Shaoxing: 12-lead recordings of ten seconds with eleven rhythms."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecgan.data.formats.listing import names_below
from ecgan.data.formats.members import member_content, member_names
from ecgan.data.formats.records import mended, read_signals, refuse_incomplete
from ecgan.data.formats.tables import read_numbers
from ecgan.data.source import BaseSource, Source, listed
from ecgan.data.sources.shaoxing_labels import LABELS, NINGBO, RECORDINGS, RHYTHMS, coded_rhythms, rhythms
from ecgan.errors import ConfigError, DataError, did_you_mean
from ecgan.preprocess.window import windows
from ecgan.types import Card, FloatArray, Recordings, RemoteFile

FOLDER = "ECGDataDenoised"
ARCHIVE = RemoteFile(f"{FOLDER}.zip", "https://figshare.com/ndownloader/files/15652862")
MAX_CSV_BYTES = 2**24
PHYSIONET = "https://physionet.org/files/ecg-arrhythmia/1.0.0"
LAYOUTS = ("WFDBRecords", "challenge-2021")
SUFFIXES = (".hea", ".mat")
NUMBER = re.compile(r"/JS(\d{5})\.(?:hea|mat)$")
ORIGINS = ("auto", "figshare", "physionet", "both")

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
FS_HZ, SAMPLES, UV_PER_MV = 500, 5000, 1000.0


class Recording(NamedTuple):
    """Where a recording lies below the raw folder, its number from 1, and its rhythm where the labels have it."""

    path: str
    number: int
    rhythm: str | None


class Shaoxing(BaseSource):
    """10,646 recordings of as many patients, 12 leads, 500 Hz, ten seconds, cut into overlapping windows.

    Shape (N, 12, 1250), 16 windows of a recording with the defaults; unit mV (figshare's microvolts are converted).
    Classes with recordings: SR, sinus rhythm 1,826; SB, sinus bradycardia 3,889; AFIB, atrial fibrillation 1,780; ST,
    sinus tachycardia 1,568; SVT, supraventricular tachycardia 587; AF, atrial flutter 445; SA, sinus irregularity 399
    (``RhythmNames.xlsx`` calls it SI); AT, atrial tachycardia 121; AVNRT, atrioventricular node reentrant tachycardia
    16; AVRT, atrioventricular reentrant tachycardia 8; SAAWR, sinus atrium to atrial wandering rhythm 7.
    Labels are those of ``Diagnostics.xlsx`` in both forms. A group is a recording, which is a patient.

    Forms: ``figshare`` has signals that the authors denoised, as CSV; ``physionet`` has the signals as recorded, in
    WFDB format (``ecg-arrhythmia`` or ``challenge-2021``), where recording JS00001 is the first row of the labels.
    ``auto`` takes the form of which more recordings are there, and figshare if there are none: a model could tell
    denoised from raw signals, so it never mixes them. ``both`` does, and then every report says so; a recording that
    lies there in several forms is read once, PhysioNet's.

    Licence: CC BY 4.0. Cite: Zheng et al. (2020), doi:10.1038/s41597-020-0386-x. Data:
    doi:10.6084/m9.figshare.c.4560497, doi:10.13026/wgex-er52.

    Traps: PhysioNet lacks the 399 recordings of SA. Windows of a recording overlap, so all 170,336 take 10 GB: cut
    fewer or shorter ones, or resample. Ningbo's recordings (above JS10646), which PhysioNet mixes in, are not in
    ``Diagnostics.xlsx``: they are left out and counted, unless ``ningbo`` labels them by the one rhythm among their
    SNOMED codes; they code 7,615 times atrial flutter and never fibrillation, so their AF is doubtful, and some have
    leads of zeros only. Codes of a record that are of one rhythm, but of another one than the labels have, leave no way
    to tell which is right: such recordings are left out and counted.

    Args:
        origin: ``auto``, ``figshare``, ``physionet`` or ``both``.
        window: samples per window.
        step: samples from the start of a window to that of the next.
        ningbo: whether to read Ningbo's recordings too.
    """

    name = "shaoxing"
    classes = tuple(RHYTHMS)
    card = Card("12-lead recordings of 11 rhythms", 16 * RECORDINGS, 1250, 12, True, "CC BY 4.0", 2010)

    def __init__(self, origin: str = "auto", window: int = 1250, step: int = 250, ningbo: bool = False) -> None:
        if origin not in ORIGINS:
            raise ConfigError(f"dataset.origin is {origin!r}; {did_you_mean(origin, ORIGINS)}")
        if not 1 <= window <= SAMPLES or step < 1:
            raise ConfigError(f"dataset.window must be from 1 to {SAMPLES} samples, and dataset.step at least 1.")
        if ningbo and origin == "figshare":
            raise ConfigError("dataset.ningbo=true needs dataset.origin=physionet or both; figshare has no Ningbo.")
        self.window, self.step, self.ningbo = window, step, ningbo
        self._take(origin)

    def settled(self, roots: Sequence[Path]) -> Source:
        """Choose the form by what is there; the first folder with labels and recordings decides."""
        raws = [root / self.folder / "raw" for root in roots]
        usable = [raw for raw in raws if self.found(raw)]
        source = copy.copy(self)
        source._take(self._chosen([*usable, *raws, Path()][0]))
        return source

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """The labels, and figshare's archive, PhysioNet's records, or both."""
        origin = self._chosen(raw)
        denoised = () if origin == "physionet" else (ARCHIVE,)
        if origin == "figshare":
            return (LABELS, *denoised)
        sums, *records = listed(raw, PHYSIONET, suffixes=SUFFIXES)
        numbered = [(file, NUMBER.search(file.name)) for file in records]
        wanted = [file for file, number in numbered if number and (self.ningbo or int(number[1]) <= RECORDINGS)]
        return (LABELS, *denoised, sums, *wanted)

    def found(self, raw: Path) -> tuple[str, ...]:
        """The labels and the files of the recordings there; none if either is missing."""
        origin = self._chosen(raw)
        names: list[str] = []
        if origin != "physionet":
            names += [ARCHIVE.name] if (raw / ARCHIVE.name).is_file() else _csv_files(raw).values()
        if origin != "figshare":
            read = set(_records(raw).values())
            names += [n for folder in LAYOUTS for n in names_below(raw, folder, SUFFIXES) if n[: -len(".hea")] in read]
        return (LABELS.name, *names) if names and (raw / LABELS.name).is_file() else ()

    def pieces(self, raw: Path) -> Sequence[Recording]:
        """Every recording once, by number; which form they have goes into the note.

        Raises:
            DataError: when the labels are missing or damaged, or are others, or a record lacks its signals.
        """
        self._take(self._chosen(raw))
        table = rhythms(raw / LABELS.name)
        rhythm = dict(enumerate(table["Rhythm"].tolist(), 1))
        number = {name: i for i, name in enumerate(table["FileName"].tolist(), 1)}
        records = _records(raw)
        recorded = {i: Recording(path, i, rhythm.get(i)) for i, path in records.items()}
        numbered = [(path, number.get(name, 0)) for name, path in _csv_files(raw).items()]
        denoised = [Recording(path, i, rhythm.get(i)) for path, i in numbered]
        alone = [recording for recording in denoised if recording.number not in recorded]
        chosen = {"figshare": denoised, "physionet": [*recorded.values()], "both": [*recorded.values(), *alone]}
        wanted = [path for number, path in records.items() if self.ningbo or number <= RECORDINGS]
        if self.origin != "figshare":
            refuse_incomplete(raw, wanted, SUFFIXES)
        self.note = self._about(len(wanted), len(alone))
        return sorted(chosen[self.origin], key=lambda recording: recording.number)

    def read(self, raw: Path, piece: Recording) -> Recordings:
        """Cut one recording into windows, or count it as left out.

        Raises:
            DataError: when the recording is damaged.
        """
        is_csv = piece.path.endswith(".csv")
        if piece.rhythm is None and (is_csv or not self.ningbo):
            return self._nothing(f"recordings not in {LABELS.name}")
        x, comments = (_denoised(raw, piece.path), ()) if is_csv else _recorded(raw, piece.path)
        coded = coded_rhythms(comments)
        if piece.rhythm and len(coded) == 1 and coded[0] != piece.rhythm:
            return self._nothing(f"recordings whose header gives another rhythm than {LABELS.name}")
        found = [piece.rhythm] if piece.rhythm else coded
        if len(found) != 1:
            return self._nothing(f"recordings of Ningbo with {'several' if found else 'none'} of the rhythms")
        cut = windows(x, self.window, self.step)
        if not len(cut):
            return self._nothing("recordings shorter than a window")
        y = np.full(len(cut), self.classes.index(found[0]))
        return Recordings(cut, y, float(FS_HZ), "mV", group=np.full(len(cut), piece.number))

    def _nothing(self, reason: str) -> Recordings:
        x, none = np.empty((0, len(LEADS), self.window), np.float32), np.empty(0, np.int64)
        return Recordings(x, none, float(FS_HZ), "mV", group=none, dropped={reason: 1})

    def _chosen(self, raw: Path) -> str:
        """The form to read from a folder."""
        if self.origin != "auto" or self.ningbo:
            return "physionet" if self.origin == "auto" else self.origin
        recorded = sum(number <= RECORDINGS for number in _records(raw))
        return "physionet" if recorded > len(_csv_files(raw)) else "figshare"

    def _take(self, origin: str) -> None:
        """Set what depends on the form."""
        self.origin = origin
        there = RHYTHMS | {"SA": 0} if origin == "physionet" else RHYTHMS
        per_recording = (SAMPLES - self.window) // self.step + 1
        self.expected = {rhythm: n * per_recording for rhythm, n in there.items()}
        if self.ningbo:  # nobody has counted its rhythms by this rule
            self.expected = {"records": sum(there.values()) + NINGBO}

    def _about(self, recorded: int, alone: int) -> str:
        """What every report must say, given the recordings in PhysioNet's form and those that figshare's alone has."""
        mixed = self.origin == "both" and recorded and alone
        texts = [
            f"recordings denoised by the authors: {alone}, as recorded: {recorded}; a model can tell them apart"
            if mixed
            else "signals denoised by the authors"
            if self.origin == "figshare" or not recorded
            else "signals as recorded, not denoised",
            "Ningbo's rhythms are its SNOMED codes, whose AF is doubtful" if self.ningbo else "",
        ]
        return "; ".join(text for text in texts if text)


def _records(raw: Path) -> dict[int, str]:
    """WFDB records by number; the first layout wins where one lies there in several."""
    found: dict[int, str] = {}
    for folder in LAYOUTS:
        for name in names_below(raw, folder, (".hea",)):
            number = NUMBER.search(name)
            if number:
                found.setdefault(int(number[1]), name.removesuffix(".hea"))
    return dict(sorted(found.items()))


def _csv_files(raw: Path) -> dict[str, str]:
    """CSV files below ``raw``, or in the archive where it is there, by name of the recording."""
    if (raw / ARCHIVE.name).is_file():
        names = [name for name in member_names(raw / ARCHIVE.name) if name.startswith(f"{FOLDER}/")]
    else:
        names = names_below(raw, FOLDER, (".csv",))
    return {name.removesuffix(".csv").rpartition("/")[2]: name for name in sorted(names) if name.endswith(".csv")}


def _recorded(raw: Path, record: str) -> tuple[FloatArray, Sequence[str]]:
    """(12, T) in mV, and the header's comments."""
    signals = read_signals(raw, record, LEADS)
    if signals.fs_hz != FS_HZ or {unit.lower() for unit in signals.units} != {"mv"}:
        raise DataError(f"{raw / record}.hea is not in mV at {FS_HZ} Hz; {mended(raw)}.")
    return signals.x, signals.comments


def _denoised(raw: Path, path: str) -> FloatArray:
    """(12, T) in mV."""
    archive = raw / ARCHIVE.name
    if archive.is_file():
        content, place = member_content(archive, path, MAX_CSV_BYTES), archive / path
    else:
        content, place = (raw / path).read_bytes(), raw / path
    return np.ascontiguousarray(read_numbers(content, len(LEADS), place).T / UV_PER_MV, np.float32)
