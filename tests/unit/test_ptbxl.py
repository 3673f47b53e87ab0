"""Reading PTB-XL from files in its format; nobody here has the database itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgan.data.source import Source
from ecgan.data.sources import ptbxl
from ecgan.data.sources.ptbxl import PTBXL
from ecgan.errors import ConfigError, DataError
from ecgan.testing import check_source
from ecgan.types import TEST, TRAIN, VAL, Recordings

STATEMENTS = """,description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass,Statement Category
NDT,non-diagnostic T abnormalities,1.0,1.0,,STTC,STTC,other ST-T descriptive statements
NORM,normal ECG,1.0,,,NORM,NORM,Normal/abnormal
IMI,inferior myocardial infarction,1.0,,,MI,IMI,Myocardial Infarction
ASMI,anteroseptal myocardial infarction,1.0,,,MI,AMI,Myocardial Infarction
LVH,left ventricular hypertrophy,1.0,,,HYP,LVH,Ventricular Hypertrophy
LAFB,left anterior fascicular block,1.0,,,CD,LAFB/LPFB,"Intraventricular and intra-atrial disturbances"
ABQRS,abnormal QRS,,1.0,,,,other
SR,sinus rhythm,,,1.0,,,Statements related to ectopic rhythm abnormalities
"""
ROWS = (  # patient, statements, fold
    ("15709.0", "{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}", 3),
    ("13243.0", "{'IMI': 35.0, 'ASMI': 0.0, 'ABQRS': 0.0}", 9),
    ("20372.0", "{'NORM': 80.0, 'LAFB': 100.0}", 2),
    ("17014.0", "{'SR': 0.0}", 5),
    ("17448.0", "{'LVH': 15.0, 'SR': 0.0}", 10),
    ("17448.0", "{'NDT': 100.0}", 10),
)


def table(rows: tuple[tuple[str, str, int], ...] = ROWS) -> str:
    lines = ["ecg_id,patient_id,age,report,scp_codes,heart_axis,strat_fold,filename_lr,filename_hr"]
    for i, (patient, codes, fold) in enumerate(rows, 1):
        names = f"records100/00000/{i:05}_lr,records500/00000/{i:05}_hr"
        lines.append(f'{i},{patient},56.0,"sinusrhythmus, lagetyp normal",{chr(34)}{codes}{chr(34)},,{fold},{names}')
    return "\n".join(lines) + "\n"


def signal(number: int, fs_hz: int) -> np.ndarray:
    return np.random.default_rng(number + fs_hz).integers(-2000, 2000, (10 * fs_hz, 12))


def written(raw: Path, number: int, fs_hz: int) -> None:
    kind = {100: "lr", 500: "hr"}[fs_hz]
    folder = raw / f"records{fs_hz}" / "00000"
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        f"{number:05}_{kind}", fs_hz, ["mV"] * 12, list(ptbxl.LEADS), d_signal=signal(number, fs_hz),
        fmt=["16"] * 12, adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(folder),
    )  # fmt: skip


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "ptbxl_database.csv").write_text(table())
    (tmp_path / "scp_statements.csv").write_text(STATEMENTS)
    for number in range(1, len(ROWS) + 1):
        written(tmp_path, number, 100)
    return tmp_path


def read(source: PTBXL, raw: Path) -> Recordings:
    (piece,) = source.pieces(raw)
    return source.read(raw, piece)


def test_records_of_exactly_one_superclass(raw: Path) -> None:
    source = PTBXL()
    assert isinstance(source, Source)
    recordings = read(source, raw)
    x = np.asarray(recordings.x)
    assert [source.classes[label] for label in recordings.y.tolist()] == ["NORM", "MI", "HYP", "STTC"]
    assert recordings.dropped == {"records of several superclasses": 1, "records without a diagnostic superclass": 1}
    assert x.shape == (4, 12, 1000)
    for series, number in zip(x, (1, 2, 5, 6), strict=True):
        assert np.allclose(series, signal(number, 100).T / 1000, atol=1e-6)
    assert recordings.group is not None
    assert recordings.part is not None
    assert recordings.group.tolist() == [15709, 13243, 17448, 17448]
    assert recordings.part.tolist() == [TRAIN, VAL, TEST, TEST]
    assert (recordings.fs_hz, recordings.unit) == (100.0, "mV")


def test_the_folds_rotate(raw: Path) -> None:
    recordings = read(PTBXL(test_fold=3, val_fold=10), raw)
    assert recordings.part is not None
    assert recordings.part.tolist() == [TEST, TRAIN, VAL, VAL]


def test_500_hz_reads_the_other_files(raw: Path) -> None:
    source = PTBXL(fs_hz=500)
    assert source.found(raw) == (), "tables alone do not suffice"
    written(raw, 5, 500)
    recordings = read(source, raw)
    assert np.allclose(np.asarray(recordings.x)[0], signal(5, 500).T / 1000, atol=1e-6)
    assert (np.asarray(recordings.x).shape, recordings.fs_hz) == ((1, 12, 5000), 500.0)


def test_pieces_are_chunks_in_order(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(PTBXL(), raw)
    monkeypatch.setattr(ptbxl, "CHUNK", 4)
    source = PTBXL()
    parts = [source.read(raw, piece) for piece in source.pieces(raw)]
    assert [len(part.y) for part in parts] == [2, 2]
    assert np.array_equal(np.concatenate([np.asarray(part.x) for part in parts]), np.asarray(whole.x))


def test_a_subset_is_read_and_what_is_expected_is_the_whole(raw: Path) -> None:
    (raw / "records100/00000/00002_lr.hea").unlink()
    source = PTBXL()
    assert len(read(source, raw).y) == 3
    assert source.found(raw)[:2] == ("ptbxl_database.csv", "scp_statements.csv")
    assert len(source.found(raw)) == 2 + 2 * 5
    assert sum(source.expected.values()) == 16_244


def test_only_the_resolution_asked_for_is_downloaded(tmp_path: Path) -> None:
    assert [file.name for file in PTBXL().files(tmp_path)] == ["SHA256SUMS.txt"]
    names = ("LICENSE.txt", "example_physionet.py", "ptbxl_database.csv", "scp_statements.csv")
    records = [
        f"records{fs}/00000/00001_{kind}.{end}" for fs, kind in ((100, "lr"), (500, "hr")) for end in ("dat", "hea")
    ]
    lines = (f"{'cd' * 32} {name}" for name in (*names, *records))
    (tmp_path / "SHA256SUMS.txt").write_text("\n".join(lines) + "\n")
    for fs_hz, kept in ((100, records[:2]), (500, records[2:])):
        files = PTBXL(fs_hz=fs_hz).files(tmp_path)
        assert [file.name for file in files] == ["SHA256SUMS.txt", *names[2:], *kept]
        assert files[-1].url == f"https://physionet.org/files/ptb-xl/1.0.3/{kept[-1]}"


def broken_tables() -> dict[str, tuple[str, str, str]]:
    good = table()
    return {
        "no column": (good.replace("strat_fold", "fold"), STATEMENTS, r"database\.csv has no column 'strat_fold'"),
        "fold 11": (good.replace(",10,", ",11,", 1), STATEMENTS, r"database\.csv has fold 11 in row 6; folds are 1 to"),
        "no patient": (good.replace("13243.0", ""), STATEMENTS, r"database\.csv has '' in row 3, column patient_id"),
        "text in a number": (good.replace("13243.0", "x"), STATEMENTS, r"has 'x' in row 3, column patient_id; a whole"),
        "no dictionary": (good.replace("{'SR': 0.0}", "SR"), STATEMENTS, r"no statements in row 5, column scp_codes"),
        "a set": (good.replace("{'SR': 0.0}", "{'SR'}"), STATEMENTS, r"no statements in row 5, column scp_codes"),
        "a superclass": (good, STATEMENTS.replace("HYP", "HYPER"), r"statements\.csv has 'HYPER' as a superclass"),
        "ragged": (good + "1,2,3,4,5,6,7,8,9,10,11\n", STATEMENTS, r"database\.csv .*row 8 has 11 columns, not 9"),
        "cut off": (good[:-45], STATEMENTS, r"database\.csv cannot be read as a table \(row 7 has 8 columns"),
        "empty": ("", STATEMENTS, r"database\.csv has no column 'patient_id'"),
    }


@pytest.mark.parametrize("fault", broken_tables())
def test_a_broken_table_is_refused(raw: Path, fault: str) -> None:
    records, statements, message = broken_tables()[fault]
    (raw / "ptbxl_database.csv").write_text(records)
    (raw / "scp_statements.csv").write_text(statements)
    with pytest.raises(DataError, match=message):
        PTBXL().pieces(raw)


def test_a_missing_table_means_that_nothing_is_there(raw: Path) -> None:
    (raw / "scp_statements.csv").unlink()
    assert PTBXL().found(raw) == ()
    with pytest.raises(DataError, match=r"scp_statements\.csv is missing"):
        PTBXL().pieces(raw)


def test_a_record_without_its_dat_is_refused(raw: Path) -> None:
    (raw / "records100/00000/00001_lr.dat").unlink()
    with pytest.raises(
        DataError, match=r"00001_lr\.hea is there without \S+00001_lr\.dat; put a whole copy there by hand"
    ):
        PTBXL().pieces(raw)


def test_a_record_of_another_length_is_refused(raw: Path) -> None:
    header = raw / "records100/00000/00001_lr.hea"
    header.write_text(header.read_text().replace("12 100 1000", "12 100 900"))
    with pytest.raises(DataError, match=r"00001_lr\.hea is not of 1000 samples in mV at 100 Hz"):
        read(PTBXL(), raw)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fs_hz": 250}, r"dataset\.fs_hz is 250, but PTB-XL has 100 and 500 Hz"),
        ({"test_fold": 0}, r"two different folds from 1 to 10"),
        ({"val_fold": 10}, r"two different folds from 1 to 10"),
    ],
)
def test_wrong_settings(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PTBXL(**settings)


def test_the_battery(raw: Path) -> None:
    check_source(PTBXL, raw)
