"""Heartbeats of MIT-BIH Arrhythmia as Kachuee et al. cut them: Kaggle's files, or the same beats with patients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecgan.data.formats.records import read_annotations, read_signals
from ecgan.data.sources.dechazal import AAMI, PARTITION, RECORDS, files_found, part, patient, record_list, records_found
from ecgan.data.sources.kachuee import SAMPLES, CsvFile, KachueeBeats, rows_per_class
from ecgan.data.sources.mitbih import check_record
from ecgan.preprocess import beats
from ecgan.preprocess.beats import cut_beats
from ecgan.types import TEST, TRAIN, Card, IntArray, Recordings, RemoteFile

STRIDE = 3
"""The published beats hold every third sample of 360 Hz, so they have 120 Hz, not the 125 Hz that the paper names."""

OVERLAP = 0.2
"""Share of the next interval that a beat goes on after the next annotation."""


class MITBIHBeats(KachueeBeats):
    """Heartbeats of MIT-BIH Arrhythmia by Kachuee et al. (2018): 109,446 beats of 47 patients, one lead.

    Shape (N, 1, 187), each beat scaled to [0, 1] and padded with zeros at the end, unit 1. Classes of AAMI EC57 with
    counts: N 90,589; S 2,779; V 7,236; F 803; Q 8,039. Kaggle's files keep a training (87,554) and a test file
    (21,892) as the ``official`` split and do not tell patients. Rebuilt beats do, and de Chazal's DS1 / DS2 is
    their ``official`` split; the four paced records, which have nearly all of class Q, are in neither part of it.

    Procedure, found by comparison with 2,006 rows of Kaggle's files, all of which it gives bit for bit: take the first
    signal of the record (MLII, but V5 in 102, 104 and 114), unfiltered. A beat begins at its annotation i and ends at
    annotation i + 1 plus 0.2 times the interval from there to annotation i + 2, rounded down. Keep every third sample,
    scale to [0, 1] over the whole beat, cut or pad with zeros to 187. The last beat of a record has no next annotation
    and is left out: this gives Kaggle's counts. Not told by those rows: the last but one beat of a record, which has
    no annotation i + 2, ends 0.2 times its own interval after annotation i + 1 here.

    Licence: Kaggle's files have none that we know of; they come from MIT-BIH, ODC-By 1.0. Cite: Kachuee, Fazeli and
    Sarrafzadeh (2018), doi:10.1109/ICHI.2018.00092; Moody and Mark (2001), doi:10.1109/51.932724; Goldberger et al.
    (2000), doi:10.1161/01.CIR.101.23.e215; data doi:10.13026/C2F305.

    Traps: the sampling rate is 120 Hz, not 125 as published, and nothing was filtered before samples were left out, so
    what is above 60 Hz is folded down. Annotations of rhythm and noise end beats too, so some are cut short. Kaggle's
    training and test file share all 47 patients: results on that split say little about new patients. 201 and 202 are
    of one patient, yet de Chazal has one in each part. Zeros at the end are padding, but a beat may hold a zero too.

    Args:
        origin: ``kaggle``, ``physionet`` or ``auto``, see ``KachueeBeats``.
    """

    name = "mitbih_beats"
    classes = tuple(AAMI)
    card = Card("heartbeats of MIT-BIH by Kachuee et al.", 109_446, SAMPLES, 1, True, "ODC-By 1.0, cite", 94)
    csv = (
        CsvFile("mitbih_train.csv", (72_471, 2_223, 5_788, 641, 6_431), TRAIN),
        CsvFile("mitbih_test.csv", (18_118, 556, 1_448, 162, 1_608), TEST),
    )
    fs_hz = 360 / STRIDE
    kaggle_note = "patients are not known, and Kaggle's training and test file share patients"
    kaggle_partition = "Kaggle's training and test file"
    rebuilt_version = f"1, beats {beats.VERSION}"
    rebuilt_from = "mitbih"
    rebuilt_note = "rebuilt from raw MIT-BIH, not read from the Kaggle files"
    rebuilt_partition = PARTITION
    rebuilt_expected = rows_per_class(csv, classes)

    def rebuilt_files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """All 48 records, as ``mitbih`` has them."""
        return record_list(raw)

    def rebuilt_found(self, raw: Path) -> tuple[str, ...]:
        """Files of the records that are there."""
        return files_found(raw, RECORDS)

    def rebuilt_pieces(self, raw: Path) -> Sequence[str]:
        """Names of the records.

        Raises:
            DataError: when a record lacks its signals or annotations.
        """
        return records_found(raw, RECORDS)

    def rebuilt(self, raw: Path, piece: Any) -> Recordings:
        """Cut one record into beats.

        Raises:
            DataError: when a file is missing or damaged.
        """
        sample, symbol = read_annotations(raw, piece)
        signals = read_signals(raw, piece, dtype=np.float64)
        check_record(raw, piece, signals)
        class_of = {symbol: i for i, symbols in enumerate(AAMI.values()) for symbol in symbols}
        label = np.asarray([class_of.get(s, -1) for s in symbol.tolist()], np.int64)
        # an annotation without a next one cannot end
        beat = np.flatnonzero(label[:-1] >= 0)
        stop = ends(sample)[beat]
        x = cut_beats(signals.x[:1], sample[beat], stop, SAMPLES, STRIDE)
        last = int((label[-1:] >= 0).sum())
        reasons = {"last of their record, as in the published set": last} if last else {}
        group, parts = np.full(len(x), patient(piece)), np.full(len(x), part(piece))
        return Recordings(x, label[beat], self.fs_hz, "1", group, parts, reasons)


def ends(sample: IntArray) -> IntArray:
    """The sample after the last one of a beat that begins at annotation i.

    Args:
        sample: (A,) samples of all annotations in order.

    Returns:
        (A - 1,); the last annotation begins no beat.
    """
    interval = np.diff(sample)
    following = np.append(interval[1:], interval[-1:])
    return sample[1:] + (OVERLAP * following).astype(np.int64)
