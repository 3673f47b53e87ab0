"""Beats cut out of MIT-BIH records: windows, classes, leads, patients, and the counts of the real database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from ecgan.data.sources import dechazal
from ecgan.data.sources.mitbih import MITBIH, cut_beats
from ecgan.errors import ConfigError, DataError
from ecgan.types import TEST, TRAIN, UNUSED, Recordings, Source

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
    with pytest.raises(DataError, match=r"No record in .* has all leads .*V9"):
        MITBIH(leads=["V9"]).pieces(tmp_path)


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
    (tmp_path / "SHA256SUMS.txt").write_text("ab 100.dat\ncd 100.xws\n")
    files = {file.name: file for file in MITBIH().files(tmp_path)}
    assert len(files) == 1 + 3 * 48
    assert files["100.dat"].sha256 == "ab"
    assert files["234.atr"].url == "https://physionet.org/files/mitdb/1.0.0/234.atr"


def test_another_sampling_rate_is_refused(tmp_path: Path) -> None:
    written(tmp_path, fs=250)
    with pytest.raises(DataError, match=r"100\.hea has signals in mV, mV at 250 Hz, but MIT-BIH has two in mV at 360"):
        read(MITBIH(), tmp_path)


def test_cutting_no_beats_gives_no_windows() -> None:
    assert cut_beats(np.zeros((2, 50), np.float32), np.zeros(0, np.int64), 3, 4).shape == (0, 2, 7)


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
