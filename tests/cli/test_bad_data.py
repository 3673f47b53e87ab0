"""Bad raw files through the real entry point: one sentence with the place, exit code 1, no store left behind."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from commands import Command

ROW = ",".join(["0.5"] * 187)


def mitbih(raw: Path) -> None:
    """A record in the true format, two minutes long with a beat per second."""
    import wfdb

    rng = np.random.default_rng(0)
    signals = rng.normal(0, 0.2, (43_200, 2)).round(2)
    wfdb.wrsamp(
        "100", 360, ["mV", "mV"], ["MLII", "V5"], signals, fmt=["212", "212"], adc_gain=[200, 200], baseline=[0, 0],
        write_dir=str(raw),
    )  # fmt: skip
    beats = np.arange(360, 43_000, 360)
    wfdb.wrann("100", "atr", beats, np.asarray(["N"] * len(beats)), write_dir=str(raw))


def without_signals(raw: Path) -> None:
    mitbih(raw)
    (raw / "100.dat").unlink()


def short_signals(raw: Path) -> None:
    mitbih(raw)
    (raw / "100.dat").write_bytes((raw / "100.dat").read_bytes()[:50_000])


def annotation_past_the_end(raw: Path) -> None:
    import wfdb

    mitbih(raw)
    wfdb.wrann("100", "atr", np.asarray([360, 99_000]), np.asarray(["N", "V"]), write_dir=str(raw))


def kachuee(*rows: str) -> Callable[[Path], None]:
    def write(raw: Path) -> None:
        for name in ("mitbih_train.csv", "mitbih_test.csv"):
            (raw / name).write_text("\n".join([f"{ROW},0", f"{ROW},1", *rows, ""]))

    return write


def shaoxing(column: str, rows: int) -> Callable[[Path], None]:
    def write(raw: Path) -> None:
        import pandas as pd

        names = [f"MUSE_{i:05d}" for i in range(rows)]
        table = pd.DataFrame({"FileName": names, column: ["SR"] * rows})
        table.to_excel(raw / "Diagnostics.xlsx", index=False)
        (raw / "ECGDataDenoised").mkdir()
        (raw / "ECGDataDenoised" / "MUSE_00001.csv").write_text("\n".join([",".join(["1.5"] * 12)] * 5000))

    return write


def escaping_zip(raw: Path) -> None:
    with zipfile.ZipFile(raw / "Toy.zip", "w") as archive:
        for part in ("TRAIN", "TEST"):
            archive.writestr(f"../Toy_{part}.tsv", "1\t0.5\t0.25\n2\t1.0\t2.0\n")


ANOTHER = (
    "Diagnostics.xlsx",
    "damaged or another version",
)  # its checksum is known; what else is told stands in unit tests
KAGGLE = ("dataset=mitbih_beats", "dataset.origin=kaggle")
CASES: dict[str, tuple[str, Callable[[Path], None], tuple[str, ...], tuple[str, ...]]] = {
    "unequal columns": ("kachuee_heartbeat", kachuee("0.1,0.2,0"), KAGGLE, ("mitbih_train.csv", "3")),
    "text in a number": ("kachuee_heartbeat", kachuee(f"x{ROW},0"), KAGGLE, ("mitbih_train.csv", "row 3", "x0.5")),
    "infinite value": ("kachuee_heartbeat", kachuee(f"inf{ROW[3:]},0"), KAGGLE, ("mitbih_train.csv", "row 3", "inf")),
    "unknown label": ("kachuee_heartbeat", kachuee(f"{ROW},7"), KAGGLE, ("mitbih_train.csv", "row 3", "7")),
    "no .dat": ("mitbih", without_signals, ("dataset=mitbih",), ("100.hea", "100.dat")),
    "short .dat": ("mitbih", short_signals, ("dataset=mitbih",), ("100.dat", "shorter")),
    "annotation past the end": ("mitbih", annotation_past_the_end, ("dataset=mitbih",), ("100.atr", "99000", "43200")),
    "no column": ("shaoxing", shaoxing("Rhythms", 10_646), ("dataset=shaoxing",), ANOTHER),
    "labels of another length": ("shaoxing", shaoxing("Rhythm", 10), ("dataset=shaoxing",), ANOTHER),
    "zip with ../": ("toy", escaping_zip, ("dataset=ucr", "dataset.name=Toy"), ("Toy.zip", "../Toy_TRAIN.tsv")),
    "nothing usable": (
        "sine",
        lambda _: None,
        ("dataset=sine", "dataset.n_series=50", "preprocess=clean", "preprocess.steps.clean.low=100"),
        ("no usable series", "50"),
    ),
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("folder", "write", "settings", "parts"), CASES.values(), ids=CASES.keys())
def test_is_told_in_one_sentence(
    command: Command,
    folder: str,
    write: Callable[[Path], None],
    settings: tuple[str, ...],
    parts: tuple[str, ...],
    workers: int,
) -> None:
    raw = command.folder / "data" / folder / "raw"
    raw.mkdir(parents=True)
    write(raw)
    command("preprocess", *settings, f"preprocess.workers={workers}").refused(1, *parts)
    assert not list((command.folder / "data").glob("*/processed/*/*"))


def test_a_partial_set_is_called_a_subset_on_the_screen(command: Command) -> None:
    raw = command.folder / "data" / "mitbih" / "raw"
    raw.mkdir(parents=True)
    mitbih(raw)
    out = command("preprocess", "dataset=mitbih").worked()
    assert "Note: a subset: 119 of 100,733 series" in out.replace("\n", " ")
    assert "Left out" not in out
