"""``ecgan-publish`` and ``ecgan-detect input=``: from a run to scores of new series, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import Command, left_in
from ecgan.generate.writing import Description, write_series

X = np.random.default_rng(0).normal(size=(20, 1, 32)).astype(np.float32)


@pytest.fixture
def bundle(command: Command, tiny_run: Path) -> Path:
    assert command("publish", f"run={tiny_run}", "to=b.zip").code == 0
    return command.folder / "b.zip"


def test_from_a_run_to_scores(command: Command, tiny_run: Path) -> None:
    before = left_in(tiny_run)
    out = command("publish", f"run={tiny_run}", "to=bundle", "fold=1").worked()
    assert "Detectors: knn" in out
    digest = out.partition("sha256: ")[2].split()[0]
    np.save("x.npy", X)
    out = command("detect", "run=bundle", "input=x.npy", "out=s.csv", f"sha256={digest}").worked()
    table = pd.read_csv("s.csv")
    assert f"knn: {table['predicted'].sum()} of 20 series are called abnormal" in out
    assert len(table) == 20
    command("detect", f"run={tiny_run}", "fold=1", "input=x.npy", "out=t.csv", "detector=knn").worked()
    assert Path("s.csv").read_bytes() == Path("t.csv").read_bytes()
    assert left_in(tiny_run) == before
    assert {path.name for path in command.folder.iterdir()} == {"bundle", "x.npy", "s.csv", "t.csv"}


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_what_ecgan_generate_writes_is_scored(command: Command, bundle: Path, ending: str) -> None:
    np.save("x.npy", X)
    write_series(Path(f"g{ending}"), [(X, None)], Description(20, 1, 32, "1"))
    command("detect", f"run={bundle}", "input=x.npy", "out=a.csv").worked()
    command("detect", f"run={bundle}", f"input=g{ending}", "out=b.csv").worked()
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


REFUSED: dict[str, tuple[np.ndarray, tuple[str, ...], str]] = {
    "channels": (np.zeros((3, 2, 32)), (), "2 channel(s), but the detector was trained on 1"),
    "length": (np.zeros((3, 1, 31)), (), "31 samples, but the detector was trained on 32"),
    "missing": (np.full((3, 1, 32), np.nan), (), "Series 0 of x.npy"),
    "empty": (np.zeros((0, 1, 32)), (), "the input is empty"),
    "detector": (X, ("detector=pca",), "no detector 'pca' here"),
    "digest": (X, ("sha256=00",), "not the one that was asked for"),
    "setting": (X, ("threshold=max_f1",), "There is no setting 'threshold'"),
}


@pytest.mark.parametrize(("x", "given", "part"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(
    command: Command, bundle: Path, x: np.ndarray, given: tuple[str, ...], part: str
) -> None:
    np.save("x.npy", x)
    outcome = command("detect", f"run={bundle}", "input=x.npy", "out=s.csv", *given)
    outcome.refused(outcome.code or 1, part)
    assert outcome.code in (1, 2)
    assert not Path("s.csv").exists()


def test_a_wrong_length_is_mended_on_request(command: Command, bundle: Path) -> None:
    np.save("x.npy", np.repeat(X, 2, axis=2))
    command("detect", f"run={bundle}", "input=x.npy", "out=s.csv").refused(1, "64 samples", "resample=true")
    command("detect", f"run={bundle}", "input=x.npy", "out=s.csv", "resample=true").worked()
    assert len(pd.read_csv("s.csv")) == 20


def test_a_bundle_has_no_data_of_its_own(command: Command, bundle: Path) -> None:
    command("detect", f"run={bundle}").refused(2, "A bundle holds no data", "input=<file>")
    command("publish", f"run={bundle}", "to=c.zip").refused(1, "is no run directory")


def test_what_was_changed_is_refused(command: Command, bundle: Path) -> None:
    np.save("x.npy", X)
    content = bytearray(bundle.read_bytes())
    content[5000] ^= 1
    bundle.write_bytes(bytes(content))
    command("detect", f"run={bundle}", "input=x.npy", "out=s.csv").refused(1, "is not as ecgan-publish wrote it")


def test_nothing_is_overwritten(command: Command, bundle: Path, tiny_run: Path) -> None:
    before = bundle.read_bytes()
    command("publish", f"run={tiny_run}", "to=b.zip").refused(1, "exists and is not overwritten")
    assert bundle.read_bytes() == before


def test_a_run_without_its_data_can_be_published(command: Command, tiny_run: Path) -> None:
    shutil.copytree(tiny_run, "moved")
    command("publish", "run=moved", "to=b.zip").worked()
    command("publish", f"run={tiny_run}", "to=c.zip").worked()
    assert Path("b.zip").read_bytes() == Path("c.zip").read_bytes()
