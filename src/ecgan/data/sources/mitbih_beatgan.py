"""BeatGAN's beats of MIT-BIH: the authors' arrays, or rebuilt from the records by the authors' procedure."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ecgan.data.formats.records import read_annotations, read_signals
from ecgan.data.source import BaseSource, Source
from ecgan.data.sources.dechazal import PARTITION, UNPACED, files_found, part, patient, record_list, records_found
from ecgan.data.sources.mitbih import FS_HZ, MITBIH, MLII, check_record, cut_beats
from ecgan.errors import ConfigError, DataError
from ecgan.preprocess import rpeaks
from ecgan.preprocess.rpeaks import corrected_peaks, hamilton_peaks
from ecgan.types import BoolArray, Card, FloatArray, IntArray, Recordings, RemoteFile

log = logging.getLogger(__name__)

LEFT, RIGHT = 140, 180
NEAR = 9
"""Largest distance in samples between a normal beat's annotation and an R peak."""

SYMBOLS = {"N": "NLR", "S": "aJASje", "V": "VE", "F": "F", "Q": "/fQ"}
COUNTS = {"N": 86_717, "S": 3_026, "V": 7_008, "F": 802, "Q": 15}
FOLDER = "mitbih_beatgan"
CHUNK = 10_000
BROKEN = (OSError, ValueError, EOFError)


class MITBIHBeatGAN(BaseSource):
    """Beats of MIT-BIH Arrhythmia as prepared for BeatGAN: 97,568 beats of 44 records, two leads, 320 samples.

    Shape (97568, 2, 320), unit mV, 360 Hz, MLII first, zero-phase band-pass 3-45 Hz. Classes with counts: N 86,717;
    S 3,026; V 7,008; F 802; Q 15. Patients and de Chazal's partition are known when rebuilt, not from the authors'
    arrays.

    Licence: derived from MIT-BIH (ODC-By 1.0). Cite: Zhou et al. (2019), BeatGAN, doi:10.24963/ijcai.2019/616; Moody
    and Mark (2001), doi:10.1109/51.932724.

    Traps: symbols e and j are in S here and in N of AAMI EC57. Normal beats are kept only when a detector finds an R
    peak within 9 samples of the annotation, other beats always, so that the normal class is cleaner than it is in
    practice. Without patients, random splits mix beats of one patient, as published results do. The authors' row order
    is random and cannot be rebuilt.

    Args:
        origin: ``authors`` reads ``{N,S,V,F,Q}_samples.npy``, put by hand into ``mitbih_beatgan/raw``; ``physionet``
            rebuilds the beats from MIT-BIH; ``auto`` takes the arrays if the first folder that has all five holds all
            of their rows, else rebuilds.
    """

    name = "mitbih_beatgan"
    classes = tuple(SYMBOLS)
    expected = COUNTS
    card = Card("BeatGAN's beats of MIT-BIH, two leads", 97_568, LEFT + RIGHT, 2, True, "ODC-By 1.0", 94)

    def __init__(self, origin: Literal["auto", "authors", "physionet"] = "auto") -> None:
        if origin not in ("auto", "authors", "physionet"):
            raise ConfigError(f"dataset.origin={origin} is unknown; valid are auto, authors, physionet.")
        self.origin = origin

    def settled(self, roots: Sequence[Path]) -> Source:
        """The authors' arrays or the rebuilt beats."""
        authors = _AuthorsBeats()
        raws = [root / FOLDER / "raw" for root in roots]
        taken = [raw for raw in raws if authors.found(raw)][:1]  # the folder that their files would be read from
        whole = self.origin == "auto" and any(map(_complete, taken))
        if self.origin == "auto" and taken and not whole:
            log.info("%s: the arrays in %s are a subset, so the beats are rebuilt from MIT-BIH", self.name, taken[0])
        return authors if self.origin == "authors" or whole else _RebuiltBeats()


