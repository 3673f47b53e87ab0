"""Heartbeats of PTB Diagnostic as Kachuee et al. cut them: Kaggle's files, or rebuilt from raw records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecgan.data.sources.kachuee import SAMPLES, CsvFile, KachueeBeats
from ecgan.data.sources.ptb import PTB
from ecgan.preprocess.beats import Beats
from ecgan.types import Card, Recordings, RemoteFile

WINDOW_S = 5.0
"""The paper says ten seconds; only windows of about five give the published beats that can be compared."""

STRIDE = 8
"""Every eighth sample of 1000 Hz."""


class PTBBeats(KachueeBeats):
    """Heartbeats of PTB Diagnostic by Kachuee et al. (2018): 14,552 beats, one lead.

    Shape (N, 1, 187), 125 Hz, each beat scaled to [0, 1] and padded with zeros at the end, unit 1. Classes of
    Kaggle's files with counts: normal 4,046 (healthy control), abnormal 10,506 (myocardial infarction). Kaggle's files
    do not tell patients; rebuilt beats do. There is no official split.

    Procedure: lead II, unfiltered, every eighth sample, in windows of five seconds; then ``ecgan.preprocess.beats``:
    R peaks are the local maxima above 0.9 of the window's range, T is the median of their distances, a beat begins at
    a peak and lasts 1.2 T, rounded down; beats that leave their window are left out, and so are windows with a T
    outside 0.4 to 1.2 s. It was found by comparison with 200 rows of Kaggle's files and the raw data at hand (four
    complete records and 62 excerpts of ten seconds). Four of the rows come from those data, and all four are given
    with start and length: one exactly, three within the rounding of the excerpts (0.001 mV). At the threshold of 0.9
    only windows of 4.9 to 5.0 s and of 5.2 to 5.3 s do that; the paper's ten seconds do it at no threshold. That
    beats stay in their window, and the bounds of T, follow only from how many published beats there are and how long
    they are: the complete database may give other counts than Kaggle's.

    Licence: Kaggle's files have none that we know of; they come from PTB Diagnostic, ODC-By 1.0. Cite: Kachuee, Fazeli
    and Sarrafzadeh (2018), doi:10.1109/ICHI.2018.00092; Bousseljot et al. (1995), doi:10.1515/bmte.1995.40.s1.317;
    Goldberger et al. (2000), doi:10.1161/01.CIR.101.23.e215; data doi:10.13026/C28C71.

    Traps: nothing was filtered before samples were left out. A wandering baseline hides R peaks, and a high T wave or
    noise may be taken for one, so these beats are a selection of the clean ones and some do not begin at an R peak.
    There are far more patients than healthy people: split by group where patients are known. Zeros at the end are
    padding, but a beat may hold a zero itself.

    Args:
        origin: ``kaggle``, ``physionet`` or ``auto``, see ``KachueeBeats``.
    """

    name = "ptb_beats"
    classes = ("normal", "abnormal")
    card = Card("heartbeats of PTB by Kachuee et al.", 14_552, SAMPLES, 1, True, "ODC-By 1.0, cite", 1400)
    csv = (CsvFile("ptbdb_normal.csv", (4_046, 0)), CsvFile("ptbdb_abnormal.csv", (0, 10_506)))
    fs_hz = 1000 / STRIDE
    kaggle_note = "patients are not known, so beats of a patient may be in training and test part"
    rebuilt_version = f"1, windows {PTB.version}, beats {Beats.version}"
    rebuilt_from = "ptb"
    rebuilt_note = "rebuilt from raw PTB Diagnostic, not read from the Kaggle files"
    rebuilt_expected = PTB.expected

    def __init__(self, origin: str = "auto") -> None:
        super().__init__(origin)
        self.windows = PTB(window_s=WINDOW_S, step_s=WINDOW_S, leads=["ii"])
        self.beats = Beats(SAMPLES, window_s=WINDOW_S)

    def rebuilt_files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """All records, as ``ptb`` has them."""
        return self.windows.files(raw)

    def rebuilt_found(self, raw: Path) -> tuple[str, ...]:
        """Files of the records that are there."""
        return self.windows.found(raw)

    def rebuilt_pieces(self, raw: Path) -> Sequence[Any]:
        """All records; how many are excerpts goes into the note."""
        pieces = self.windows.pieces(raw)
        self.note = "; ".join(filter(None, (self.rebuilt_note, self.windows.note)))
        return pieces

    def rebuilt(self, raw: Path, piece: Any) -> Recordings:
        """Cut one record into beats, or count it as left out.

        Raises:
            DataError: when a file is damaged, or the diagnosis is not one of the database's.
        """
        windows = self.windows.read(raw, piece)
        x = np.asarray(windows.x)[..., ::STRIDE]
        return self.beats(windows.with_series(x, self.fs_hz))
