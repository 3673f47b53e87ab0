"""A run that was killed, at an epoch's end or anywhere else, goes on and ends with the bytes of an undisturbed one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ecgan import assembly, report
from ecgan import fold as folds
from ecgan.checkpointing import BestCheckpoint
from ecgan.config import compose
from ecgan.detect.callback import DetectionCallback
from ecgan.errors import DivergedError, IncompleteError
from ecgan.experiment import resume, run
from ecgan.interruption import StopsWhenAsked
from ecgan.ownership import is_owned
from ecgan.provenance import read_facts
from ecgan.track.going_on import LastCheckpoint, epochs_of
from killing import killed_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process that is to be killed is forked")

SMALL = ("dataset=sine", "dataset.n_series=240", "dataset.seq_len=32", "split.folds=2", "split.only=[0]")
QUIET = ("trainer.figures=false", "trainer.progress_bar=false", "trainer.max_epochs=4", "trainer.threads=1")
PLATEAU = "{_target_:torch.optim.lr_scheduler.ReduceLROnPlateau,_partial_:true,patience:0,factor:0.5,threshold:10.0}"
MODELS = {
    "autoencoder": ("model=autoencoder", "detector=[reconstruction]", "generation.n=60"),
    "beatgan": ("model=beatgan", "detector=[reconstruction]", "generation.n=0"),
    "dcgan": ("model=dcgan", "detector=[knn]", "model.n_critic=2", "model.ema=0.9", "generation.n=60"),
    "patient": ("model=vae", "detector=[knn]", "trainer.patience=1", "generation.every=2", "generation.n=60"),
    "cnn": ("model=cnn", "detector=[knn]", "model.scheduler.T_max=4"),
    "last": ("model=autoencoder", "detector=[knn]", "trainer.weights=last", "+model.optimizer.maximize=true"),
    "plateau": ("model=autoencoder", "detector=[knn]", "~model.scheduler", f"+model.scheduler={PLATEAU}"),
}


class Runs:
    """Runs on the same data, and what they come to undisturbed."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.made: dict[tuple[str, ...], Path] = {}

    def start(self, directory: Path, *settings: str) -> None:
        """Run."""
        run(compose([*SMALL, *QUIET, *settings, f"paths.data={self.data}", "paths.mirror=null"]), directory)

    def undisturbed(self, *settings: str) -> Path:
        """Directory of an undisturbed run, made once."""
        if settings not in self.made:
            self.made[settings] = self.data / f"whole_{len(self.made)}"
            self.start(self.made[settings], *settings)
        return self.made[settings]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("data"))


def last(directory: Path, fold: str) -> dict[str, Any]:
    """``last.ckpt`` without the time that the training took."""
    content: dict[str, Any] = torch.load(directory / fold / folds.LAST, weights_only=True)
    del content["callbacks"]["LastCheckpoint"]["seconds"]
    return content


