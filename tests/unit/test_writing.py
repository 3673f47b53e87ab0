"""Generated series as files: what others read is what was given, the same bytes each time, nothing overwritten."""

from __future__ import annotations

import tracemalloc
import weakref
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecgan.errors import ConfigError, RunError
from ecgan.files import sha256_of
from ecgan.generate.writing import Chunk, Description, write_series
from ecgan.types import FloatArray, IntArray

N, CHANNELS, SEQ_LEN = 23, 2, 17
CLASSES = ("normal", "R-on-T PVC", "Rhythmus, ungewöhnlich")
MARK = "generated series, not a recording"
LABELLED = Description(N, CHANNELS, SEQ_LEN, "mV", 360.0, CLASSES)
UNLABELLED = Description(N, CHANNELS, SEQ_LEN, "1")


@pytest.fixture(scope="module")
def series() -> FloatArray:
    return np.random.default_rng(3).normal(0.5, 2, (N, CHANNELS, SEQ_LEN)).astype(np.float32)


@pytest.fixture(scope="module")
def label() -> IntArray:
    return np.random.default_rng(4).integers(0, len(CLASSES), N)


def pieces(x: FloatArray, y: IntArray | None, size: int) -> Iterator[Chunk]:
    for start in range(0, len(x), size):
        cut = slice(start, start + size)
        yield x[cut], None if y is None else y[cut]


def test_npz_is_read_without_pickle(tmp_path: Path, series: FloatArray, label: IntArray) -> None:
    write_series(tmp_path / "beats.npz", pieces(series, label, 5), LABELLED)
    with np.load(tmp_path / "beats.npz", allow_pickle=False) as archive:
        assert set(archive) == {"x", "label", "classes", "unit", "fs_hz"}
        assert archive["x"].dtype == np.float32
        assert np.array_equal(archive["x"], series)
        assert np.array_equal(archive["label"], label)
        assert tuple(archive["classes"]) == CLASSES
        assert (str(archive["unit"]), float(archive["fs_hz"])) == ("mV", 360.0)


def test_npz_of_series_without_classes_and_sampling_rate(tmp_path: Path, series: FloatArray) -> None:
    write_series(tmp_path / "beats.npz", pieces(series, None, 5), UNLABELLED)
    with np.load(tmp_path / "beats.npz", allow_pickle=False) as archive:
        assert set(archive) == {"x", "unit", "fs_hz"}
        assert np.isnan(archive["fs_hz"])
        assert str(archive["unit"]) == "1"


def test_a_description_of_other_series(series: FloatArray, label: IntArray) -> None:
    assert replace(LABELLED, n=1, channels=7).of(series, label) == LABELLED
    assert LABELLED.of(series[:4, :1], None) == Description(4, 1, SEQ_LEN, "mV", 360.0, None)


def test_npz_is_a_sound_zip_file_without_a_date(tmp_path: Path, series: FloatArray, label: IntArray) -> None:
    write_series(tmp_path / "beats.npz", pieces(series, label, 5), LABELLED)
    with zipfile.ZipFile(tmp_path / "beats.npz") as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("about", [LABELLED, UNLABELLED], ids=["labelled", "unlabelled"])
def test_csv_holds_every_digit(tmp_path: Path, series: FloatArray, label: IntArray, about: Description) -> None:
    labelled = about.classes is not None
    write_series(tmp_path / "beats.csv", pieces(series, label if labelled else None, 5), about)
    table = pd.read_csv(tmp_path / "beats.csv", float_precision="round_trip")
    columns = [f"c{c}_t{t}" for c in range(CHANNELS) for t in range(SEQ_LEN)]
    assert list(table) == ["label", *columns] if labelled else columns
    assert np.array_equal(table[columns].to_numpy(np.float32).reshape(series.shape), series)
    if labelled:
        assert table["label"].tolist() == label.tolist()


def test_wfdb_records_are_read_by_wfdb(tmp_path: Path, series: FloatArray, label: IntArray) -> None:
    write_series(tmp_path / "beats", pieces(series, label, 5), LABELLED)
    names = (tmp_path / "beats" / "RECORDS").read_text("utf-8").splitlines()
    assert names == [f"{i:02d}" for i in range(N)]
    assert {path.name for path in (tmp_path / "beats").iterdir()} == {"RECORDS"} | {
        f"{name}.{ending}" for name in names for ending in ("hea", "dat")
    }
    for i, name in enumerate(names):
        record = wfdb.rdrecord(str(tmp_path / "beats" / name))
        assert (record.fs, record.units, record.sig_name) == (360, ["mV", "mV"], ["c0", "c1"])
        name_of_class = CLASSES[label[i]].encode("ascii", "ignore").decode()
        assert record.comments == [MARK, f"label: {label[i]}", f"class: {name_of_class}"]
        steps = np.ptp(series[i], axis=1) / 2**16  # the values of 16 bits over the range of each channel
        assert (np.abs(record.p_signal - series[i].T) <= steps).all()


