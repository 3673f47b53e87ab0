"""A training that diverges: it says where and what to try, keeps the last good weights, and spares the other folds."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from commands import TINY, Command, only_run
from ecgan import report
from ecgan.config import compose
from ecgan.errors import DivergedError, IncompleteError
from ecgan.experiment import run
from ecgan.models.autoencoder import Autoencoder

EXPLODING = "{_target_:torch.optim.lr_scheduler.StepLR,_partial_:true,step_size:2,gamma:1e30}"
"""Two epochs at the usual rate, and then at another one."""
CASES = {
    "autoencoder": ("model=autoencoder", "~model.scheduler", f"+model.scheduler={EXPLODING}"),
    "beatgan": ("model=beatgan", f"model.scheduler={EXPLODING}"),
    "generator of a GAN": ("model=dcgan", f"model.scheduler={EXPLODING}"),
    "critic of a GAN": ("model=dcgan", f"model.critic_scheduler={EXPLODING}"),
}
ADVICE = ("model.optimizer.lr", "model.clip_norm", "another transform")


def facts(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "run.json").read_text("utf-8"))
    return content


@pytest.mark.parametrize("model", ["autoencoder", "vae", "dcgan", "vaegan"])
def test_one_sentence_names_model_epoch_and_part_and_what_to_try(command: Command, model: str) -> None:
    names = {"autoencoder": "Autoencoder", "vae": "VAE", "dcgan": "GAN", "vaegan": "VAEGAN"}
    detector = () if model == "dcgan" else ("detector=none",)
    outcome = command("train", *TINY, *detector, f"model={model}", "split=holdout", "model.optimizer.lr=1e30")
    outcome.refused(1, f"fold 0 failed: {names[model]} diverged in epoch 1: the training value '", *ADVICE)
    found = facts(only_run(command.folder))
    assert found["status"] == "failed"
    assert found["folds"]["fold_0"]["status"] == "failed"
    assert f"{names[model]} diverged in epoch 1" in found["folds"]["fold_0"]["error"]
    assert "ended" in found


def exploded(tmp_path: Path, case: str, *overrides: str) -> Path:
    """Run into the divergence and return the run directory."""
    settings = [*TINY, "split=holdout", "detector=none", "trainer.max_epochs=5", *CASES[case]]
    cfg = compose([*settings, f"paths.data={tmp_path}/data", "paths.mirror=null", *overrides])
    with pytest.raises(DivergedError, match="diverged in epoch 3"):
        run(cfg, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("case", CASES)
def test_the_last_good_weights_are_kept(tmp_path: Path, case: str) -> None:
    directory = exploded(tmp_path, case)
    for name in ("best", "last"):
        saved = torch.load(directory / "fold_0" / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert saved["epoch"] <= 1
        assert all(torch.isfinite(value).all() for value in saved["state_dict"].values())
        assert name == "best" or saved["epoch"] == 1
    log = pd.read_csv(directory / "fold_0" / "lightning" / "metrics.csv")
    assert set(log["epoch"]) == {0, 1}
    assert "diverged in epoch 3" in (directory / "ecgan.log").read_text("utf-8")
    assert not list(directory.glob("results.csv")) + list(directory.glob("report.html"))


def test_a_step_after_which_only_validation_can_tell_is_noticed_too(tmp_path: Path) -> None:
    directory = exploded(tmp_path, "autoencoder", "data.batch_size=512")  # one step per epoch: its loss is still finite
    assert "the validation value 'loss' is" in facts(directory)["error"]
    saved = torch.load(directory / "fold_0" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["epoch"] == 1
    assert all(torch.isfinite(value).all() for value in saved["state_dict"].values())


def diverge_in(numbers: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the folds with these numbers, in the order in which they are trained, have an absurd learning rate."""
    usual, trained = Autoencoder.configure_optimizers, iter(range(100))

    def configure(model: Autoencoder) -> Any:
        if next(trained) in numbers:
            model.scheduler = None
            model.optimizer = partial(torch.optim.Adam, lr=1e30)
        return usual(model)

    monkeypatch.setattr(Autoencoder, "configure_optimizers", configure)


