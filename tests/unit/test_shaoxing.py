"""Reading Chapman-Shaoxing: labels, figshare's CSV files and PhysioNet's records."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgan.data.pool import in_order
from ecgan.data.sources import shaoxing
from ecgan.data.sources.shaoxing import LEADS, Shaoxing, coded_rhythms, rhythms
from ecgan.errors import ConfigError, DataError
from ecgan.types import Recordings, Source

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


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labels of five recordings, of which nothing else is there yet."""
    monkeypatch.setattr(shaoxing, "RECORDINGS", len(NAMES))
    folder = tmp_path / "shaoxing" / "raw"
    folder.mkdir(parents=True)
    labels(folder, ((name, label, "NONE") for name, label in zip(NAMES, LABELS, strict=True)))
    return folder


def read(source: Shaoxing, raw: Path) -> list[Recordings]:
    return [source.read(raw, piece) for piece in source.pieces(raw)]


def summary(source: Shaoxing, parts: list[Recordings]) -> list[tuple[int, str, int]]:
    """Number, rhythm and windows of each recording used."""
    used = [part for part in parts if len(part.y)]
    return [(int(p.group[0]), source.classes[int(p.y[0])], len(p.y)) for p in used if p.group is not None]


def dropped(parts: list[Recordings]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part.dropped)
    return dict(total)


def test_figshare_s_microvolts_become_windows_in_millivolts(raw: Path) -> None:
    put_csv(raw, 4)
    put_csv(raw, 3)
    source = Shaoxing(window=1000, step=150)
    assert isinstance(source, Source)
    assert source.found(raw) == ("Diagnostics.xlsx", *(f"ECGDataDenoised/{NAMES[i]}.csv" for i in (2, 3)))
    parts = read(source, raw)
    assert summary(source, parts) == [(3, "SA", 3), (4, "SR", 3)]
    assert np.asarray(parts[1].x).shape == (3, 12, 1000), "the last full window is kept"
    assert np.allclose(np.asarray(parts[1].x)[2], signal(4)[300:].T / 1000, atol=1e-6)
    assert (parts[0].fs_hz, parts[0].unit, np.asarray(parts[0].x).dtype) == (500.0, "mV", np.float32)
    assert source.note == "signals denoised by the authors"


def test_the_archive_is_read_as_it_is(raw: Path) -> None:
    put_csv(raw, 1)
    put_csv(raw, 2)
    bare = read(Shaoxing(window=1300), raw)
    with zipfile.ZipFile(raw / "ECGDataDenoised.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ECGDataDenoised/", "")
        for path in (raw / "ECGDataDenoised").iterdir():
            archive.write(path, f"ECGDataDenoised/{path.name}")
    shutil.rmtree(raw / "ECGDataDenoised")
    source = Shaoxing(window=1300)
    assert source.found(raw) == ("Diagnostics.xlsx", "ECGDataDenoised.zip")
    packed = read(source, raw)
    assert summary(source, packed) == [(1, "AFIB", 1), (2, "SB", 1)]
    assert all(np.array_equal(np.asarray(a.x), np.asarray(b.x)) for a, b in zip(bare, packed, strict=True))


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


def test_physionet_s_recordings_take_their_label_from_the_row(raw: Path) -> None:
    for number, codes in CODES.items():
        put_wfdb(raw, number, codes)
    source = Shaoxing(window=1300)
    parts = read(source, raw)
    assert summary(source, parts) == [(1, "AFIB", 1), (2, "SB", 1), (4, "SR", 1)]
    assert np.allclose(np.asarray(parts[2].x)[0], signal(104).T / 1000, atol=1e-6)
    assert len(source.found(raw)) == 1 + 2 * 3
    assert source.note == "signals as recorded, not denoised"


def test_a_recording_in_two_layouts_is_read_once(raw: Path) -> None:
    put_wfdb(raw, 1, CODES[1])
    for number in (1, 4):
        put_wfdb(raw, number, CODES[number], "challenge-2021/training/chapman_shaoxing/g1", seed=number)
    parts = read(Shaoxing(window=1300), raw)
    assert len(parts) == 2
    assert np.allclose(np.asarray(parts[0].x)[0], signal(101).T / 1000, atol=1e-6)


