"""Heartbeats of Kachuee et al.: Kaggle's files, the choice of the origin, and beats rebuilt from raw records."""

from __future__ import annotations

import inspect
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import wfdb
import yaml

from ecgan.data.source import Source
from ecgan.data.sources import kachuee
from ecgan.data.sources.kachuee import CsvFile, KachueeBeats, read_csv
from ecgan.data.sources.mitbih_beats import MITBIHBeats, ends
from ecgan.data.sources.ptb_beats import PTBBeats
from ecgan.errors import ConfigError, DataError
from ecgan.testing import check_source
from ecgan.types import TEST, TRAIN, UNUSED, FloatArray, Recordings

SOURCES = (MITBIHBeats, PTBBeats)
FILE = CsvFile("mitbih_train.csv", (2, 1, 1, 0, 0), TRAIN)


def csv(path: Path, labels: list[int], end: str = "\r\n", seed: int = 0) -> FloatArray:
    """Write beats as Kaggle's files have them."""
    x = np.random.default_rng(seed).random((len(labels), 187)).astype(np.float32)
    rows = [",".join(f"{value:.18e}" for value in (*beat, label)) + end for beat, label in zip(x, labels, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(rows).encode())
    return x


def folder_of(root: Path) -> Path:
    return root / "kachuee_heartbeat" / "raw"


def all_of(source: Source, raw: Path) -> list[Recordings]:
    return [source.read(raw, piece) for piece in source.pieces(raw)]


def counts(source: Source, parts: list[Recordings]) -> dict[str, int]:
    found = Counter(label for part in parts for label in part.y.tolist())
    return {name: found[i] for i, name in enumerate(source.classes)}


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kachuee, "kaggle_credentials", lambda: False)


def test_a_file_is_read_exactly(tmp_path: Path) -> None:
    x = csv(tmp_path / FILE.name, [0, 2, 1, 0])
    read = read_csv(tmp_path, FILE, "NSVFQ", 120.0)
    assert isinstance(read.x, np.ndarray)
    assert (read.x.dtype, read.x.shape) == (np.float32, (4, 1, 187))
    assert np.array_equal(read.x[:, 0], x)
    assert (read.y.tolist(), read.fs_hz, read.unit, read.group) == ([0, 2, 1, 0], 120.0, "1", None)
    assert read.part is not None
    assert read.part.tolist() == [TRAIN] * 4


ZERO = "0.0"