@pytest.fixture(params=[0, 1], ids=["the first", "the last"])
def half(request: pytest.FixtureRequest, command: Command, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, int, Any]:
    """A run of two folds one of which diverged: its directory, the number of that fold, and what was on the screen."""
    with monkeypatch.context() as patch:
        diverge_in({request.param}, patch)
        outcome = command("train", *TINY, "detector=[reconstruction,knn]", "generation.n=20", "generation.bootstrap=2")
    return only_run(command.folder), request.param, outcome


def test_a_fold_that_diverges_leaves_the_other_one(half: tuple[Path, int, Any], command: Command) -> None:
    directory, lost, outcome = half
    kept = 1 - lost
    outcome.refused(1, f"fold {lost} failed: Autoencoder diverged in epoch 1", f"folds are in {directory}.", *ADVICE)
    table, _, rest = outcome.out.partition("AUROC")
    assert "Test results, one fold" in table
    assert f"fold {lost} failed and is not counted: Autoencoder diverged" in " ".join(rest.split())
    found = facts(directory)
    assert found["status"] == "incomplete"
    assert found["error"].startswith(f"IncompleteError: fold {lost} failed")
    assert {name: entry["status"] for name, entry in found["folds"].items()} == {
        f"fold_{lost}": "failed",
        f"fold_{kept}": "finished",
    }
    results = pd.read_csv(directory / "results.csv")
    assert set(results["fold"]) == {kept}
    assert set(results["detector"]) == {"-", "reconstruction", "knn"}
    summary = json.loads((directory / "summary.json").read_text("utf-8"))
    assert {entry["n"] for entry in summary["knn"].values()} <= {0, 1}
    page = (directory / "report.html").read_text("utf-8")
    assert f"<li>fold {lost} failed and is not counted: Autoencoder diverged" in page
    assert f"<h2>fold {lost}</h2>" not in page
    assert not list((directory / f"fold_{lost}").glob("detection/*"))
    _later_commands_work_on_the_rest(directory, kept, command)


def _later_commands_work_on_the_rest(directory: Path, kept: int, command: Command) -> None:
    out = command("detect", f"run={directory}").worked()
    assert "2 of 2 predictions equal the run's byte for byte" in out
    again = directory / "detections" / "001"
    assert {path.name for path in again.glob("fold_*")} == {f"fold_{kept}"}
    assert set(pd.read_csv(again / "results.csv")["fold"]) == {kept}
    command("generate", f"run={directory}", f"fold={kept}", "out=some.npz", "n=3").worked()
    refused = command("generate", f"run={directory}", f"fold={1 - kept}", "out=other.npz")
    refused.refused(1, f"no trained fold {1 - kept}", f"it has {kept}")


def test_the_fold_that_is_left_is_the_same_as_without_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = compose([*TINY, f"paths.data={tmp_path}/data", "paths.mirror=null"])
    whole = tmp_path / "whole"
    run(cfg, whole)
    diverge_in({0}, monkeypatch)
    with pytest.raises(IncompleteError):
        run(cfg, tmp_path / "part")
    runs = (whole, tmp_path / "part")
    tables = [(one / "fold_1" / "detection" / "knn" / "predictions.csv").read_bytes() for one in runs]
    assert tables[0] == tables[1]
    results = [report.collect(one).query("fold == 1").reset_index(drop=True) for one in runs]
    pd.testing.assert_frame_equal(*results, check_exact=True)


def test_when_all_folds_diverge_each_is_told(command: Command) -> None:
    outcome = command("train", *TINY, "detector=none", "model.optimizer.lr=1e30")
    outcome.refused(1, "fold 0 failed: Autoencoder diverged", "; fold 1 failed: Autoencoder diverged")
    directory = only_run(command.folder)
    assert facts(directory)["status"] == "failed"
    assert not (directory / "results.csv").exists()
    command("detect", f"run={directory}", "detector=knn").refused(1, "is not finished (status: failed)")


def test_another_error_in_a_fold_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Autoencoder, "configure_optimizers", broken)
    with pytest.raises(ZeroDivisionError):
        run(compose([*TINY, f"paths.data={tmp_path}/data", "paths.mirror=null"]), tmp_path / "run")
    assert facts(tmp_path / "run")["status"] == "failed"
