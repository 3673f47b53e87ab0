"""Reading WFDB records, and sentences for what is wrong with them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgan.data.formats.records import lead_names, read_annotations, read_signals, record_files, refuse_incomplete
from ecgan.errors import DataError

GAIN, BASELINE, LENGTH = 200, 1024, 1000
ANNOTATIONS = {10: "N", 300: "V", 999: "+"}


def digital() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 2047, (LENGTH, 2))


def written(raw: Path, record: str = "100") -> Path:
    """A record of two leads in format 212, with annotations, as in MIT-BIH."""
    wfdb.wrsamp(
        record,
        fs=360,
        units=["mV"] * 2,
        sig_name=["MLII", "V5"],
        d_signal=digital(),
        fmt=["212"] * 2,
        adc_gain=[GAIN] * 2,
        baseline=[BASELINE] * 2,
        comments=["69 M"],
        write_dir=str(raw),
    )
    wfdb.wrann(record, "atr", np.array(list(ANNOTATIONS)), list(ANNOTATIONS.values()), write_dir=str(raw))
    return raw


def test_values_names_and_comments(tmp_path: Path) -> None:
    signals = read_signals(written(tmp_path), "100")
    assert signals.x.dtype == np.float32
    assert np.array_equal(signals.x, ((digital().T - BASELINE) / GAIN).astype(np.float32))
    assert (signals.leads, signals.units, signals.fs_hz) == (("MLII", "V5"), ("mV", "mV"), 360.0)
    assert signals.comments == ("69 M",)
    exact = read_signals(tmp_path, "100", dtype=np.float64).x
    assert np.array_equal(exact, (digital().T - BASELINE) / GAIN)
    assert pickle.loads(pickle.dumps(signals)).leads == signals.leads  # noqa: S301 - crosses processes


def test_leads_by_name_in_the_order_asked(tmp_path: Path) -> None:
    written(tmp_path)
    both = read_signals(tmp_path, "100").x
    swapped = read_signals(tmp_path, "100", ["v5", "MLII"])
    assert np.array_equal(swapped.x, both[::-1])
    assert swapped.leads == ("V5", "MLII")
    assert lead_names(tmp_path, "100") == ("MLII", "V5")
    with pytest.raises(DataError, match=r"100\.hea has no lead 'MLI'; did you mean 'MLII'"):
        read_signals(tmp_path, "100", ["MLI"])


def test_invalid_samples_are_missing(tmp_path: Path) -> None:
    values = digital()
    values[5, 1] = -2048
    written(tmp_path)
    wfdb.wrsamp(
        "100",
        fs=360,
        units=["mV"] * 2,
        sig_name=["MLII", "V5"],
        d_signal=values,
        fmt=["212"] * 2,
        adc_gain=[GAIN] * 2,
        baseline=[BASELINE] * 2,
        write_dir=str(tmp_path),
    )
    x = read_signals(tmp_path, "100").x
    assert np.argwhere(np.isnan(x)).tolist() == [[1, 5]]


def test_annotations(tmp_path: Path) -> None:
    sample, symbol = read_annotations(written(tmp_path), "100")
    assert dict(zip(sample.tolist(), symbol.tolist(), strict=True)) == ANNOTATIONS


def test_files_of_a_record(tmp_path: Path) -> None:
    written(tmp_path)
    assert record_files(tmp_path, "100") == ("100.hea", "100.dat", "100.atr")
    assert record_files(tmp_path, "100", (".hea", ".atr")) == ("100.hea", "100.atr")
    (tmp_path / "100.hea").unlink()
    assert record_files(tmp_path, "100") == ()


def test_a_missing_file_matters_only_to_its_leads(tmp_path: Path) -> None:
    header = tmp_path / "s.hea"
    header.write_text("s 2 1000 4\ns.dat 16 2000 16 0 0 0 0 i\ns.xyz 16 2000 16 0 0 0 0 vx\n")
    np.arange(4, dtype="<i2").tofile(tmp_path / "s.dat")
    assert read_signals(tmp_path, "s", ["i"]).x.tolist() == [
        [0.0, 0.0005000000237487257, 0.0010000000474974513, 0.001500000013038516]
    ]
    with pytest.raises(DataError, match=r"s\.hea names .*s\.xyz, missing here; put a whole copy there by hand"):
        read_signals(tmp_path, "s")


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def replaced(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: (raw / "100.dat").unlink(), r"100\.hea names .*100\.dat, missing here"),
        (lambda raw: cut(raw / "100.dat", 1000), r"100\.dat is damaged or shorter than 100\.hea says"),
        (lambda raw: cut(raw / "100.dat", 2997), r"100\.dat is damaged or shorter than 100\.hea says"),
        (lambda raw: cut(raw / "100.dat", 0), r"100\.dat is damaged or shorter than 100\.hea says"),
        (
            lambda raw: (raw / "100.hea").unlink(),
            r"100\.hea is missing; put a whole copy there by hand, or delete the folder",
        ),
        (lambda raw: cut(raw / "100.hea", 0), r"100\.hea is not a complete WFDB header"),
        (lambda raw: cut(raw / "100.hea", 40), r"100\.hea is not a complete WFDB header"),
        (lambda raw: (raw / "100.hea").write_text("<html>404</html>"), r"100\.hea is not a complete WFDB header"),
        (lambda raw: replaced(raw / "100.hea", " 1000\n", " 0\n"), r"100\.hea names no samples"),
        (lambda raw: replaced(raw / "100.hea", " 1000\n", " 10000000000000\n"), r"shorter than 100\.hea says"),
        (lambda raw: replaced(raw / "100.hea", " 212 ", " 999 "), r"100\.dat is damaged or shorter"),
        (lambda raw: replaced(raw / "100.hea", " 212 ", " 212x2 "), "several sampling rates"),
        (lambda raw: replaced(raw / "100.hea", "V5", "MLII"), "has several leads named 'MLII'"),
    ],
)
def test_damaged_record_gets_a_sentence(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(written(tmp_path))
    with pytest.raises(DataError, match=message):
        read_signals(tmp_path, "100", ["MLII"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: (raw / "100.atr").unlink(), r"100\.atr is missing"),
        (lambda raw: cut(raw / "100.atr", 0), r"100\.atr is not a complete WFDB annotation file"),
        (lambda raw: cut(raw / "100.atr", 4), r"100\.atr is not a complete WFDB annotation file"),
        (lambda raw: (raw / "100.atr").write_text("<html>404</html>"), r"100\.atr is not a complete WFDB"),
        (
            lambda raw: replaced(raw / "100.hea", " 1000\n", " 900\n"),
            r"annotation 3 at sample 999, but its record has 900 samples",
        ),
    ],
)
def test_damaged_annotations_get_a_sentence(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(written(tmp_path))
    with pytest.raises(DataError, match=message):
        read_annotations(tmp_path, "100")


def test_records_that_lack_a_file_are_refused(tmp_path: Path) -> None:
    written(tmp_path)
    refuse_incomplete(tmp_path, ["100"], (".hea", ".dat", ".atr"))
    for suffix in (".atr", ".dat"):
        (tmp_path / f"100{suffix}").unlink()
    with pytest.raises(DataError, match=r"100\.hea is there without \S+100\.dat and \S+100\.atr; put a whole copy"):
        refuse_incomplete(tmp_path, ["100"], (".hea", ".dat", ".atr"))


def test_real_records_equal_what_wfdb_gives(mirror: Path) -> None:
    for folder, record, leads in (
        ("mitbih", "114", ["MLII", "V5"]),
        ("ptb", "patient002/s0015lre", ["ii", "v6"]),
        ("shaoxing", "WFDBRecords/01/010/JS00001", ["V6", "I"]),
    ):
        raw = mirror / folder / "raw"
        if not raw.is_dir():
            pytest.skip(f"the mirror {mirror} has no {folder}/raw")
        truth = wfdb.rdrecord(str(raw / record), channel_names=leads)
        order = [truth.sig_name.index(lead) for lead in leads]
        assert np.array_equal(read_signals(raw, record, leads).x, truth.p_signal.T[order].astype(np.float32))


def test_a_header_that_names_the_file_of_another_record_is_refused(tmp_path: Path) -> None:
    import wfdb

    for name in ("a", "b"):
        wfdb.wrsamp(name, 100, ["mV"], ["I"], np.zeros((200, 1)), fmt=["16"], write_dir=str(tmp_path))
    header = tmp_path / "a.hea"
    header.write_text(header.read_text().replace("a.dat", "b.dat"))
    with pytest.raises(DataError, match=r"a\.hea names b\.dat, a file of another record"):
        read_signals(tmp_path, "a")