@pytest.mark.parametrize(
    ("third", "message"),
    [
        ([ZERO] * 187, r"mitbih_train.csv has 187 columns in row 3 instead of 188"),
        ([ZERO] * 189, r"mitbih_train.csv has 189 columns in row 3 instead of 188"),
        ([ZERO] * 4 + ["high"] + [ZERO] * 183, r"has 'high' in row 3, column 5; a finite number belongs there"),
        ([ZERO] * 4 + [""] + [ZERO] * 183, r"has '' in row 3, column 5"),
        ([ZERO] * 4 + ["inf"] + [ZERO] * 183, r"has 'inf' in row 3, column 5"),
        ([ZERO] * 4 + ["nan"] + [ZERO] * 183, r"has nan in row 3, but beats lie in \[0, 1\]"),
        ([ZERO] * 4 + ["1.5"] + [ZERO] * 183, r"has 1.5 in row 3, but beats lie in \[0, 1\]"),
        ([ZERO] * 187 + ["3"], r"has the label 3 in row 3; valid are 0 \(N\), 1 \(S\), 2 \(V\)"),
        ([ZERO] * 187 + ["0.5"], r"has the label 0.5 in row 3"),
        ([ZERO] * 187 + ["9"], r"has the label 9 in row 3"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, third: list[str], message: str) -> None:
    path = tmp_path / FILE.name
    csv(path, [0, 1, 2])
    lines = path.read_text().splitlines()
    lines[2] = ",".join(third)
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=message):
        read_csv(tmp_path, FILE, "NSVFQ", 120.0)


def test_an_empty_or_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mitbih_train\.csv cannot be read"):
        read_csv(tmp_path, FILE, "NSVFQ", 120.0)
    (tmp_path / FILE.name).touch()
    with pytest.raises(DataError, match=r"mitbih_train\.csv is empty"):
        read_csv(tmp_path, FILE, "NSVFQ", 120.0)


def test_the_second_file_of_ptb_takes_abnormal_beats_only(tmp_path: Path) -> None:
    csv(tmp_path / "ptbdb_normal.csv", [0, 1])
    with pytest.raises(DataError, match=r"label 1 in row 2; valid are 0 \(normal\)"):
        PTBBeats("kaggle").read(tmp_path, "ptbdb_normal.csv")


@pytest.mark.parametrize("cls", SOURCES)
@pytest.mark.usefixtures("no_credentials")
def test_origins_have_versions_and_notes_of_their_own(tmp_path: Path, cls: type[KachueeBeats]) -> None:
    auto, kaggle, rebuilt = cls().settled([tmp_path]), cls("kaggle"), cls("physionet")
    assert auto.version == rebuilt.version != kaggle.version
    assert "not read from the Kaggle files" in rebuilt.note
    assert "not read from the Kaggle files" not in kaggle.note
    assert kaggle.settled([tmp_path]) is kaggle
    with pytest.raises(ConfigError, match="did you mean 'kaggle'"):
        cls("kagle")


def test_full_sizes_are_those_of_the_published_files() -> None:
    sizes = [sum(file.counts) * 4701 for file in MITBIHBeats.csv]
    assert sizes == [411_591_354, 102_914_292]
    assert MITBIHBeats("kaggle").expected == {"N": 90_589, "S": 2_779, "V": 7_236, "F": 803, "Q": 8_039}
    assert PTBBeats("kaggle").expected == {"normal": 4_046, "abnormal": 10_506}


def test_beats_end_after_the_next_annotation() -> None:
    assert ends(np.array([100, 400, 704, 1000])).tolist() == [400 + 60, 704 + 59, 1000 + 59]
    assert ends(np.array([7])).size == 0


def mitbih_record(raw: Path, record: str, sample: list[int], symbol: list[str]) -> FloatArray:
    raw.mkdir(parents=True, exist_ok=True)
    digital = np.random.default_rng(int(record)).integers(-500, 500, (4000, 2))
    wfdb.wrsamp(
        record, 360, ["mV"] * 2, ["MLII", "V1"], d_signal=digital, fmt=["212"] * 2, adc_gain=[200.0] * 2,
        baseline=[0] * 2, write_dir=str(raw),
    )  # fmt: skip
    wfdb.wrann(record, "atr", np.array(sample), symbol, write_dir=str(raw))
    return digital[:, 0]


def test_mitbih_is_rebuilt_by_the_procedure(tmp_path: Path) -> None:
    sample, symbol = [20, 300, 610, 900, 1000, 1700, 3990], ["+", "N", "A", "V", "~", "/", "N"]
    digital = mitbih_record(tmp_path, "202", sample, symbol)
    mitbih_record(tmp_path, "104", sample, symbol)
    source = MITBIHBeats("physionet")
    assert source.pieces(tmp_path) == ("104", "202")
    assert "202.atr" in source.found(tmp_path)
    paced, read = (pickle.loads(pickle.dumps(source)).read(tmp_path, piece) for piece in ("104", "202"))  # noqa: S301
    assert [source.classes[i] for i in read.y] == ["N", "S", "V", "Q"]
    assert read.dropped == {"last of their record, as in the published set": 1}
    assert (read.fs_hz, read.unit, set(read.group.tolist())) == (120.0, "1", {201})
    assert (set(read.part.tolist()), set(paced.part.tolist())) == ({TEST}, {UNUSED})
    assert np.asarray(read.x).shape == (4, 1, 187)
    spans = [(300, 610 + 58), (610, 900 + 20), (900, 1000 + 140), (1700, 4000)]  # the last one ends with the record
    for beat, (start, stop) in zip(np.asarray(read.x)[:, 0], spans, strict=True):
        every_third = digital[start:stop:3]
        scaled = ((every_third - every_third.min()) / np.ptp(every_third))[:187]
        assert np.allclose(beat, np.pad(scaled, (0, 187 - len(scaled))), atol=1e-6)


def test_a_record_without_beats_gives_none(tmp_path: Path) -> None:
    mitbih_record(tmp_path, "100", [50], ["+"])
    read = MITBIHBeats("physionet").read(tmp_path, "100")
    assert (np.asarray(read.x).shape, dict(read.dropped)) == ((0, 1, 187), {})


def ptb_record(raw: Path, patient: int, diagnosis: str, peaks: list[int]) -> None:
    folder = raw / f"patient{patient:03d}"
    folder.mkdir(parents=True)
    t = np.arange(10_400)
    lead = sum(2000 * np.exp(-(((t - 8 * peak) / 12) ** 2)) for peak in peaks)
    digital = np.stack([-lead, lead], axis=1).round().astype(int)
    wfdb.wrsamp(
        "s0001_re", 1000, ["mV"] * 2, ["i", "ii"], d_signal=digital, fmt=["16"] * 2, adc_gain=[2000.0] * 2,
        baseline=[0] * 2, comments=[f"Reason for admission: {diagnosis}"], write_dir=str(folder),
    )  # fmt: skip


def test_ptb_is_rebuilt_by_the_procedure(tmp_path: Path) -> None:
    ptb_record(tmp_path, 7, "Healthy control", [50, 150, 250, 700, 800, 900, 1230])
    ptb_record(tmp_path, 8, "Myocardial infarction", [40, 120])
    ptb_record(tmp_path, 9, "Dysrhythmia", [40, 120])
    source = PTBBeats("physionet")
    parts = all_of(source, tmp_path)
    assert counts(source, parts) == {"normal": 6, "abnormal": 2}
    healthy, infarction, other = parts
    assert dict(healthy.dropped) == {"beats that reach past their window": 1}
    assert (healthy.fs_hz, healthy.unit, set(healthy.group.tolist())) == (125.0, "1", {7})
    lengths = [int(np.flatnonzero(beat > 0.01).max()) for beat in np.asarray(infarction.x)[:, 0]]
    assert lengths == [83, 3], "1.2 x 80 samples hold the next peak of the first beat, and none of the second"
    assert "windows of 5 s without two R peaks" in infarction.dropped
    assert sum(other.dropped.values()) == 1
    assert source.note == "rebuilt from raw PTB Diagnostic, not read from the Kaggle files"


@pytest.mark.parametrize("cls", SOURCES)
def test_the_config_has_every_setting_with_its_default(cls: type[KachueeBeats]) -> None:
    path = Path(__file__).resolve().parents[2] / "conf" / "dataset" / f"{cls.name}.yaml"
    node = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert node.pop("_target_") == f"{cls.__module__}.{cls.__qualname__}"
    assert node == {name: p.default for name, p in inspect.signature(cls).parameters.items()}


@pytest.mark.parametrize("cls", SOURCES)
@pytest.mark.usefixtures("no_credentials")
def test_auto_rebuilds_from_the_mirror(mirror: Path, cls: type[KachueeBeats]) -> None:
    assert cls().settled([mirror]).folder == cls.rebuilt_from


def test_rows_of_the_mirror_are_as_listed(mirror: Path) -> None:
    source: Source
    for source, expected in (
        (MITBIHBeats("kaggle"), [110 + 1096, 200, 200, 200, 200]),
        (PTBBeats("kaggle"), [100, 100]),
    ):
        raw = folder_of(mirror)
        assert source.found(raw) == tuple(source.pieces(raw))
        assert list(counts(source, all_of(source, raw)).values()) == expected


def test_rebuilt_mitbih_is_kaggles_set(mirror: Path) -> None:
    source, real = MITBIHBeats("physionet"), MITBIHBeats("kaggle")
    parts = all_of(source, mirror / "mitbih" / "raw")
    assert counts(source, parts) == real.expected == source.expected
    assert sum(sum(part.dropped.values()) for part in parts) == 48
    label_of: dict[bytes, int] = {}
    for part in parts:
        x = np.asarray(part.x)
        assert x.shape[1:] == (1, 187)
        assert ((x >= 0) & (x <= 1)).all()
        label_of.update(zip([beat.tobytes() for beat in x], part.y.tolist(), strict=True))
    for part in all_of(real, folder_of(mirror)):
        assert [label_of.get(beat.tobytes()) for beat in np.asarray(part.x)] == part.y.tolist(), "bit for bit"


def test_rebuilt_ptb_holds_the_published_beats_of_the_raw_data_at_hand(mirror: Path) -> None:
    source = PTBBeats("physionet")
    parts = all_of(source, mirror / "ptb" / "raw")
    assert counts(source, parts) == {"normal": 120, "abnormal": 129}
    assert "62 of the 66 records are excerpts" in source.note
    rebuilt = np.concatenate([np.asarray(part.x) for part in parts if len(part.y)])
    real = PTBBeats("kaggle")
    normal, abnormal = (np.asarray(part.x) for part in all_of(real, folder_of(mirror)))
    for beat, tolerance in ((abnormal[2], 2e-7), (normal[0], 2e-3), (normal[31], 2e-3), (normal[49], 2e-3)):
        assert np.abs(rebuilt - beat).max(axis=(1, 2)).min() < tolerance


def test_mitbih_beats_pass_the_battery(tmp_path: Path) -> None:
    for record in ("104", "202"):
        mitbih_record(tmp_path, record, [20, 300, 610, 900], ["+", "N", "A", "V"])
    check_source(lambda: MITBIHBeats("physionet"), tmp_path)


def test_ptb_beats_pass_the_battery(tmp_path: Path) -> None:
    ptb_record(tmp_path, 7, "Healthy control", [50, 150, 250])
    ptb_record(tmp_path, 8, "Myocardial infarction", [40, 120])
    check_source(lambda: PTBBeats("physionet"), tmp_path)