def test_auto_takes_the_form_of_which_more_is_there(raw: Path) -> None:
    put_wfdb(raw, 1, CODES[1])
    put_csv(raw, 3)
    put_csv(raw, 4)
    source = Shaoxing(window=1300)
    parts = read(source, raw)
    assert summary(source, parts) == [(3, "SA", 1), (4, "SR", 1)]
    assert source.note == "signals denoised by the authors; left aside in PhysioNet's form: 1"
    put_wfdb(raw, 2, CODES[2])
    put_wfdb(raw, 4, CODES[4])
    source = Shaoxing(window=1300)
    assert summary(source, read(source, raw)) == [(1, "AFIB", 1), (2, "SB", 1), (4, "SR", 1)]
    assert source.note == "signals as recorded, not denoised; left aside in figshare's form: 2"


def test_both_reads_every_recording_once_and_says_that_it_mixes(raw: Path) -> None:
    put_wfdb(raw, 1, CODES[1])
    put_csv(raw, 1)
    put_csv(raw, 3)
    put_wfdb(raw, 9, "426783006", "challenge-2021/training/ningbo/g35")
    source = Shaoxing(origin="both", window=1300)
    parts = read(source, raw)
    assert summary(source, parts) == [(1, "AFIB", 1), (3, "SA", 1)]
    assert np.allclose(np.asarray(parts[0].x)[0], signal(101).T / 1000, atol=1e-6), "PhysioNet's form goes first"
    assert source.note == "recordings denoised by the authors: 1, as recorded: 1; a model can tell them apart"


def test_settled_by_the_first_folder_that_has_something(raw: Path, tmp_path: Path) -> None:
    assert Shaoxing().settled([]).files(raw)[-1].name == "ECGDataDenoised.zip"
    put_wfdb(raw, 1, CODES[1])
    empty = tmp_path / "empty"
    before = Shaoxing()
    after = before.settled([empty, tmp_path])
    assert isinstance(after, Shaoxing)
    assert (before.origin, after.origin) == ("auto", "physionet")
    assert after.expected["SA"] == 0
    (raw / "Diagnostics.xlsx").unlink()
    lacking = before.settled([empty, tmp_path])
    assert isinstance(lacking, Shaoxing)
    assert lacking.origin == "figshare", "recordings without labels do not suffice"
    assert lacking.found(raw) == ()


def test_ningbo_is_left_out_and_counted(raw: Path) -> None:
    put_wfdb(raw, 1, CODES[1])
    for number, codes in ((7, "427393009"), (8, "425856008"), (9, "426783006, 427393009")):
        put_wfdb(raw, number, codes, "challenge-2021/training/ningbo/g35")
    source = Shaoxing(window=1300)
    parts = read(source, raw)
    assert summary(source, parts) == [(1, "AFIB", 1)]
    assert dropped(parts) == {"recordings not in Diagnostics.xlsx": 3}
    source = Shaoxing(window=1300, ningbo=True)
    parts = read(source, raw)
    assert summary(source, parts) == [(1, "AFIB", 1), (7, "SA", 1)]
    assert dropped(parts) == {
        "recordings of Ningbo with none of the rhythms": 1,
        "recordings of Ningbo with several of the rhythms": 1,
    }
    assert source.note.endswith("Ningbo's rhythms are its SNOMED codes, whose AF is doubtful")


def test_a_csv_without_a_label_is_counted(raw: Path) -> None:
    put_csv(raw, 1)
    shutil.copy(raw / "ECGDataDenoised" / f"{NAMES[0]}.csv", raw / "ECGDataDenoised" / "mine.csv")
    parts = read(Shaoxing(window=1300), raw)
    assert dropped(parts) == {"recordings not in Diagnostics.xlsx": 1}
    assert dropped(read(Shaoxing(window=1301), raw))["recordings shorter than a window"] == 1


def test_what_the_complete_set_holds() -> None:
    whole = Shaoxing(origin="figshare").expected
    assert sum(whole.values()) == 16 * 10_646 == Shaoxing.card.series
    assert whole["SA"] == 16 * 399
    assert Shaoxing(origin="physionet", window=5000).expected == {**shaoxing.RHYTHMS, "SA": 0}
    assert Shaoxing(origin="physionet", ningbo=True).expected == {"records": 45_152}
    assert Shaoxing(origin="both", ningbo=True).expected == {"records": 45_551}


