"""Reading Chapman-Shaoxing: figshare's CSV files and PhysioNet's records, and which of them are taken."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.source import Source
from ecgan.data.sources import shaoxing
from ecgan.data.sources.shaoxing import Shaoxing
from ecgan.data.sources.shaoxing_labels import coded_rhythms
from ecgan.errors import ConfigError, DataError
from ecgan.testing import check_source
from ecgan.types import Recordings
from shaoxing_files import CODES, NAMES, put_csv, put_wfdb, read, signal, with_labels


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labels of five recordings, of which nothing else is there yet."""
    return with_labels(tmp_path, monkeypatch)


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
    assert source.note == "signals denoised by the authors"
    put_wfdb(raw, 2, CODES[2])
    put_wfdb(raw, 4, CODES[4])
    source = Shaoxing(window=1300)
    assert summary(source, read(source, raw)) == [(1, "AFIB", 1), (2, "SB", 1), (4, "SR", 1)]
    assert source.note == "signals as recorded, not denoised"


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
    assert source.note == "signals as recorded, not denoised"
    assert dropped([source.read(mirror / "shaoxing" / "raw", piece) for piece in pieces[10:]]) == {
        "recordings not in Diagnostics.xlsx": 10
    }


def test_a_recording_whose_header_gives_another_rhythm_is_left_out_and_counted(raw: Path) -> None:
    put_wfdb(raw, 1, "426783006")  # SR, but the labels have AFIB
    put_wfdb(raw, 2, "59118001")  # no rhythm
    put_wfdb(raw, 4, "426783006,426177001")  # two, so nothing is said against the labels
    source = Shaoxing(window=1300)
    parts = read(source, raw)
    assert summary(source, parts) == [(2, "SB", 1), (4, "SR", 1)]
    assert dropped(parts) == {"recordings whose header gives another rhythm than Diagnostics.xlsx": 1}


def test_a_header_without_its_signals_is_refused_before_anything_is_read(raw: Path) -> None:
    put_wfdb(raw, 1, CODES[1])
    put_wfdb(raw, 9, "426783006", "challenge-2021/training/ningbo/g35").with_suffix(".mat").unlink()
    assert len(Shaoxing().pieces(raw)) == 2, "Ningbo's are not read"
    with pytest.raises(
        DataError, match=r"JS00009\.hea is there without .*JS00009\.mat; put a whole copy there by hand"
    ):
        Shaoxing(ningbo=True).pieces(raw)


@pytest.mark.parametrize("origin", ["figshare", "physionet"])
def test_the_battery(raw: Path, origin: str) -> None:
    put_csv(raw, 1)
    put_wfdb(raw, 2, CODES[2])
    check_source(lambda: Shaoxing(origin=origin, window=650, step=650), raw)
