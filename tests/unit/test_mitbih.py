"""Beats cut out of MIT-BIH records: windows, classes, leads, patients, and the counts of the real database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from ecgan.data.formats.records import read_annotations
from ecgan.data.source import Source
from ecgan.data.sources import dechazal
from ecgan.data.sources.mitbih import BEAT_SYMBOLS, MITBIH, PADDED, cut_beats
from ecgan.errors import ConfigError, DataError
from ecgan.testing import check_source
from ecgan.types import TEST, TRAIN, UNUSED, Recordings

LENGTH = 1000
BEATS = {40: "N", 200: "V", 300: "A", 400: "Q", 500: "L", 990: "N"}


def written(raw: Path, record: str = "100", leads: tuple[str, str] = ("MLII", "V5"), fs: int = 360) -> None:
    """A record whose lead A counts its samples up and lead B down, in format 212; annotation 450 marks no beat."""
    raw.mkdir(parents=True, exist_ok=True)
    count = np.arange(LENGTH)
    wfdb.wrsamp(
        record,
        fs=fs,
        units=["mV"] * 2,
        sig_name=list(leads),
        d_signal=np.stack([count, -count], axis=1),
        fmt=["212"] * 2,
        adc_gain=[200] * 2,
        baseline=[0] * 2,
        write_dir=str(raw),
    )
    marks = dict(sorted({**BEATS, 450: "+"}.items()))
    wfdb.wrann(record, "atr", np.array(list(marks)), list(marks.values()), write_dir=str(raw))


def read(source: Source, raw: Path) -> list[Recordings]:
    return [source.read(raw, piece) for piece in source.pieces(raw)]


def test_windows_lie_around_the_annotations_and_are_padded(tmp_path: Path) -> None:
    written(tmp_path)
    (chunk,) = read(MITBIH(before=100, after=180), tmp_path)
    x = np.asarray(chunk.x)
    assert (x.shape, x.dtype, chunk.fs_hz, chunk.unit) == ((6, 2, 280), np.float32, 360.0, "mV")
    for row, at in enumerate(BEATS):
        wanted = np.clip(np.arange(at - 100, at + 180), 0, LENGTH - 1).astype(np.float32) / 200
        assert np.allclose(x[row], [wanted, -wanted], atol=1e-6)
    assert chunk.y.tolist() == [0, 2, 1, 4, 0, 0]
    assert chunk.dropped == {}


def test_beats_at_the_ends_may_be_dropped_and_are_counted(tmp_path: Path) -> None:
    written(tmp_path)
    (chunk,) = read(MITBIH(edge="drop"), tmp_path)
    assert chunk.y.tolist() == [2, 1, 4, 0]
    assert chunk.dropped == {"with a window that leaves the record": 2}
    (chunk,) = read(MITBIH(before=40, after=10, edge="drop"), tmp_path)
    assert len(chunk.y) == 6, "a window may touch both ends of the record"


def test_classes_of_ones_own(tmp_path: Path) -> None:
    written(tmp_path)
    source = MITBIH(classes={"healthy": ["N", "L"], "ectopic": ["V", "A"]})
    (chunk,) = read(source, tmp_path)
    assert source.classes == ("healthy", "ectopic")
    assert chunk.y.tolist() == [0, 1, 1, 0, 0]
    assert chunk.dropped == {"annotated Q, which is in no class": 1}
    assert MITBIH(classes="symbol").classes[:3] == ("N", "L", "R")
    assert source.expected == {"healthy": 74546 + 8075, "ectopic": 6903 + 2546}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": "mine"}, "valid are aami, symbol"),
        ({"classes": {"a": ["N"], "b": ["N"]}}, "no symbol to two classes"),
        ({"classes": {"a": ["N"], "b": []}}, "every class at least one symbol"),
        ({"classes": {"a": ["N"], "b": ["+"]}}, r"'\+', which marks no beat"),
        ({"edge": "wrap"}, "valid are pad, drop"),
        ({"before": -1}, r"dataset\.before must be at least 0"),
        ({"leads": "MLII"}, "a list of names"),
        ({"leads": []}, "a list of names"),
        ({"leads": 1}, "a list of names"),
        ({"leads": ["MLII", 5]}, "has 5, which is no name of a lead"),
        ({"leads": ["MLII", "mlii"]}, "names a lead twice"),
        ({"classes": ["N"]}, "valid are aami, symbol"),
        ({"classes": {1: ["N"]}}, "has 1 as a class, which is no text; put it in quotes"),
        ({"classes": {"a": "NL"}}, r"dataset\.classes\.a is 'NL', but a list of symbols"),
        ({"classes": {"a": [1]}}, r"dataset\.classes\.a is \[1\], but a list of symbols"),
        ({"before": 30_000, "after": 6_001}, "are 36,001 samples together; at most 36,000"),
    ],
)
def test_wrong_settings_get_a_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MITBIH(**settings)


def test_leads_by_name_and_records_that_lack_them(tmp_path: Path) -> None:
    written(tmp_path, "114", ("V5", "MLII"))
    written(tmp_path, "100", ("MLII", "V5"))
    written(tmp_path, "103", ("MLII", "V2"))
    first = [np.asarray(chunk.x)[1, :, 0] for chunk in read(MITBIH(), tmp_path)]
    assert [np.sign(values).tolist() for values in first] == [[1, -1], [1, -1], [-1, 1]], "MLII first in 114, too"
    source = MITBIH(leads=["V5"])
    chunks = read(source, tmp_path)
    assert [np.asarray(chunk.x).shape for chunk in chunks] == [(6, 1, 280), (0, 1, 280), (6, 1, 280)]
    assert chunks[1].dropped == {"of records that lack a wanted lead": 6}
    assert "records 103 lack a wanted lead" in source.note
    with pytest.raises(DataError, match=r"No record in .* has all leads .*V9.*; V9 is in none: valid are MLII, V2, V5"):
        MITBIH(leads=["MLII", "V9"]).pieces(tmp_path)
    with pytest.raises(DataError, match=r"No record .*'V5', 'V2'\]; no record has them together; take fewer"):
        MITBIH(leads=["V5", "V2"]).pieces(tmp_path)


def test_upper_and_lower_case_of_leads_are_the_same(tmp_path: Path) -> None:
    written(tmp_path)
    for leads, signs in ((["mlii"], [1]), (["v5", "Mlii"], [-1, 1])):
        (chunk,) = read(MITBIH(leads=leads), tmp_path)
        assert np.sign(np.asarray(chunk.x)[1, :, 0]).tolist() == signs


@pytest.mark.parametrize("suffix", [".dat", ".atr"])
def test_a_record_without_one_of_its_files_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    written(tmp_path, "100")
    written(tmp_path, "101")
    (tmp_path / f"101{suffix}").unlink()
    with pytest.raises(DataError, match=rf"101\.hea is there without \S+101\{suffix}; put a whole copy there by hand"):
        MITBIH().pieces(tmp_path)


def test_the_note_tells_how_many_windows_are_padded_where_that_is_known() -> None:
    assert (
        MITBIH().note
        == "windows that leave their record (42 in the complete set) are padded with its first or last sample"
    )
    assert "42" not in MITBIH(before=99).note
    assert MITBIH(edge="drop").note == ""


def test_patients_and_partition(tmp_path: Path) -> None:
    for record in ("101", "201", "202", "217"):
        written(tmp_path, record)
    source = MITBIH(paced=True)
    assert source.pieces(tmp_path) == ("101", "201", "202", "217")
    chunks = read(source, tmp_path)
    assert [np.unique(chunk.group).tolist() for chunk in chunks] == [[101], [201], [201], [217]]
    assert [np.unique(chunk.part).tolist() for chunk in chunks] == [[TRAIN], [TRAIN], [TEST], [UNUSED]]
    assert MITBIH().pieces(tmp_path) == ("101", "201", "202")
    assert MITBIH().found(tmp_path)[:4] == ("101.hea", "101.dat", "101.atr", "201.hea")
    assert MITBIH().found(tmp_path / "nothing") == ()


def test_the_partition_is_complete_and_disjoint() -> None:
    assert len(dechazal.DS1) == len(dechazal.DS2) == 22
    assert len(set(dechazal.DS1) | set(dechazal.DS2) | set(dechazal.PACED)) == len(dechazal.RECORDS) == 48


def test_download_list_names_all_records(tmp_path: Path) -> None:
    first = MITBIH().files(tmp_path)
    assert [file.name for file in first] == ["SHA256SUMS.txt"]
    names = [f"{record}.{end}" for record in dechazal.RECORDS for end in ("dat", "hea", "atr", "xws")]
    (tmp_path / "SHA256SUMS.txt").write_text("".join(f"{'ab' * 32} {name}\n" for name in names))
    files = {file.name: file for file in MITBIH().files(tmp_path)}
    assert len(files) == 1 + 3 * 48
    assert files["100.dat"].sha256 == "ab" * 32
    assert files["234.atr"].url == "https://physionet.org/files/mitdb/1.0.0/234.atr"


def test_another_sampling_rate_is_refused(tmp_path: Path) -> None:
    written(tmp_path, fs=250)
    with pytest.raises(DataError, match=r"100\.hea has signals in mV, mV at 250 Hz, but MIT-BIH has two in mV at 360"):
        read(MITBIH(), tmp_path)


def test_cutting_no_beats_gives_no_windows() -> None:
    assert cut_beats(np.zeros((2, 50), np.float32), np.zeros(0, np.int64), 3, 4).shape == (0, 2, 7)
    none = cut_beats(np.zeros((2, 50), np.float32), np.zeros(0, np.int64), 60, 40)
    assert (none.shape, none.dtype) == ((0, 2, 100), np.float32), "a series may be shorter than a window"


@pytest.mark.parametrize(
    ("paced", "counts"), [(True, [90631, 2781, 7236, 803, 8043]), (False, [90125, 2781, 7009, 803, 15])]
)
def test_counts_of_the_real_database(mirror: Path, paced: bool, counts: list[int]) -> None:
    raw = mirror / "mitbih" / "raw"
    if not raw.is_dir():
        pytest.skip(f"the mirror {mirror} has no mitbih/raw")
    source = MITBIH(before=2, after=2, paced=paced)
    found: Counter[int] = Counter()
    for chunk in read(source, raw):
        found.update(chunk.y.tolist())
        assert chunk.dropped == {}
    assert [found[i] for i in range(5)] == counts
    assert list(source.expected.values()) == counts
    assert len(source.pieces(raw)) == (48 if paced else 44)


def test_windows_of_the_real_database_that_are_padded(mirror: Path) -> None:
    raw = mirror / "mitbih" / "raw"
    if not raw.is_dir():
        pytest.skip(f"the mirror {mirror} has no mitbih/raw")
    left = 0
    for record in dechazal.UNPACED:
        sample, symbol = read_annotations(raw, record)
        beat = sample[np.isin(symbol, BEAT_SYMBOLS)]
        left += int(((beat < 100) | (beat + 180 > 650_000)).sum())
    assert left == PADDED


def test_the_battery(tmp_path: Path) -> None:
    for record in ("100", "202"):
        written(tmp_path, record)
    check_source(MITBIH, tmp_path)