def test_what_is_downloaded(tmp_path: Path) -> None:
    files = Shaoxing(origin="figshare").files(tmp_path)
    assert [file.url for file in files] == [
        "https://figshare.com/ndownloader/files/15653771",
        "https://figshare.com/ndownloader/files/15652862",
    ]
    source = Shaoxing(origin="physionet")
    assert [file.name for file in source.files(tmp_path)] == ["Diagnostics.xlsx", "SHA256SUMS.txt"]
    names = [f"WFDBRecords/01/010/JS{n:05}.{end}" for n in (1, 10_646, 10_647) for end in ("hea", "mat")]
    (tmp_path / "SHA256SUMS.txt").write_text("".join(f"{'ef' * 32} {name}\n" for name in ["RECORDS", *names]))
    assert [file.name for file in source.files(tmp_path)][2:] == names[:4]
    assert [file.name for file in Shaoxing(origin="physionet", ningbo=True).files(tmp_path)][2:] == names
    assert source.files(tmp_path)[2].url == f"https://physionet.org/files/ecg-arrhythmia/1.0.0/{names[0]}"
    both = [file.name for file in Shaoxing(origin="both").files(tmp_path)]
    assert both == ["Diagnostics.xlsx", "ECGDataDenoised.zip", "SHA256SUMS.txt", *names[:4]]


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"origin": "fisghare"}, r"dataset\.origin is 'fisghare'; did you mean 'figshare'"),
        ({"window": 5001}, r"dataset\.window must be from 1 to 5000"),
        ({"step": 0}, r"dataset\.step at least 1"),
        ({"origin": "figshare", "ningbo": True}, r"dataset\.ningbo=true needs dataset\.origin=physionet or both"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Shaoxing(**settings)  # type: ignore[arg-type]


def test_the_real_labels(mirror: Path) -> None:
    table = rhythms(mirror / "shaoxing" / "raw" / "Diagnostics.xlsx")
    assert table["Rhythm"].value_counts().to_dict() == shaoxing.RHYTHMS
    assert (table.index[0], table.index[-1]) == (1, 10_646)
    assert table.loc[3].tolist() == ["MUSE_20180111_165520_97000", "SA"]


def test_the_real_recordings(mirror: Path) -> None:
    raw = mirror / "shaoxing" / "raw"
    source = Shaoxing(origin="both", ningbo=True)
    pieces = source.pieces(raw)
    assert len(pieces) == 21
    parts = [source.read(raw, piece) for piece in pieces]
    found = {number: (rhythm, windows) for number, rhythm, windows in summary(source, parts)}
    chapman = dict(
        zip((1, 2, *range(4, 12)), ("AFIB", "SB", "SB", "AF", "SB", "AFIB", "SR", "SB", "SB", "SB"), strict=True)
    )
    (csv,) = [piece for piece in pieces if piece.path.endswith(".csv")]
    ningbo = {45_543: "AVRT", 45_550: "AVRT"}
    assert found == {number: (rhythm, 16) for number, rhythm in {**chapman, csv.number: "ST", **ningbo}.items()}
    assert dropped(parts) == {"recordings of Ningbo with none of the rhythms": 8}
    for piece in pieces:  # all 21 can be read, with a label or without
        if piece is not csv:
            x, comments = shaoxing._recorded(raw, piece.path)
            assert x.shape == (12, 5000)
            if piece.number <= 10_646:
                assert coded_rhythms(comments) == [piece.rhythm], "SNOMED codes and labels agree"
    denoised = shaoxing._denoised(raw, csv.path)
    assert denoised.shape == (12, 5000)
    assert denoised[:3, 0].tolist() == pytest.approx([-0.16533, -0.35897, -0.12171])


def test_the_default_takes_physionet_s_from_the_mirror(mirror: Path) -> None:
    source = Shaoxing().settled([mirror])
    assert isinstance(source, Shaoxing)
    pieces = source.pieces(mirror / "shaoxing" / "raw")
    assert (source.origin, len(pieces)) == ("physionet", 20)
    assert source.note == "signals as recorded, not denoised; left aside in figshare's form: 1"
    assert dropped([source.read(mirror / "shaoxing" / "raw", piece) for piece in pieces[10:]]) == {
        "recordings not in Diagnostics.xlsx": 10
    }