def same(one: Any, other: Any) -> bool:
    """Compare tensors and primitives, down to the last bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def assert_same(directory: Path, whole: Path) -> None:
    """Assert that two runs have the same files, results, logs, weights, and random numbers to come."""
    found, expected = (
        {str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()} for one in (directory, whole)
    )
    assert found == expected
    compared = [name for name in found if name.endswith((".csv", "best.ckpt", "transform.json", "threshold.json"))]
    for name in (*compared, "splits.json", "summary.json"):
        assert (directory / name).read_bytes() == (whole / name).read_bytes(), name
    for fold in whole.glob("fold_*"):
        assert same(last(directory, fold.name), last(whole, fold.name))
    facts = read_facts(directory)
    assert facts["status"] == "finished"
    assert "error" not in facts


def in_epoch(number: int) -> Callable[..., bool]:
    return lambda _, trainer, *__: trainer.current_epoch == number and trainer.state.fn == "fit"


@pytest.mark.parametrize(("weights", "epoch"), [("best", 0), ("last", 3)])
def test_the_weights_that_were_asked_for_are_judged(weights: str, epoch: int, runs: Runs) -> None:
    """The loss rises from epoch to epoch, so that the best weights are the first ones."""
    directory = runs.undisturbed(*MODELS["last"][:2], f"trainer.weights={weights}", MODELS["last"][3])
    assert torch.load(directory / "fold_0" / folds.BEST, weights_only=True)["epoch"] == epoch


@pytest.mark.parametrize("name", MODELS)
def test_after_a_kill_at_an_epochs_end_all_is_the_same(runs: Runs, name: str, tmp_path: Path) -> None:
    settings, directory, epochs = MODELS[name], tmp_path / "run", 1 if name == "patient" else 2
    whole = runs.undisturbed(*settings)
    killed_in(
        lambda: runs.start(directory, *settings), StopsWhenAsked, "on_train_batch_start", in_epoch(epochs)
    )  # before the first step
    assert read_facts(directory)["status"] == "running"
    assert not is_owned(directory)
    resume(directory)
    assert_same(directory, whole)
    facts = read_facts(directory)
    assert facts["folds"]["fold_0"]["resumed_after"] == epochs
    assert [entry["from"] for entry in facts["resumed"]] == ["running"]


def writes_second(path: Path, target: Path) -> bool:
    return target.name == "last.ckpt" and target.exists() and epochs_of(target) == 1


MOMENTS: dict[str, tuple[Any, str, Any, bool]] = {
    "before the data are there": (assembly, "open_data", 1, False),
    "in the first epoch": (StopsWhenAsked, "on_train_batch_end", 1, False),
    "in the third epoch": (StopsWhenAsked, "on_train_batch_end", in_epoch(2), False),
    "while a checkpoint is written": (Path, "replace", writes_second, False),
    "with best weights that are ahead": (BestCheckpoint, "on_validation_end", 2, True),
    "after the training": (LastCheckpoint, "on_train_end", 1, True),
    "in the test": (DetectionCallback, "on_test_end", 1, False),
    "after the fold": (folds, "_record_fold", 1, True),
    "in the report": (report, "write", 1, False),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_a_kill_at_any_moment_all_is_the_same(runs: Runs, moment: str, tmp_path: Path) -> None:
    settings, directory = MODELS["patient"], tmp_path / "run"
    owner, name, call, after = MOMENTS[moment]
    killed_in(lambda: runs.start(directory, *settings), owner, name, call, after)
    assert read_facts(directory)["status"] == "running"
    resume(directory)
    assert_same(directory, runs.undisturbed(*settings))


def test_a_training_that_stopped_early_is_not_trained_on(runs: Runs, tmp_path: Path) -> None:
    settings = (*MODELS["autoencoder"], "model.optimizer.lr=1e-20", "trainer.patience=1", "trainer.max_epochs=9")
    whole, directory = runs.undisturbed(*settings), tmp_path / "run"
    assert (epochs_of(whole / "fold_0" / folds.LAST) or 9) < 9, "it was to stop early"
    killed_in(lambda: runs.start(directory, *settings), LastCheckpoint, "on_train_end", after=True)
    resume(directory)
    assert_same(directory, whole)


def test_several_kills_in_several_folds(runs: Runs, tmp_path: Path) -> None:
    settings, directory = (*MODELS["autoencoder"], "split.only=[0,1]", "trainer.max_epochs=2"), tmp_path / "run"
    killed_in(lambda: runs.start(directory, *settings), StopsWhenAsked, "on_train_batch_end", in_epoch(1))
    killed_in(lambda: resume(directory), DetectionCallback, "on_test_end")
    killed_in(lambda: resume(directory), StopsWhenAsked, "on_train_batch_end", in_epoch(1))  # of the second fold
    seconds = read_facts(directory)["folds"]["fold_0"]["fit_s"]
    weights = (directory / "fold_0" / folds.BEST).stat().st_mtime_ns
    resume(directory)
    assert_same(directory, runs.undisturbed(*settings))
    assert (directory / "fold_0" / folds.BEST).stat().st_mtime_ns == weights, "done once"
    facts = read_facts(directory)
    assert len(facts["resumed"]) == 3
    assert facts["folds"]["fold_0"]["fit_s"] == seconds
    held = torch.load(directory / "fold_0" / folds.LAST, weights_only=True)["callbacks"]["LastCheckpoint"]["seconds"]
    assert seconds >= round(held, 3) > 0, "the process that only judged has not forgotten the training"


def test_a_run_that_was_moved_goes_on(runs: Runs, tmp_path: Path) -> None:
    settings = MODELS["dcgan"]
    killed_in(lambda: runs.start(tmp_path / "run", *settings), StopsWhenAsked, "on_train_batch_end", in_epoch(2))
    (tmp_path / "run").rename(tmp_path / "moved")
    resume(tmp_path / "moved")
    assert_same(tmp_path / "moved", runs.undisturbed(*settings))
    assert read_facts(tmp_path / "moved")["folds"]["fold_0"]["resumed_after"] == 2


def test_finished_folds_are_not_repeated_and_failed_ones_are(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    whole = folds._refuse_divergence

    def refuse(best: Any, model: Any) -> None:
        trained.append(1)
        if len(trained) == 1:
            raise DivergedError("It diverged.")
        whole(best, model)

    monkeypatch.setattr(folds, "_refuse_divergence", refuse)
    with pytest.raises(IncompleteError):
        runs.start(tmp_path / "run", *MODELS["autoencoder"], "split.only=[0,1]", "trainer.max_epochs=1")
    weights = (tmp_path / "run" / "fold_1" / folds.BEST).stat().st_mtime_ns
    resume(tmp_path / "run")
    assert len(trained) == 3
    facts = read_facts(tmp_path / "run")
    assert facts["status"] == "finished"
    assert {name: fold["status"] for name, fold in facts["folds"].items()} == {
        "fold_0": "finished",
        "fold_1": "finished",
    }
    assert (tmp_path / "run" / "fold_1" / folds.BEST).stat().st_mtime_ns == weights
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_finished_run_stays_as_it_is(tiny_run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*") if path.is_file()}
    assert resume(tiny_run) == json.loads((tiny_run / "summary.json").read_text(encoding="utf-8"))
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*") if path.is_file()} == before
