"""Reading the PTB Diagnostic ECG Database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgan.data.source import Source
from ecgan.data.sources import ptb
from ecgan.data.sources.ptb import PTB
from ecgan.errors import ConfigError, DataError
from ecgan.testing import check_source
from ecgan.types import Recordings

FRANK = ("vx", "vy", "vz")


def written(raw: Path, name: str, diagnosis: str | None, samples: int = 2500, note: str = "") -> np.ndarray:
    """Write a record of 15 signals as at the source: the Frank leads in another file, which is then removed."""
    folder, record = name.split("/")
    (raw / folder).mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(name.encode()[-6:], "big") % 2**32
    digital = np.random.default_rng(seed).integers(-3000, 3000, (samples, 15))
    comments = ["age: 81", "Diagnose:", "Smoker: no"]
    if diagnosis is not None:
        comments.insert(2, f"Reason for admission: {diagnosis}")
    wfdb.wrsamp(
        record, 1000, ["mV"] * 15, [*ptb.LEADS, *FRANK], d_signal=digital, fmt=["16"] * 15, adc_gain=[2000.0] * 15,
        baseline=[0] * 15, comments=[*comments, *([note] if note else [])], write_dir=str(raw / folder),
    )  # fmt: skip
    header = raw / folder / f"{record}.hea"
    lines = header.read_text().splitlines()
    dat = np.fromfile(raw / folder / f"{record}.dat", "<i2").reshape(samples, 15)
    dat[:, :12].tofile(raw / folder / f"{record}.dat")
    frank = [line.replace(".dat", ".xyz") if line.split()[-1] in FRANK else line for line in lines]
    header.write_text("\n".join(frank) + "\n")
    return digital[:, :12].T / 2000


def read(source: PTB, raw: Path) -> list[Recordings]:
    return [source.read(raw, piece) for piece in source.pieces(raw)]


def dropped(parts: list[Recordings]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part.dropped)
    return dict(total)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    written(tmp_path, "patient001/s0010_re", "Myocardial infarction")
    written(tmp_path, "patient104/s0306lre", "Healthy control", 2000)
    written(tmp_path, "patient104/s0307lre", "Healthy control", 999)
    written(tmp_path, "patient200/s0405lre", "n/a")
    written(tmp_path, "patient201/s0420_re", None)
    written(tmp_path, "patient208/s0429_re", "Bundle branch block", note="Note: EXCERPT, first 10 s")
    return tmp_path


def test_windows_of_healthy_and_infarction(raw: Path) -> None:
    truth = written(raw, "patient001/s0010_re", "Myocardial infarction")
    source = PTB(window_s=1.0, step_s=0.5)
    assert isinstance(source, Source)
    parts = read(source, raw)
    assert source.classes == ("healthy control", "myocardial infarction")
    assert dropped(parts) == {
        "records shorter than a window": 1,
        "records without a diagnosis": 2,
        "records with a diagnosis other than the classes asked for": 1,
    }
    infarction, healthy = parts[0], parts[1]
    assert np.asarray(infarction.x).shape == (4, 12, 1000), "the last full window is kept"
    for i, window in enumerate(infarction.x):
        assert np.allclose(window, truth[:, 500 * i : 500 * i + 1000], atol=1e-6)
    assert (infarction.y.tolist(), healthy.y.tolist()) == ([1] * 4, [0] * 3)
    assert infarction.group is not None
    assert healthy.group is not None
    assert (infarction.group.tolist(), healthy.group.tolist()) == ([1] * 4, [104] * 3)
    assert (infarction.fs_hz, infarction.unit) == (1000.0, "mV")


def test_all_diagnoses_with_the_healthy_first(raw: Path) -> None:
    source = PTB(classes="diagnosis", window_s=1.0, step_s=1.0)
    parts = read(source, raw)
    labels = {source.classes[label] for part in parts for label in part.y.tolist()}
    assert source.classes[0] == "healthy control"
    assert labels == {"healthy control", "myocardial infarction", "bundle branch block"}
    assert source.note == "1 of the 6 records are excerpts, not originals, as their headers say"


def test_leads_by_name_in_the_order_wanted(raw: Path) -> None:
    whole, two = (PTB(window_s=2.0, leads=leads) for leads in (None, ["V1", "ii"]))
    x, y = (np.asarray(read(source, raw)[0].x) for source in (whole, two))
    assert np.array_equal(y, x[:, [6, 1]])


def test_the_files_that_are_there(raw: Path) -> None:
    source = PTB()
    names = source.found(raw)
    assert len(names) == 12
    assert {Path(name).suffix for name in names} == {".hea", ".dat"}, "the Frank leads are not needed"
    assert source.found(raw / "nowhere") == ()
    assert len(source.pieces(raw)) == 6


def test_only_the_standard_leads_are_downloaded(tmp_path: Path) -> None:
    source = PTB()
    assert [file.name for file in source.files(tmp_path)] == ["SHA256SUMS.txt"]
    sums = "".join(f"{'ab' * 32} patient001/s0010_re.{suffix}\n" for suffix in ("dat", "hea", "xyz"))
    (tmp_path / "SHA256SUMS.txt").write_text(sums)
    files = source.files(tmp_path)[1:]
    assert [file.name for file in files] == ["patient001/s0010_re.dat", "patient001/s0010_re.hea"]
    assert files[0].url == "https://physionet.org/files/ptbdb/1.0.0/patient001/s0010_re.dat"
    assert files[0].sha256 == "ab" * 32


def test_an_unknown_diagnosis_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "patient001/s0010_re", "Myocardial infraction")
    with pytest.raises(DataError, match=r"s0010_re\.hea gives 'myocardial infraction'.*did you mean 'myocardial infar"):
        read(PTB(), tmp_path)


def test_a_record_that_tells_no_patient_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "mine/s0010_re", "Healthy control")
    with pytest.raises(DataError, match=r"mine/s0010_re\.hea lies in no folder patientNNN"):
        read(PTB(), tmp_path)


def test_a_record_shorter_than_its_header_is_refused(raw: Path) -> None:
    path = raw / "patient001" / "s0010_re.dat"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"s0010_re\.dat is damaged or shorter than"):
        read(PTB(window_s=1.0), raw)


def test_another_sampling_rate_is_refused(raw: Path) -> None:
    header = raw / "patient001" / "s0010_re.hea"
    header.write_text(header.read_text().replace(" 15 1000 ", " 15 500 "))
    with pytest.raises(DataError, match=r"s0010_re\.hea gives 500 Hz instead of 1000; put a whole copy there by hand"):
        read(PTB(window_s=1.0), raw)


def test_a_record_without_its_signals_is_refused_at_once(raw: Path) -> None:
    (raw / "patient200" / "s0405lre.dat").unlink()
    with pytest.raises(DataError, match=r"s0405lre\.hea is there without \S+s0405lre\.dat; put a whole copy"):
        PTB().pieces(raw)


def test_another_unit_is_refused(raw: Path) -> None:
    header = raw / "patient001" / "s0010_re.hea"
    header.write_text(header.read_text().replace("/mV", "/uV"))
    with pytest.raises(DataError, match=r"s0010_re\.hea gives uV.* as units instead of mV"):
        read(PTB(window_s=1.0), raw)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": "diagnoses"}, r"dataset\.classes is 'diagnoses'; did you mean 'diagnosis'"),
        ({"leads": ["vx"]}, r"dataset\.leads has 'vx'"),
        ({"leads": []}, r"dataset\.leads must name at least one"),
        ({"leads": ["i", "I"]}, r"dataset\.leads must name .* only once"),
        ({"leads": "ii"}, r"dataset\.leads is null or a list of names"),
        ({"leads": ["i", 2]}, r"dataset\.leads is null or a list of names"),
        ({"window_s": 0.0}, r"dataset\.window_s is 0\.0, but from 0\.002 to 200 s"),
        ({"window_s": 0.001}, r"dataset\.window_s is 0\.001"),
        ({"window_s": 201.0}, r"dataset\.window_s is 201\.0"),
        ({"window_s": float("nan")}, r"dataset\.window_s is nan"),
        ({"step_s": 0.0}, r"dataset\.step_s is 0\.0, but must be finite and greater than 0"),
        ({"step_s": float("inf")}, r"dataset\.step_s is inf"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PTB(**settings)  # type: ignore[arg-type]


def test_the_real_records(mirror: Path) -> None:
    raw, source = mirror / "ptb" / "raw", PTB()
    pieces = source.pieces(raw)
    assert len(pieces) == 66
    assert source.note.startswith("62 of the 66 records are excerpts")
    assert source.expected == {"records": 549}
    parts = read(source, raw)
    used = [part for part in parts if len(part.y)]
    assert Counter(source.classes[part.y[0]] for part in used) == {"healthy control": 27, "myocardial infarction": 12}
    patients = {
        int(label): {int(p.group[0]) for p in used if p.group is not None and p.y[0] == label} for label in (0, 1)
    }
    assert (len(patients[0]), len(patients[1])) == (18, 11)
    assert dropped(parts) == {
        "records without a diagnosis": 1,
        "records with a diagnosis other than the classes asked for": 26,
    }
    # an excerpt gives one window; the four originals have 38,400 and three times 115,200 samples
    assert sorted(len(part.y) for part in used) == [1] * 35 + [3, 11, 11, 11]


def test_a_real_record_has_its_header_s_first_values(mirror: Path) -> None:
    part = PTB().read(mirror / "ptb" / "raw", ptb.Record("patient001/s0010_re", ptb.INFARCTION))
    first = np.asarray(part.x)[0, :, 0] * 2000
    assert first.round().astype(int).tolist() == [-489, -458, 31, 474, -260, -214, -88, -241, -112, 212, 393, 390]


def test_the_battery(raw: Path) -> None:
    check_source(lambda: PTB(window_s=0.5, step_s=0.5), raw)
