"""Wrong files of Chapman-Shaoxing get a sentence with the place."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.pool import in_order
from ecgan.data.sources import shaoxing, shaoxing_labels
from ecgan.data.sources.shaoxing import Shaoxing
from ecgan.data.sources.shaoxing_labels import rhythms
from ecgan.errors import DataError
from shaoxing_files import CODES, LABELS, NAMES, csv_text, labels, put_csv, put_wfdb, read, signal, with_labels


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labels of five recordings, of which nothing else is there yet."""
    return with_labels(tmp_path, monkeypatch)


def test_a_damaged_archive_is_refused(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = raw / "ECGDataDenoised.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(f"ECGDataDenoised/{NAMES[0]}.csv", csv_text(signal(1)))
    source = Shaoxing()
    (piece,) = source.pieces(raw)
    monkeypatch.setattr(shaoxing, "MAX_CSV_BYTES", 1000)
    with pytest.raises(DataError, match=r"ECGDataDenoised\.zip holds .*csv of [\d,]+ bytes, more than is sensible"):
        source.read(raw, piece)
    monkeypatch.undo()
    content = bytearray(archive.read_bytes())
    content[2000] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"ECGDataDenoised\.zip is damaged at .*CRC"):
        source.read(raw, piece)
    archive.write_bytes(bytes(content)[: len(content) // 2])
    with pytest.raises(DataError, match=r"ECGDataDenoised\.zip is not a whole zip file"):
        Shaoxing().found(raw)


def test_processes_may_read_one_archive_at_once(raw: Path) -> None:
    with zipfile.ZipFile(raw / "ECGDataDenoised.zip", "w") as archive:
        for number in range(1, len(NAMES) + 1):
            archive.writestr(f"ECGDataDenoised/{NAMES[number - 1]}.csv", csv_text(signal(number)))
    source = Shaoxing(window=1300)
    pieces = list(source.pieces(raw)) * 4
    parts = in_order(partial(source.read, raw), pieces, workers=2)
    for part, piece in zip(parts, pieces, strict=True):
        assert np.allclose(np.asarray(part.x)[0], signal(piece.number).T / 1000, atol=1e-6)


def broken_csv() -> dict[str, tuple[str, str]]:
    lines = csv_text(signal(1)).splitlines()
    cells = lines[2].split(",")

    def with_row(*row: str) -> str:
        return "\n".join([*lines[:2], ",".join(row), *lines[3:]]) + "\n"

    return {
        "text": (with_row("x", *cells[1:]), r"27000\.csv has 'x' in row 3, column 1; a finite number"),
        "empty cell": (with_row(*cells[:11], ""), r"has '' in row 3, column 12; a finite number"),
        "infinite": (with_row(cells[0], "Inf", *cells[2:]), r"has 'Inf' in row 3, column 2; a finite number"),
        "short row": (with_row(*cells[:11]), r"has 11 columns in row 3 instead of 12"),
        "long row": (with_row(*cells, "1"), r"has 13 columns in row 3 instead of 12"),
        "one column less": ("\n".join(line.rsplit(",", 1)[0] for line in lines), r"has 11 columns in row 1 instead of"),
        "nothing": ("\n", r"27000\.csv is empty"),
        "binary": ("\x00\x01\x02", r"has 1 columns in row 1 instead of 12"),
    }


@pytest.mark.parametrize("fault", broken_csv())
def test_a_broken_csv_is_refused(raw: Path, fault: str) -> None:
    put_csv(raw, 1)
    content, message = broken_csv()[fault]
    (raw / "ECGDataDenoised" / f"{NAMES[0]}.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read(Shaoxing(), raw)


def test_nan_in_a_csv_is_missing(raw: Path) -> None:
    put_csv(raw, 1)
    path = raw / "ECGDataDenoised" / f"{NAMES[0]}.csv"
    first, rest = path.read_text().split(",", 1)
    path.write_text(f"NaN,{rest}")
    (part,) = read(Shaoxing(window=1300), raw)
    assert first
    assert np.isnan(np.asarray(part.x)).sum() == 1
    assert np.isnan(np.asarray(part.x)[0, 0, 0])


def broken_labels() -> dict[str, tuple[list[tuple[str, ...]], tuple[str, ...], str]]:
    rows = [(name, label, "NONE") for name, label in zip(NAMES, LABELS, strict=True)]
    usual = ("FileName", "Rhythm", "Beat")
    return {
        "no column": (rows, ("FileName", "Label", "Beat"), r"Diagnostics\.xlsx has no column 'Rhythm'"),
        "unknown": ([*rows[:2], (NAMES[2], "SI", ""), *rows[3:]], usual, r"the unknown rhythm 'SI' in row 4; "),
        "no label": ([*rows[:4], (NAMES[4],)], usual, r"the unknown rhythm '' in row 6; "),
        "a row less": (rows[:4], usual, r"Diagnostics\.xlsx has 4 rows instead of 5, so they cannot be told"),
    }


@pytest.mark.parametrize("fault", broken_labels())
def test_broken_labels_are_refused(raw: Path, fault: str) -> None:
    rows, header, message = broken_labels()[fault]
    labels(raw, rows, header)
    with pytest.raises(DataError, match=message):
        Shaoxing().pieces(raw)


def test_a_file_that_is_no_xlsx_is_refused(raw: Path) -> None:
    for content in (b"", b"<html>", (raw / "Diagnostics.xlsx").read_bytes()[:900]):
        (raw / "Diagnostics.xlsx").write_bytes(content)
        with pytest.raises(DataError, match=r"Diagnostics\.xlsx cannot be read as a table"):
            rhythms(raw / "Diagnostics.xlsx")
    (raw / "Diagnostics.xlsx").unlink()
    with pytest.raises(DataError, match=r"Diagnostics\.xlsx is missing"):
        rhythms(raw / "Diagnostics.xlsx")


def test_a_record_of_another_rate_is_refused(raw: Path) -> None:
    header = put_wfdb(raw, 1, CODES[1])
    header.write_text(header.read_text().replace(" 12 500 ", " 12 250 "))
    with pytest.raises(DataError, match=r"JS00001\.hea is not in mV at 500 Hz"):
        read(Shaoxing(), raw)


def test_the_real_labels(mirror: Path) -> None:
    table = rhythms(mirror / "shaoxing" / "raw" / "Diagnostics.xlsx")
    assert table["Rhythm"].value_counts().to_dict() == shaoxing_labels.RHYTHMS
    assert (table.index[0], table.index[-1]) == (1, 10_646)
    assert table.loc[3].tolist() == ["MUSE_20180111_165520_97000", "SA"]
