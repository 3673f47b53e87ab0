"""A training that is killed at an epoch's end and goes on ends with the bytes of one that goes through."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ecgan import fold as folds
from ecgan.config import compose
from ecgan.errors import DivergedError, IncompleteError, Interrupted, RunError
from ecgan.experiment import resume, run
from ecgan.ownership import is_owned, owned
from ecgan.provenance import read_facts

SMALL = ("dataset=sine", "dataset.n_series=240", "dataset.seq_len=32", "split.folds=2", "split.only=[0]")
QUIET = ("trainer.figures=false", "trainer.progress_bar=false", "trainer.max_epochs=4", "trainer.threads=1")
MODELS = {
    "autoencoder": ("model=autoencoder", "detector=[reconstruction]", "generation.n=60"),
    "beatgan": ("model=beatgan", "detector=[reconstruction]", "generation.n=0"),
    "dcgan": ("model=dcgan", "detector=[knn]", "model.n_critic=2", "model.ema=0.9", "generation.n=60"),
    "patient": ("model=vae", "detector=[knn]", "trainer.patience=1", "generation.every=2", "generation.n=60"),
    "cnn": (
        "model=cnn",
        "detector=[knn]",
        "model.scheduler.T_max=4",
    ),
}
KILLED = 77


def settings(name: str, data: Path) -> list[str]:
    return [*SMALL, *QUIET, *MODELS[name], f"paths.data={data}"]


def killed(overrides: list[str], directory: Path, epoch: int, when: str = "on_train_epoch_start") -> None:
    """Run in a process that ends, without any goodbye, when an epoch begins."""
    code = f"""
import os, sys
from pathlib import Path
from ecgan import fold
from ecgan.config import compose
from ecgan.experiment import run
from ecgan.interruption import StopsWhenAsked
from pytorch_lightning import Callback
def die(self, trainer, *_):
    if trainer.state.fn == "fit" and trainer.current_epoch == {epoch}:
        os._exit({KILLED})
setattr(StopsWhenAsked, {when!r}, die)
run(compose({overrides!r}), Path({str(directory)!r}))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == KILLED, done.stderr


def same(first: Path, second: Path) -> None:
    for name in ("results.csv", "fold_0/lightning/metrics.csv", "splits.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    states = [
        torch.load(directory / "fold_0" / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for directory in (first, second)
    ]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("name", MODELS)
def test_after_a_kill_at_an_epochs_end_all_is_the_same(name: str, tmp_path: Path) -> None:
    overrides = settings(name, tmp_path / "data")
    run(compose(overrides), tmp_path / "whole")
    killed(overrides, tmp_path / "killed", 2 if name != "patient" else 1)
    assert read_facts(tmp_path / "killed")["status"] == "running"
    assert not is_owned(tmp_path / "killed")
    resume(tmp_path / "killed")
    same(tmp_path / "whole", tmp_path / "killed")
    facts = read_facts(tmp_path / "killed")
    assert facts["status"] == "finished"
    assert facts["folds"]["fold_0"]["resumed_after"] == (2 if name != "patient" else 1)
    assert [entry["from"] for entry in facts["resumed"]] == ["running"]


def test_after_a_kill_in_the_middle_of_an_epoch_it_is_repeated(tmp_path: Path) -> None:
    overrides = settings("dcgan", tmp_path / "data")
    run(compose(overrides), tmp_path / "whole")
    killed(overrides, tmp_path / "killed", 2, "on_validation_start")
    resume(tmp_path / "killed")
    same(tmp_path / "whole", tmp_path / "killed")


def test_with_a_schedule_that_waits_for_a_plateau_the_fold_begins_anew(tmp_path: Path) -> None:
    """Its step of the last epoch is in no checkpoint: going on would give other rates."""
    plateau = "{_target_: torch.optim.lr_scheduler.ReduceLROnPlateau, _partial_: true, patience: 0, threshold: 1.0}"
    overrides = [*settings("autoencoder", tmp_path / "data"), "~model.scheduler", f"+model.scheduler={plateau}"]
    run(compose(overrides), tmp_path / "whole")
    killed(overrides, tmp_path / "killed", 2)
    resume(tmp_path / "killed")
    same(tmp_path / "whole", tmp_path / "killed")


def test_after_a_kill_in_the_first_epoch_the_fold_begins_anew(tmp_path: Path) -> None:
    overrides = settings("autoencoder", tmp_path / "data")
    run(compose(overrides), tmp_path / "whole")
    killed(overrides, tmp_path / "killed", 0)
    resume(tmp_path / "killed")
    same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("name", ["autoencoder", "patient"])
def test_what_comes_after_the_training_is_repeated(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = settings(name, tmp_path / "data")
    run(compose(overrides), tmp_path / "whole")
    with monkeypatch.context() as context:
        context.setattr(folds, "_judge", lambda *_: (_ for _ in ()).throw(Interrupted(143)))
        with pytest.raises(Interrupted):
            run(compose(overrides), tmp_path / "stopped")
    assert read_facts(tmp_path / "stopped")["status"] == "interrupted"
    resume(tmp_path / "stopped")
    same(tmp_path / "whole", tmp_path / "stopped")


def test_finished_folds_are_not_repeated_and_failed_ones_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = [*settings("autoencoder", tmp_path / "data"), "split.only=[0,1]", "trainer.max_epochs=1"]
    trained: list[int] = []
    whole = folds._refuse_divergence

    def refuse(best: object, model: object) -> None:
        trained.append(1)
        if len(trained) == 1:
            raise DivergedError("It diverged.")
        whole(best, model)  # type: ignore[arg-type]

    monkeypatch.setattr(folds, "_refuse_divergence", refuse)
    with pytest.raises(IncompleteError):
        run(compose(overrides), tmp_path / "run")
    weights = (tmp_path / "run" / "fold_1" / "checkpoints" / "best.ckpt").stat().st_mtime_ns
    resume(tmp_path / "run")
    assert len(trained) == 3
    facts = read_facts(tmp_path / "run")
    assert facts["status"] == "finished"
    assert {name: fold["status"] for name, fold in facts["folds"].items()} == {
        "fold_0": "finished",
        "fold_1": "finished",
    }
    assert (tmp_path / "run" / "fold_1" / "checkpoints" / "best.ckpt").stat().st_mtime_ns == weights
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_finished_run_stays_as_it_is(tiny_run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*") if path.is_file()}
    assert resume(tiny_run) == json.loads((tiny_run / "summary.json").read_text(encoding="utf-8"))
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*") if path.is_file()} == before


def test_a_run_at_work_is_left_to_its_process(tmp_path: Path) -> None:
    overrides = settings("autoencoder", tmp_path / "data")
    killed(overrides, tmp_path / "run", 1)
    with owned(tmp_path / "run"):
        assert is_owned(tmp_path / "run")
        with pytest.raises(RunError, match="Another process works on"):
            resume(tmp_path / "run")
    assert not is_owned(tmp_path / "run")


def test_other_data_are_refused(tmp_path: Path) -> None:
    overrides = settings("autoencoder", tmp_path / "data")
    killed(overrides, tmp_path / "run", 1)
    facts = read_facts(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps(facts | {"splits": "0" * 64}), encoding="utf-8")
    before = (tmp_path / "run" / "splits.json").read_bytes()
    with pytest.raises(RunError, match="are not what they were"):
        resume(tmp_path / "run")
    assert (tmp_path / "run" / "splits.json").read_bytes() == before


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run directory"):
        resume(tmp_path)
