"""``ecgan-generate``: new series from a finished run, without its data, and what it refuses."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import wfdb

from commands import SINE, Command, clean_environment, forget_hydra, left_in, only_run
from ecgan.files import sha256_of
from ecgan.generation import Request, generate

SMALL = (*SINE, "trainer=smoke", "split.folds=2", "detector=none", "trainer.figures=false", "model=vae")
CLASSES = ("normal", "noise", "superimposed")


def trained(folder: Path, *settings: str) -> Path:
    """Train in a folder, and take the data away, which nothing here may need."""
    from ecgan import cli

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        clean_environment(patch)
        patch.chdir(folder)
        patch.setattr("sys.argv", ["ecgan-train", *SMALL, *settings])
        forget_hydra()
        cli.train()
        forget_hydra()
    shutil.rmtree(folder / "data")
    return only_run(folder / "outputs")


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two folds whose model does not tell classes apart."""
    return trained(tmp_path_factory.mktemp("unlabelled"))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model generates by class."""
    return trained(tmp_path_factory.mktemp("labelled"), "model.conditional=true", "split.only=[1]")


@pytest.fixture
def copy(unlabelled: Path, tmp_path: Path) -> Path:
    """A run to be changed."""
    return Path(shutil.copytree(unlabelled, tmp_path / "copy"))


def arrays(file: Path) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as archive:
        return dict(archive)


def test_series_of_a_run(command: Command, unlabelled: Path) -> None:
    before = {file: sha256_of(file) for file in unlabelled.rglob("*") if file.is_file()}
    out = command("generate", f"run={unlabelled}", "out=new/beats.npz", "n=600").worked()
    assert out == "600 series of 1 x 32 samples: new/beats.npz\n"
    found = arrays(command.folder / "new" / "beats.npz")
    assert set(found) == {"x", "unit", "fs_hz"}
    assert found["x"].shape == (600, 1, 32)
    assert len(np.unique(found["x"], axis=0)) == 600
    assert left_in(command.folder) == ["new", "new/beats.npz"]
    assert {file: sha256_of(file) for file in unlabelled.rglob("*") if file.is_file()} == before


def test_the_same_command_gives_the_same_bytes(command: Command, labelled: Path) -> None:
    for name in ("a.npz", "b.npz"):
        torch.manual_seed(len(name))
        command("generate", f"run={labelled}", "fold=1", f"out={name}", "n=30").worked()
    assert (command.folder / "a.npz").read_bytes() == (command.folder / "b.npz").read_bytes()


def test_seeds_and_folds_give_other_series_and_fewer_are_the_first(command: Command, unlabelled: Path) -> None:
    drawn = []
    for settings in (["n=40"], ["n=7"], ["n=40", "seed=1"], ["n=40", "fold=1"]):
        name = f"{len(drawn)}.npz"
        command("generate", f"run={unlabelled}", f"out={name}", *settings).worked()
        drawn.append(arrays(command.folder / name)["x"])
    assert np.array_equal(drawn[0][:7], drawn[1])
    assert len({x[:7].tobytes() for x in drawn}) == 3


def test_all_formats_hold_the_same_series(command: Command, labelled: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(labelled, tmp_path / "with_rate"))
    facts = json.loads((run / "run.json").read_text("utf-8"))
    facts["dataset"] |= {"fs_hz": 125.0, "unit": "mV"}
    (run / "run.json").write_text(json.dumps(facts), "utf-8")
    for out in ("s.npz", "s.csv", "s"):
        command("generate", f"run={run}", f"out={out}", "n=12", "fold=1").worked()
    found = arrays(tmp_path / "s.npz")
    assert (str(found["unit"]), float(found["fs_hz"]), tuple(found["classes"])) == ("mV", 125.0, CLASSES)
    table = pd.read_csv(tmp_path / "s.csv", float_precision="round_trip")
    assert table.pop("label").tolist() == found["label"].tolist()
    assert np.array_equal(table.to_numpy(np.float32), found["x"][:, 0])
    for i in range(12):
        record = wfdb.rdrecord(str(tmp_path / "s" / f"{i:02d}"))
        assert np.allclose(record.p_signal[:, 0], found["x"][i, 0], atol=1e-3)
        assert f"class: {CLASSES[found['label'][i]]}" in record.comments


def test_classes_are_as_frequent_as_in_training(command: Command, labelled: Path) -> None:
    command("generate", f"run={labelled}", "fold=1", "out=s.npz", "n=4000").worked()
    found = arrays(command.folder / "s.npz")
    counts = np.array(json.loads((labelled / "run.json").read_text("utf-8"))["folds"]["fold_1"]["spec"]["class_counts"])
    assert counts.tolist() == [64, 8, 8]
    shares = np.bincount(found["label"], minlength=3) / 4000
    assert np.abs(shares - counts / 80).max() < 4 * np.sqrt(0.25 / 4000)


@pytest.mark.parametrize(("wanted", "number"), [("noise", 1), ("2", 2), ("normal", 0)])
def test_one_class(command: Command, labelled: Path, wanted: str, number: int) -> None:
    command("generate", f"run={labelled}", "fold=1", "out=s.npz", "n=9", f"class={wanted}").worked()
    assert arrays(command.folder / "s.npz")["label"].tolist() == [number] * 9


def test_two_classes_where_the_model_was_told_no_more(
    command: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = ("model.conditional=true", "data.labels=binary", "split.only=[0]")
    run = trained(tmp_path_factory.mktemp("binary"), *settings)
    command("generate", f"run={run}", "out=s.npz", "n=5", "class=abnormal").worked()
    found = arrays(command.folder / "s.npz")
    assert found["classes"].tolist() == ["normal", "abnormal"]
    assert found["label"].tolist() == [1] * 5


@pytest.mark.parametrize("transform", ["minmax", "fourier", "none"])
def test_series_have_the_shape_of_the_data(
    command: Command, tmp_path_factory: pytest.TempPathFactory, transform: str
) -> None:
    """Also where the model sees spectra of 2 x 17."""
    run = trained(tmp_path_factory.mktemp(transform), f"transform={transform}", "split.only=[0]")
    command("generate", f"run={run}", "out=s.npz", "n=50").worked()
    assert arrays(command.folder / "s.npz")["x"].shape == (50, 1, 32)


def test_the_transform_is_undone(command: Command, copy: Path) -> None:
    """With other amplitudes in ``transform.json``, as if the training series had been so, series have those."""
    command("generate", f"run={copy}", "out=a.npz", "n=20").worked()
    file = copy / "fold_0" / "transform.json"
    state = json.loads(file.read_text("utf-8"))
    low, width = state["usual_low"][0], state["usual_width"][0]
    file.write_text(json.dumps(state | {"usual_low": [5.0], "usual_width": [3.0]}), "utf-8")
    facts = json.loads((copy / "run.json").read_text("utf-8"))
    facts["folds"]["fold_0"]["transform"] = sha256_of(file)
    (copy / "run.json").write_text(json.dumps(facts), "utf-8")
    command("generate", f"run={copy}", "out=b.npz", "n=20").worked()
    a, b = (arrays(command.folder / name)["x"] for name in ("a.npz", "b.npz"))
    assert np.allclose((b - 5) / 3, (a - low) / width, atol=1e-5)


def test_a_notebook_gets_the_same_file(command: Command, unlabelled: Path) -> None:
    command("generate", f"run={unlabelled}", "out=a.npz", "n=9", "seed=4").worked()
    about = generate(Request(unlabelled, command.folder / "b.npz", n=9, seed=4))
    assert (about.n, about.channels, about.seq_len, about.classes) == (9, 1, 32, None)
    assert (command.folder / "a.npz").read_bytes() == (command.folder / "b.npz").read_bytes()


WRONG: dict[str, tuple[list[str], int, tuple[str, ...]]] = {
    "no run": (["out=a.npz"], 2, ("Which run?", "run=<directory>")),
    "empty run": (["run=", "out=a.npz"], 2, ("Which run?",)),
    "no out": (["run=RUN"], 2, ("Where to?", "out=<name>.npz")),
    "misspelt setting": (["run=RUN", "out=a.npz", "sed=3"], 2, ("'sed'", "did you mean 'seed'?")),
    "not key=value": (["run=RUN", "out=a.npz", "noise"], 2, ("'noise'",)),
    "twice": (["run=RUN", "out=a.npz", "n=3", "n=4"], 2, ("n is given twice",)),
    "n is no number": (["run=RUN", "out=a.npz", "n=many"], 2, ("n is 'many'", "at least 1")),
    "no series": (["run=RUN", "out=a.npz", "n=0"], 2, ("n is '0'",)),
    "negative seed": (["run=RUN", "out=a.npz", "seed=-1"], 2, ("seed is '-1'", "at least 0")),
    "fractional fold": (["run=RUN", "out=a.npz", "fold=0.5"], 2, ("fold is '0.5'",)),
    "unknown fold": (["run=RUN", "out=a.npz", "fold=2"], 1, ("no trained fold 2", "it has 0, 1")),
    "unknown ending": (["run=RUN", "out=a.mat"], 2, ("'.mat'", ".npz or .csv")),
    "records without a rate": (["run=RUN", "out=a"], 1, ("need a sampling rate",)),
    "no run there": (["run=nowhere", "out=a.npz"], 1, ("nowhere is no run directory",)),
    "class": (["run=RUN", "out=a.npz", "class=noise"], 2, ("does not tell classes apart", "model.conditional=true")),
}


@pytest.mark.parametrize(("arguments", "code", "parts"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_refused(
    command: Command, unlabelled: Path, arguments: list[str], code: int, parts: tuple[str, ...]
) -> None:
    words = [word.replace("RUN", str(unlabelled)) for word in arguments]
    command("generate", *words).refused(code, *parts)
    assert left_in(command.folder) == []


@pytest.mark.parametrize(
    ("wanted", "part"),
    [("nois", "did you mean 'noise'?"), ("3", "There is no class '3'"), ("-1", "There is no class '-1'"), ("", "''")],
)
def test_a_class_that_does_not_exist(command: Command, labelled: Path, wanted: str, part: str) -> None:
    command("generate", f"run={labelled}", "fold=1", "out=a.npz", f"class={wanted}").refused(2, part)


def test_a_class_without_training_series(command: Command, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = ("model.conditional=true", "split.abnormal=test", "split.only=[0]")
    run = trained(tmp_path_factory.mktemp("normal"), *settings)
    command("generate", f"run={run}", "out=a.npz", "class=noise").refused(2, "No training series", "'noise'")
    command("generate", f"run={run}", "out=a.npz", "n=20").worked()
    assert arrays(command.folder / "a.npz")["label"].tolist() == [0] * 20


def test_what_exists_is_not_overwritten(command: Command, unlabelled: Path) -> None:
    (command.folder / "a.csv").write_text("mine")
    command("generate", f"run={unlabelled}", "out=a.csv").refused(1, "a.csv exists and is not overwritten")
    assert (command.folder / "a.csv").read_text() == "mine"


def test_a_model_that_does_not_generate(command: Command, tmp_path: Path, plugin: str) -> None:
    (tmp_path / "silent").mkdir()
    run = trained(tmp_path / "silent", "model=silent", "split.only=[0]")
    command("generate", f"run={run}", "out=a.npz").refused(1, "Silent does not generate series", "dcgan", "vae")
    assert not (command.folder / "a.npz").exists()


def test_a_transform_that_cannot_be_undone_without_data(command: Command, tmp_path: Path) -> None:
    (tmp_path / "white").mkdir()
    run = trained(tmp_path / "white", "transform=whitening", "split.only=[0]")
    command("generate", f"run={run}", "out=a.npz").refused(1, "Whitening", "transform=per_series")


def test_a_damaged_run_is_refused(command: Command, copy: Path) -> None:
    (copy / "fold_0" / "checkpoints" / "best.ckpt").write_bytes(b"")
    command("generate", f"run={copy}", "out=a.npz").refused(1, "best.ckpt is missing or damaged")
    assert not (command.folder / "a.npz").exists()


def test_an_interrupted_command_leaves_nothing(
    command: Command, unlabelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecgan import generation

    def interrupted(*_: object) -> Iterator[tuple[np.ndarray, None]]:
        yield np.zeros((10, 1, 32), np.float32), None
        raise KeyboardInterrupt

    monkeypatch.setattr(generation, "draw_series", interrupted)
    outcome = command("generate", f"run={unlabelled}", "out=a.npz")
    assert (outcome.code, outcome.err) == (130, "")
    assert left_in(command.folder) == []