class _AuthorsBeats(MITBIHBeatGAN):
    """The authors' arrays, float64 of shape (beats, 2, 320), one file per class; nothing tells the patients."""

    version = "1-authors"
    note = "the authors' arrays, which do not tell patients apart"
    # the authors' share has no address that can be relied on
    remote = tuple(RemoteFile(f"{name}_samples.npy") for name in SYMBOLS)

    def __init__(self) -> None:
        super().__init__("authors")

    def pieces(self, raw: Path) -> Sequence[tuple[str, int]]:
        """Class and first row of chunks of rows.

        Raises:
            DataError: when a file is no array of beats.
        """
        rows = {name: len(_opened(raw, name)) for name in SYMBOLS}
        return [(name, start) for name, count in rows.items() for start in range(0, count, CHUNK)]

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Read one chunk of one class.

        Raises:
            DataError: when a file is no array of beats, or holds values that are not finite.
        """
        name, start = piece
        x = np.asarray(_opened(raw, name)[start : start + CHUNK])
        broken = np.flatnonzero(~np.isfinite(x).all(axis=(1, 2)))
        if broken.size:
            raise DataError(
                f"{raw / name}_samples.npy has NaN or infinite values in row {start + broken[0]}; replace it."
            )
        return Recordings(x, np.full(len(x), self.classes.index(name)), FS_HZ, "mV")


class _RebuiltBeats(MITBIHBeatGAN):
    """The same beats, rebuilt from the records of MIT-BIH by the authors' procedure, with patients."""

    folder = "mitbih"
    version = f"1-physionet, windows {MITBIH.version}, R peaks {rpeaks.VERSION}"
    note = "rebuilt from MIT-BIH Arrhythmia by the authors' procedure"
    partition = PARTITION

    def __init__(self) -> None:
        super().__init__("physionet")

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """The records of MIT-BIH."""
        return record_list(raw)

    def found(self, raw: Path) -> tuple[str, ...]:
        """Files of the unpaced records that are there; a mirror may hold only some."""
        return files_found(raw, UNPACED)

    def pieces(self, raw: Path) -> Sequence[str]:
        """Names of the records.

        Raises:
            DataError: when a record lacks its signals or annotations.
        """
        return records_found(raw, UNPACED)

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Cut the beats of one record, in float64 as the authors have them.

        Raises:
            DataError: when a file is missing or damaged.
        """
        sample, symbol = read_annotations(raw, piece)
        signals = read_signals(raw, piece, dtype=np.float64)
        check_record(raw, piece, signals)
        order = sorted(range(2), key=lambda i: signals.leads[i] != MLII)
        x = band_passed(signals.x[order])
        class_of = {symbol: i for i, symbols in enumerate(SYMBOLS.values()) for symbol in symbols}
        y = np.asarray([class_of.get(s, -1) for s in symbol.tolist()], np.int64)
        at, y = sample[y >= 0] + 1, y[y >= 0]  # the authors count samples from one
        inside = (at >= LEFT) & (at + RIGHT < x.shape[1])
        clean = (y != 0) | near_peak(x[0], at)
        kept = inside & clean
        dropped = {
            "with a window that leaves the record": int((~inside).sum()),
            "normal without a detected R peak nearby": int((inside & ~clean).sum()),
        }
        beats = cut_beats(x, at[kept], LEFT, RIGHT)
        group, parts = np.full(len(beats), patient(piece)), np.full(len(beats), part(piece))
        return Recordings(beats, y[kept], FS_HZ, "mV", group, parts, {k: n for k, n in dropped.items() if n})


def band_passed(x: FloatArray) -> FloatArray:
    """Filter (C, T) with the authors' zero-phase FIR band-pass: 109 taps, 3-45 Hz at 360 Hz."""
    from scipy import signal

    taps = signal.firwin(109, [3, 45], pass_zero=False, fs=FS_HZ)
    filtered: FloatArray = signal.filtfilt(taps, [1.0], x, axis=1)
    return filtered


def near_peak(x: FloatArray, at: IntArray) -> BoolArray:
    """Whether a detected R peak of the filtered first lead (T,) lies within 9 samples of each ``at``."""
    peaks = corrected_peaks(x, hamilton_peaks(x, FS_HZ), int(0.05 * FS_HZ))
    if not peaks.size:
        return np.zeros(len(at), np.bool_)
    after = np.searchsorted(peaks, at)
    neighbors = peaks[np.clip([after - 1, after], 0, len(peaks) - 1)]
    near: BoolArray = np.abs(neighbors - at).min(axis=0) <= NEAR
    return near


def _opened(raw: Path, name: str) -> FloatArray:
    path = raw / f"{name}_samples.npy"
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)
        if x.ndim != 3 or x.shape[1:] != (2, LEFT + RIGHT) or x.dtype.kind != "f":  # noqa: PLR2004 - (N, C, T)
            raise ValueError(f"it holds {x.dtype} of shape {x.shape}")
    except BROKEN as error:
        raise DataError(
            f"{path} is no array of floats of shape (beats, 2, {LEFT + RIGHT}) ({error}); replace it, or set "
            "dataset.origin=physionet."
        ) from error
    return x  # type: ignore[no-any-return]


def _complete(raw: Path) -> bool:
    """Whether all arrays are there with all rows; only their headers are read."""
    try:
        return all(len(_opened(raw, name)) == count for name, count in COUNTS.items())
    except DataError:
        return False
