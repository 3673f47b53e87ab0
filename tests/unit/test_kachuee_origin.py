"""Heartbeats of Kachuee et al.: where they come from when nobody says so."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from ecgan.data.sources import kachuee
from ecgan.data.sources.kachuee import CsvFile, KachueeBeats
from ecgan.data.sources.mitbih_beats import MITBIHBeats
from ecgan.data.sources.ptb import PTB
from ecgan.data.sources.ptb_beats import PTBBeats
from ecgan.preprocess import beats
from ecgan.types import TEST, TRAIN

SOURCES = (MITBIHBeats, PTBBeats)
FILES = (CsvFile("mitbih_train.csv", (2, 1, 1, 1, 1), TRAIN), CsvFile("mitbih_test.csv", (1, 1, 1, 1, 1), TEST))
HEADER = {"mitbih": "100.hea", "ptb": "patient001/s0010_re.hea"}


def folder_of(root: Path) -> Path:
    return root / "kachuee_heartbeat" / "raw"


def csv(root: Path, rows: Sequence[int], end: str = "\n") -> None:
    """Write the files with so many rows each, in the width of Kaggle's."""
    folder_of(root).mkdir(parents=True, exist_ok=True)
    for file, count in zip(FILES, rows, strict=True):
        row = ",".join([f"{0.5:.18e}"] * 187 + [f"{0:.18e}"]) + end
        (folder_of(root) / file.name).write_bytes((row * count).encode())


def records(root: Path, cls: type[KachueeBeats]) -> None:
    header = root / cls.rebuilt_from / "raw" / HEADER[cls.rebuilt_from]
    header.parent.mkdir(parents=True)
    header.touch()


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MITBIHBeats, "csv", FILES)


@pytest.fixture(params=[True, False], ids=["credentials", "no credentials"])
def credentials(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    there: bool = request.param
    monkeypatch.setattr(kachuee, "kaggle_credentials", lambda: there)
    return there


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.usefixtures("credentials")
def test_complete_files_are_taken_even_where_raw_records_are(
    tmp_path: Path, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, mirror = tmp_path / "data", tmp_path / "mirror"
    csv(mirror, (6, 5), end)
    records(data, MITBIHBeats)
    caplog.set_level(logging.INFO)
    chosen = MITBIHBeats().settled([data, mirror])
    assert (chosen.folder, chosen.partition) == ("kachuee_heartbeat", "Kaggle's training and test file")
    assert "share patients" in chosen.note
    assert f"origin is kaggle, because {folder_of(mirror)} holds Kaggle's files with all rows" in caplog.text


@pytest.mark.usefixtures("credentials")
def test_a_subset_never_counts_and_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, mirror = tmp_path / "data", tmp_path / "mirror"
    csv(mirror, (5, 5))
    caplog.set_level(logging.INFO)
    assert MITBIHBeats().settled([data, mirror]).folder == "mitbih", "a row of the training file is missing"
    csv(data, (1, 1))
    csv(mirror, (6, 5))
    assert MITBIHBeats().settled([data, mirror]).folder == "mitbih", "the first folder with files is the one used"
    assert f"Kaggle's files in {folder_of(data)} are a subset" in caplog.text
    (folder_of(data) / "mitbih_test.csv").unlink()
    assert MITBIHBeats().settled([data, mirror]).folder == "kachuee_heartbeat", "one of two files is not read at all"


@pytest.mark.parametrize("cls", SOURCES)
@pytest.mark.usefixtures("credentials")
def test_raw_records_go_before_a_download(
    tmp_path: Path, cls: type[KachueeBeats], caplog: pytest.LogCaptureFixture
) -> None:
    records(tmp_path / "mirror", cls)
    caplog.set_level(logging.INFO)
    assert cls().settled([tmp_path / "data", tmp_path / "mirror"]).folder == cls.rebuilt_from
    raw = tmp_path / "mirror" / cls.rebuilt_from / "raw"
    assert f"{cls.name}: origin is physionet, because {raw} holds raw records" in caplog.text


@pytest.mark.parametrize("cls", SOURCES)
def test_where_nothing_is_there_credentials_decide(
    tmp_path: Path, cls: type[KachueeBeats], credentials: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = cls().settled([tmp_path])
    assert source.folder == ("kachuee_heartbeat" if credentials else cls.rebuilt_from)
    assert ("there are credentials for Kaggle" if credentials else "no credentials for Kaggle") in caplog.text
    if credentials:
        urls = [file.url for file in source.files(folder_of(tmp_path))]
        assert urls == [f"kaggle://shayanfazeli/heartbeat/{file.name}" for file in cls.csv]


@pytest.mark.parametrize("cls", SOURCES)
def test_the_way_without_an_account_is_a_setting_that_is_valid(cls: type[KachueeBeats]) -> None:
    setting, _, value = cls.without_account.partition("=")
    assert setting == "dataset.origin"
    assert cls(value).folder == cls.rebuilt_from


def test_versions_name_those_of_the_functions_used() -> None:
    assert MITBIHBeats("kaggle").version == PTBBeats("kaggle").version == "1, kaggle"
    assert MITBIHBeats("physionet").version == f"1, beats {beats.VERSION}, physionet"
    assert PTBBeats("physionet").version == f"1, windows {PTB.version}, beats {beats.VERSION}, physionet"
    assert beats.Beats.version == beats.VERSION