def test_wfdb_records_of_values_that_are_hard_to_scale(tmp_path: Path) -> None:
    x = np.stack([np.full((1, 8), 3), np.zeros((1, 8)), np.arange(8)[None] * 1e-6, np.arange(8)[None] * 1e5 - 3e5])
    about = Description(4, 1, 8, "some unit", 62.5)
    write_series(tmp_path / "odd", [(x.astype(np.float32), None)], about)
    for i in range(4):
        record = wfdb.rdrecord(str(tmp_path / "odd" / str(i)))
        assert (record.fs, record.units) == (62.5, ["some_unit"])
        assert record.comments == [MARK]
        assert np.allclose(record.p_signal[:, 0], x[i, 0], atol=max(np.ptp(x[i]) / 2**16, 1e-9))


def test_wfdb_has_a_word_for_no_unit(tmp_path: Path, series: FloatArray) -> None:
    write_series(tmp_path / "beats", [(series, None)], replace(UNLABELLED, fs_hz=100.0))
    assert wfdb.rdheader(str(tmp_path / "beats" / "00")).units == ["NU", "NU"]


def bytes_below(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {file.name if path.is_dir() else "": sha256_of(file) for file in files}


@pytest.mark.parametrize("ending", [".npz", ".csv", ""])
def test_bytes_do_not_depend_on_the_pieces(tmp_path: Path, series: FloatArray, label: IntArray, ending: str) -> None:
    outs = [tmp_path / f"{size}{ending}" for size in (1, 5, N)]
    for out in outs:
        write_series(out, pieces(series, label, int(out.stem)), LABELLED)
    first, *others = map(bytes_below, outs)
    assert all(first == other for other in others)


@pytest.mark.parametrize("ending", [".npz", ".csv", ""])
def test_what_exists_is_not_overwritten(tmp_path: Path, series: FloatArray, label: IntArray, ending: str) -> None:
    out = tmp_path / f"beats{ending}"
    out.write_text("mine")
    with pytest.raises(RunError, match="exists and is not overwritten"):
        write_series(out, pieces(series, label, 5), LABELLED)
    out.unlink()

    def meanwhile() -> Iterator[Chunk]:
        yield from pieces(series, label, 5)
        out.write_text("mine")

    with pytest.raises(RunError, match="exists and is not overwritten"):
        write_series(out, meanwhile(), LABELLED)
    assert out.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("ending", [".npz", ".csv", ""])
def test_nothing_half_written_stays(tmp_path: Path, series: FloatArray, label: IntArray, ending: str) -> None:
    def interrupted() -> Iterator[Chunk]:
        yield series[:5], label[:5]
        assert list(tmp_path.iterdir())  # it is being written
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_series(tmp_path / f"beats{ending}", interrupted(), LABELLED)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_made(tmp_path: Path, series: FloatArray) -> None:
    write_series(tmp_path / "new" / "beats.npz", [(series, None)], UNLABELLED)
    assert (tmp_path / "new" / "beats.npz").is_file()


def test_records_without_a_sampling_rate_are_refused(tmp_path: Path, series: FloatArray) -> None:
    with pytest.raises(RunError, match=r"need a sampling rate.*\.npz or \.csv"):
        write_series(tmp_path / "beats", [(series, None)], UNLABELLED)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["beats.txt", "beats.npy", "beats.wfdb", "beats.csv.gz"])
def test_an_unknown_ending_is_refused(tmp_path: Path, series: FloatArray, name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.npz or \.csv"):
        write_series(tmp_path / name, [(series, None)], UNLABELLED)


@pytest.mark.parametrize("count", [N - 1, N + 1])
def test_too_few_or_too_many_series_are_an_error(tmp_path: Path, count: int) -> None:
    x = np.zeros((count, CHANNELS, SEQ_LEN), np.float32)
    with pytest.raises(ValueError, match=f"{count} series came instead of {N}"):
        write_series(tmp_path / "beats.npz", [(x, None)], UNLABELLED)
    assert list(tmp_path.iterdir()) == []


def test_series_that_are_not_as_described_are_an_error(tmp_path: Path, series: FloatArray, label: IntArray) -> None:
    for chunk in ((series[:, :1], None), (series[:, :, :5], None), (series, label)):
        with pytest.raises(ValueError, match="do not fit"):
            write_series(tmp_path / "beats.npz", [chunk], UNLABELLED)


def watched(chunks: int, size: int) -> Iterator[Chunk]:
    """So many pieces, none of which is kept by anybody but the one who writes it."""
    alive: set[int] = set()
    for number in range(chunks):
        x = np.full((size, 1, 100), number % 7, np.float32)
        alive.add(number)
        weakref.finalize(x, alive.discard, number)
        yield x, np.zeros(size, np.int64)
        del x
        assert len(alive) <= 2  # the one just written, and the one before


@pytest.mark.parametrize("name", ["beats.npz", "beats.csv", "beats"])
def test_no_piece_is_kept(tmp_path: Path, name: str) -> None:
    write_series(tmp_path / name, watched(12, 4), Description(48, 1, 100, "mV", 100.0, CLASSES))
    assert (tmp_path / name).exists()


def test_memory_does_not_grow_with_the_number_of_series(tmp_path: Path) -> None:
    """900 pieces of 200 series take 72 MB, and their classes alone 1.4 MB, of which a quarter MB is kept."""
    peaks = []
    for chunks in (1, 30, 900):
        tracemalloc.start()
        write_series(
            tmp_path / f"{chunks}.npz", watched(chunks, 200), Description(200 * chunks, 1, 100, "mV", 1, CLASSES)
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < peaks[0] + 1_000_000
    assert (tmp_path / "900.npz").stat().st_size > 73_000_000
