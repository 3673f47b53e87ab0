"""Reading raw files of the UCR archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.source import Source
from ecgan.data.sources import ucr
from ecgan.data.sources.ucr import UCR, Wafer
from ecgan.data.store import prepare
from ecgan.errors import ConfigError, DataError
from ecgan.testing import check_source
from ecgan.types import TEST, TRAIN, FloatArray, Recordings

LABELS = {"TRAIN": [2, 2, 1, 2, 3], "TEST": [1, 3, 3, 3, 3, 2]}
LENGTH = 12


def series(part: str) -> FloatArray:
    seed = {"TRAIN": 1, "TEST": 2}[part]
    return np.random.default_rng(seed).normal(size=(len(LABELS[part]), LENGTH)).round(5)


def written(part: str, kind: str) -> str:
    """One part of the toy set in a format of the archive."""
    rows = [[str(value) for value in row] for row in series(part)]
    labels = [str(label) for label in LABELS[part]]
    if kind == "ts":
        head = "# a comment\n@problemName Toy\n@timeStamps false\n@classLabel true 1 2 3\n@data\n"
        return head + "\n".join(f"{','.join(row)}:{label}" for row, label in zip(rows, labels, strict=True)) + "\n"
    if kind == "arff":
        head = "% a comment\n@RELATION Toy\n\n@ATTRIBUTE att0 NUMERIC\n@ATTRIBUTE target {1,2,3}\n\n@DATA\n"
        return head + "\r\n".join(",".join([*row, label]) for row, label in zip(rows, labels, strict=True)) + "\r\n"
    if kind == "txt":
        return "\n".join(f"  {float(label):.7e}  " + "  ".join(row) for row, label in zip(rows, labels, strict=True))
    return "\n".join("\t".join([label, *row]) for row, label in zip(rows, labels, strict=True)) + "\n"


def zipped(raw: Path, kinds: tuple[str, ...] = ("tsv",), folder: str = "", method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(raw / "Toy.zip", "w", method) as archive:
        for part in LABELS:
            for kind in kinds:
                archive.writestr(f"{folder}Toy_{part}.{kind}", written(part, kind))
    return raw / "Toy.zip"


def read(source: Source, raw: Path) -> Recordings:
    (piece,) = source.pieces(raw)
    return source.read(raw, piece)


@pytest.mark.parametrize("folder", ["", "Toy/"])
@pytest.mark.parametrize("kind", ["tsv", "txt", "ts", "arff"])
def test_every_format_of_the_archive_gives_the_same_series(tmp_path: Path, kind: str, folder: str) -> None:
    zipped(tmp_path, (kind,), folder)
    source = UCR("Toy")
    chunk = read(source, tmp_path)
    assert np.array_equal(np.asarray(chunk.x), np.concatenate([series(p) for p in LABELS])[:, None].astype(np.float32))
    # label 2 is the most frequent one of the training file, though label 3 is that of both together
    assert source.classes == ("label 2", "label 1", "label 3")
    assert chunk.y.tolist() == [0, 0, 1, 0, 2, 1, 2, 2, 2, 2, 0]
    assert chunk.part is not None
    assert chunk.part.tolist() == [TRAIN] * 5 + [TEST] * 6
    assert (chunk.fs_hz, chunk.unit, chunk.group) == (None, "1", None)


def test_of_several_formats_the_archive_s_own_is_taken(tmp_path: Path) -> None:
    for part in LABELS:
        with zipfile.ZipFile(tmp_path / "Toy.zip", "a") as archive:
            archive.writestr(f"Toy_{part}.arff", "not readable")
            archive.writestr(f"Toy_{part}.tsv", written(part, "tsv"))
    assert len(read(UCR("Toy"), tmp_path).y) == 11


def test_bare_files_are_read_when_both_are_there(tmp_path: Path) -> None:
    zipped(tmp_path)
    (tmp_path / "Toy_TEST.tsv").write_text("1\t5.0\t6.0\n")
    assert len(read(UCR("Toy"), tmp_path).y) == 11, "one of each would read a file that no checksum covers"
    (tmp_path / "Toy_TRAIN.tsv").write_text("1\t7.0\t8.0\n2\t1.5\t2.5\n")
    assert np.asarray(read(UCR("Toy"), tmp_path).x).tolist() == [[[7, 8]], [[1.5, 2.5]], [[5, 6]]]


def test_the_normal_class_may_be_named(tmp_path: Path) -> None:
    zipped(tmp_path)
    source = UCR("Toy", normal=3)
    chunk = read(source, tmp_path)
    assert source.classes == ("label 3", "label 1", "label 2")
    assert chunk.y.tolist() == [2, 2, 1, 2, 0, 1, 0, 0, 0, 0, 2]
    with pytest.raises(ConfigError, match=r"Toy has no class 4 that dataset\.normal asks for; valid are 1, 2, 3"):
        read(UCR("Toy", normal=4), tmp_path)


def test_names_and_folders() -> None:
    assert UCR("ECG200").name == "ecg200"
    assert UCR("ECG200", folder="mine").name == "mine"
    assert UCR("ECG200").remote[0].url == f"{ucr.ARCHIVE}/ECG200.zip"
    for name in ("../../etc/passwd", "a b", ""):
        with pytest.raises(ConfigError, match=r"dataset\.name=.* is not a name of the UCR archive"):
            UCR(name)
    for normal in (1.5, "1", True):
        with pytest.raises(ConfigError, match=r"dataset\.normal is .*, but the archive's labels are whole numbers"):
            UCR("ECG200", normal=normal)  # type: ignore[arg-type]


def bare(raw: Path, train: str, test: str = "1\t5.0\t6.0\n") -> Path:
    (raw / "Toy_TRAIN.tsv").write_text(train)
    (raw / "Toy_TEST.tsv").write_text(test)
    return raw


def test_the_class_taken_as_normal_is_noted(tmp_path: Path) -> None:
    for train, note in (
        (
            "3\t1\t2\n1\t1\t2\n3\t1\t2\n",
            "label 3 was taken as normal because it is the most frequent in the training file",
        ),
        (
            "3\t1\t2\n2\t1\t2\n",
            "labels 2 and 3 are equally frequent in the training file; 2 was taken as normal: set dataset.normal",
        ),
        (
            "3\t1\t2\n2\t1\t2\n1\t1\t2\n",
            "labels 1, 2 and 3 are equally frequent in the training file; 1 was taken as normal: set dataset.normal",
        ),
    ):
        source = UCR("Toy")
        source.pieces(bare(tmp_path, train))
        assert source.note == note
    named = UCR("Toy", normal=2)
    named.pieces(tmp_path)
    assert named.note == ""


@pytest.mark.parametrize("label", ["1.5", "nan", "inf"])
def test_labels_that_are_no_whole_numbers_are_refused(tmp_path: Path, label: str) -> None:
    bare(tmp_path, "1\t5.0\t6.0\n", f"1\t5.0\t6.0\n{label}\t5.0\t6.0\n")
    with pytest.raises(DataError, match=rf"Toy_TEST\.tsv has the label {label} in row 2 of its data; a whole number"):
        UCR("Toy").pieces(tmp_path)


@pytest.mark.parametrize(
    ("second", "channels"), [("1.0,2.0:3.0,4.0:1", 2), ("1.0,2.0,3.0,4.0,1", 0), ("1.0,2.0:3.0,4.0,1", 1)]
)
def test_multivariate_sets_and_those_without_labels_are_refused(tmp_path: Path, second: str, channels: int) -> None:
    with zipfile.ZipFile(tmp_path / "Toy.zip", "w") as archive:
        for part in LABELS:
            archive.writestr(f"Toy_{part}.ts", f"@univariate false\n@data\n1.0,2.0,3.0,4.0:1\n\n{second}\n")
    with pytest.raises(
        DataError, match=rf"Toy_TRAIN\.ts has {channels} channels and a label in row 2 .*choose another"
    ):
        UCR("Toy").pieces(tmp_path)


def damaged_zips(path: Path) -> dict[str, bytes]:
    whole = path.read_bytes()
    middle = len(whole) // 4
    return {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "garbled": whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :],
        "not a zip": b"<html>" * 50,
    }


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbled", "not a zip"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_archive_is_refused(tmp_path: Path, damage: str, method: int) -> None:
    path = zipped(tmp_path, method=method)
    path.write_bytes(damaged_zips(path)[damage])
    with pytest.raises(DataError, match=r"Toy\.zip is damaged .*; delete it and fetch it again"):
        read(UCR("Toy"), tmp_path)


def test_archive_of_another_set_or_far_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path)
    path.rename(tmp_path / "Other.zip")
    with pytest.raises(DataError, match="it holds no Other_TRAIN file"):
        read(UCR("Other"), tmp_path)
    zipped(tmp_path)
    monkeypatch.setattr(ucr, "MAX_MEMBER_BYTES", 100)
    with pytest.raises(DataError, match=r"Toy_TRAIN\.tsv would unpack to \d+ bytes"):
        read(UCR("Toy"), tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"1\n2\n", b"1\t2.0\t3.0\n1\t2.0\n", b"1\t2.0\tx\n", b"\xff\xfe\x00\x01", b"1\t2.0\t3."],
    ids=["empty", "blank", "labels only", "short row", "text", "binary", "cut inside a row"],
)
def test_damaged_bare_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Toy_TRAIN.tsv").write_text(written("TRAIN", "tsv"))
    (tmp_path / "Toy_TEST.tsv").write_bytes(content)
    with pytest.raises(DataError, match=r"(Toy_TEST\.tsv is damaged|The two files of Toy differ in length).*fetch"):
        read(UCR("Toy"), tmp_path)


def test_wafer_from_the_mirror_is_complete(mirror: Path) -> None:
    raw = mirror / "wafer" / "raw"
    if not raw.is_dir():
        pytest.skip(f"the mirror {mirror} has no wafer/raw")
    source = Wafer()
    chunk = read(source, raw)
    assert np.asarray(chunk.x).shape == (7164, 1, 152)
    assert source.classes == ("normal", "abnormal")
    assert chunk.part is not None
    by_part = [np.bincount(chunk.y[chunk.part == part]).tolist() for part in (TRAIN, TEST)]
    assert by_part == [[903, 97], [5499, 665]]
    # the archive z-normalizes each series with n - 1
    assert np.allclose(np.asarray(chunk.x).std(axis=2, ddof=1), 1, atol=1e-4)


def truncated_wafer(raw: Path, mirror: Path, cut: int | None) -> Path:
    original = mirror / "wafer" / "raw"
    if not original.is_dir():
        pytest.skip(f"the mirror {mirror} has no wafer/raw")
    (raw / "Wafer_TRAIN.tsv").symlink_to(original / "Wafer_TRAIN.tsv")
    whole = (original / "Wafer_TEST.tsv").read_text().splitlines(keepends=True)[:300]
    (raw / "Wafer_TEST.tsv").write_text("".join(whole)[:cut])
    return raw


def test_wafer_truncated_within_a_row_is_refused(tmp_path: Path, mirror: Path) -> None:
    with pytest.raises(DataError, match=r"Wafer_TEST\.tsv is damaged"):
        read(Wafer(), truncated_wafer(tmp_path, mirror, -200))


def test_wafer_truncated_between_rows_is_called_a_subset(tmp_path: Path, mirror: Path) -> None:
    raw = truncated_wafer(tmp_path, mirror, None)
    store = prepare(Wafer(), [], raw, tmp_path / "store", {"name": "wafer"})
    assert "a subset: 1,300 of 7,164 series" in store.manifest["note"]


def test_wafer_with_other_labels_is_refused(tmp_path: Path) -> None:
    for labels in ((1, 2), (2, 3), (1, 1)):
        for part in LABELS:
            (tmp_path / f"Wafer_{part}.tsv").write_text("".join(f"{label}\t0.5\t0.25\n" for label in labels))
        with pytest.raises(DataError, match=r"has other labels than 1 and -1; delete its files"):
            read(Wafer(), tmp_path)


@pytest.mark.parametrize("bare", [True, False])
def test_the_battery(bare: bool, tmp_path: Path) -> None:
    for part in LABELS if bare else ():
        (tmp_path / f"Toy_{part}.tsv").write_text(written(part, "tsv"))
    if not bare:
        zipped(tmp_path)
    check_source(lambda: UCR("Toy"), tmp_path)
