"""Files of Chapman-Shaoxing in their true formats, five recordings of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgan.data.sources import shaoxing, shaoxing_labels
from ecgan.data.sources.shaoxing import LEADS, Shaoxing
from ecgan.types import Recordings

NAMES = tuple(f"MUSE_20180113_17132{i}_27000" for i in range(5))
LABELS = ("AFIB", "SB", "SA", "SR", "SR")
SAMPLES = 1300
CODES = {1: "164889003,59118001", 2: "426177001", 4: "426783006"}
"""As in the database, recording 3 is of the rhythm SA and lies in figshare's form only."""


def labels(
    raw: Path, rows: Iterable[tuple[str, ...]], header: tuple[str, ...] = ("FileName", "Rhythm", "Beat")
) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (header, *rows):
        sheet.append(row)
    book.save(raw / "Diagnostics.xlsx")


def signal(seed: int) -> np.ndarray:
    """(T, 12) in microvolts."""
    return np.random.default_rng(seed).integers(-3000, 3000, (SAMPLES, 12))


def csv_text(values: np.ndarray) -> str:
    return "".join(",".join(f"{value:.5g}" for value in row) + "\n" for row in values)


def put_csv(raw: Path, number: int) -> None:
    (raw / "ECGDataDenoised").mkdir(exist_ok=True)
    (raw / "ECGDataDenoised" / f"{NAMES[number - 1]}.csv").write_text(csv_text(signal(number)))


def put_wfdb(raw: Path, number: int, codes: str, folder: str = "WFDBRecords/01/010", seed: int | None = None) -> Path:
    """Write a record in WFDB format 16+24: a MATLAB file whose first 24 bytes are its header."""
    place, name = raw / folder, f"JS{number:05}"
    place.mkdir(parents=True, exist_ok=True)
    values = signal(100 + number if seed is None else seed)
    (place / f"{name}.mat").write_bytes(bytes(24) + values.astype("<i2").tobytes())
    lines = [f"{name} 12 500 {SAMPLES}"]
    lines += [f"{name}.mat 16+24 1000/mV 16 0 {values[0, i]} 0 0 {lead}" for i, lead in enumerate(LEADS)]
    (place / f"{name}.hea").write_text("\n".join([*lines, "#Age: 85", "#Sex: Male", f"#Dx: {codes}"]) + "\n")
    assert wfdb.rdheader(str(place / name)).fmt[0] == "16"
    return place / f"{name}.hea"


def read(source: Shaoxing, raw: Path) -> list[Recordings]:
    return [source.read(raw, piece) for piece in source.pieces(raw)]


def with_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A raw folder with the labels of five recordings, of which nothing else is there yet."""
    for module in (shaoxing, shaoxing_labels):
        monkeypatch.setattr(module, "RECORDINGS", len(NAMES))
    folder = tmp_path / "shaoxing" / "raw"
    folder.mkdir(parents=True)
    labels(folder, ((name, label, "NONE") for name, label in zip(NAMES, LABELS, strict=True)))
    return folder
