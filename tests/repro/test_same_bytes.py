"""The same command gives the same bytes, whatever ran before and in whichever process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from ecgan.config import build
from ecgan.data.store import open_store
from ecgan.evaluate.predictions import read_predictions
from ecgan.losses import reconstruction_error
from ecgan.models.autoencoder import Autoencoder
from ecgan.types import Batch, DataSpec

Execute = Callable[..., Path]
SAME = (
    "predictions.csv",
    "validation.csv",
    "threshold.json",
    "metrics.json",
    "transform.json",
    "metrics.csv",
    "scorer.safetensors",
)
SAME += ("quality.csv", "samples.npz")


def contents(directory: Path, names: tuple[str, ...] = SAME) -> dict[str, bytes]:
    files = [path for path in directory.rglob("*") if path.name in names]
    assert files
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def weights(fold: Path, name: str = "best.ckpt") -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(fold / "checkpoints" / name, weights_only=True)["state_dict"]
    return state


def same_weights(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def by_command(workspace: Path, settings: tuple[str, ...]) -> Path:
    """The run of ``full``, by the console script in a process of its own with another hash seed."""
    directory = workspace / "by_command"
    program = "import sys; sys.argv[0] = 'ecgan-train'; from ecgan.cli import train; train()"
    environment = {key: value for key, value in os.environ.items() if key != "ECGAN_MIRROR"}
    subprocess.run(
        [sys.executable, "-c", program, *settings, f"hydra.run.dir={directory}"],
        cwd=workspace,
        env=environment | {"PYTHONHASHSEED": "12345"},
        check=True,
        capture_output=True,
    )
    return directory


def test_the_same_config_twice_gives_the_same_bytes(full: Path, execute: Execute) -> None:
    again = execute("again")
    assert contents(again) == contents(full)
    for name in ("results.csv", "splits.json", "summary.json", ".hydra/config.yaml"):
        assert (again / name).read_bytes() == (full / name).read_bytes()
    assert all(same_weights(again / f"fold_{k}", full / f"fold_{k}") for k in range(3))


def test_another_process_gives_the_same_bytes(full: Path, by_command: Path) -> None:
    assert contents(by_command) == contents(full)
    for name in ("results.csv", "splits.json", "summary.json"):
        assert (by_command / name).read_bytes() == (full / name).read_bytes()


def test_the_command_records_what_was_composed(by_command: Path, settings: tuple[str, ...]) -> None:
    overrides = OmegaConf.load(by_command / ".hydra" / "overrides.yaml")
    assert set(settings) <= set(overrides)
    assert OmegaConf.load(by_command / ".hydra" / "config.yaml").dataset.n_series == 240
    assert OmegaConf.load(by_command / ".hydra" / "hydra.yaml").hydra.run.dir == str(by_command)


def test_one_fold_alone_equals_that_fold_of_the_full_run(full: Path, execute: Execute) -> None:
    alone = execute("alone", "split.only=[1]")
    assert [path.name for path in sorted(alone.glob("fold_*"))] == ["fold_1"]
    assert contents(alone / "fold_1") == contents(full / "fold_1")
    assert same_weights(alone / "fold_1", full / "fold_1")
    of_fold = [line for line in (full / "results.csv").read_text("utf-8").splitlines() if line.startswith("1,")]
    assert (alone / "results.csv").read_text("utf-8").splitlines()[1:] == of_fold
    splits = [json.loads((run / "splits.json").read_text("utf-8")) for run in (alone, full)]
    assert splits[0]["folds"] == splits[1]["folds"]
    assert splits[0]["sha256"] == splits[1]["sha256"]


GENERATING = {
    "dcgan": ("model=dcgan", "model.conditional=true"),
    "vaegan": ("model=vaegan", "model.ema=0.9", "loss@model.adversarial=wgan_gp"),
    "rgan": ("model=rgan", "model.critic.spectral_norm=true", "model.init=he"),
}


@pytest.mark.parametrize("name", GENERATING)
def test_models_that_draw_noise_give_the_same_bytes_again(name: str, execute: Execute) -> None:
    given = ("split=holdout", "trainer.max_epochs=2", "detector=[knn]", "generation.n=20", *GENERATING[name])
    one, other = (execute(f"{name}_{number}", *given) for number in ("once", "again"))
    assert contents(one) == contents(other)
    assert (one / "results.csv").read_bytes() == (other / "results.csv").read_bytes()
    assert same_weights(one / "fold_0", other / "fold_0")


def test_judging_after_every_epoch_changes_nothing_else(full: Path, execute: Execute) -> None:
    often = execute("judged_often", "generation.every=1", "split.only=[0]")
    assert same_weights(often / "fold_0", full / "fold_0")
    unlogged = tuple(name for name in SAME if name != "metrics.csv")
    assert contents(often / "fold_0", unlogged) == contents(full / "fold_0", unlogged)
    log = pd.read_csv(often / "fold_0" / "lightning" / "metrics.csv")
    assert log.dropna(subset=["val/generated_mmd"])["epoch"].tolist() == [0, 1, 2]


def test_folds_differ_from_each_other(full: Path) -> None:
    assert not same_weights(full / "fold_0", full / "fold_1")
    assert contents(full / "fold_0") != contents(full / "fold_1")


def test_the_seed_changes_folds_and_weights_and_the_data_not(full: Path, execute: Execute) -> None:
    other = execute("other_seed", "seed=1", "split.only=[0]")
    facts = [json.loads((run / "run.json").read_text("utf-8")) for run in (other, full)]
    assert facts[0]["splits"] != facts[1]["splits"]
    assert facts[0]["dataset"] == facts[1]["dataset"]
    assert not same_weights(other / "fold_0", full / "fold_0")


def test_the_split_can_stay_while_the_seed_changes(full: Path, execute: Execute) -> None:
    other = execute("other_weights", "seed=1", "split.seed=0", "split.only=[0]")
    facts = [json.loads((run / "run.json").read_text("utf-8")) for run in (other, full)]
    assert facts[0]["splits"] == facts[1]["splits"]
    assert not same_weights(other / "fold_0", full / "fold_0")


def test_validation_does_not_depend_on_the_evaluation_batch_size(full: Path, execute: Execute) -> None:
    small = execute("small_batches", "data.eval_batch_size=7", "split.only=[0]")
    tables = [pd.read_csv(run / "results.csv").query("fold == 0 and metric == 'loss'") for run in (small, full)]
    np.testing.assert_allclose(tables[0]["value"], tables[1]["value"], rtol=1e-5)
    for file in (small / "fold_0" / "detection").glob("*/threshold.json"):
        values = [json.loads((run / file.relative_to(small)).read_text("utf-8"))["value"] for run in (small, full)]
        assert values[0] == pytest.approx(values[1], rel=1e-5)
    for file in (small / "fold_0" / "detection").glob("*/predictions.csv"):
        one, other = read_predictions(file), read_predictions(full / file.relative_to(small))
        np.testing.assert_allclose(one["score"], other["score"], rtol=1e-4)


@torch.no_grad()
def by_hand(fold: Path, part: str, checkpoint: str = "best.ckpt") -> tuple[float, torch.Tensor, list[int]]:
    """Loss of the normals, scores and indices of one part, from the files of a run alone."""
    run = fold.parent
    cfg = OmegaConf.load(run / ".hydra" / "config.yaml")
    facts = json.loads((run / "run.json").read_text("utf-8"))
    store = open_store(run.parent / "data" / "sine" / "processed" / facts["dataset"]["hash"][:16])
    model = build(cfg.model, spec=DataSpec(32, 1, 3, None, (-1.0, 1.0)))
    model.load_state_dict(weights(fold, checkpoint))
    splits = json.loads((run / "splits.json").read_text("utf-8"))["folds"]
    index = splits[int(fold.name.removeprefix("fold_"))][part]
    x = torch.from_numpy(np.array(store.data[index]))
    low, high = x.amin(2, keepdim=True), x.amax(2, keepdim=True)
    x = (x - low) / (high - low) * 2 - 1
    x_hat = model.eval().reconstruct(x)
    normal = torch.from_numpy(store.label[index] == 0)
    loss = reconstruction_error(x[normal], x_hat[normal], "l2").mean()
    return float(loss), reconstruction_error(x, x_hat, "l1"), index


@pytest.mark.parametrize("number", range(3))
def test_losses_and_scores_follow_from_the_files(full: Path, number: int) -> None:
    fold = full / f"fold_{number}"
    results = pd.read_csv(full / "results.csv").query(f"fold == {number} and metric == 'loss'").set_index("split")
    for part in ("val", "test"):
        assert results.loc[part, "value"] == pytest.approx(by_hand(fold, part)[0], rel=1e-5)
    _, scores, index = by_hand(fold, "test")
    table = read_predictions(fold / "detection" / "reconstruction" / "predictions.csv")
    assert table["index"].tolist() == index
    np.testing.assert_allclose(table["score"], scores, rtol=1e-4)


def test_the_weights_of_the_best_epoch_are_tested_and_not_the_last(
    execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_then_rise(model: Autoencoder, batch: Batch) -> None:
        model.log_epoch({"val/loss": torch.tensor(abs(model.current_epoch - 1.0))}, batch)

    monkeypatch.setattr(Autoencoder, "validation_step", fall_then_rise)
    fold = execute("restless", "split.only=[0]") / "fold_0"
    epochs = [torch.load(fold / "checkpoints" / f"{name}.ckpt")["epoch"] for name in ("best", "last")]
    assert epochs == [1, 2]
    table = read_predictions(fold / "detection" / "reconstruction" / "predictions.csv")
    best, last = (by_hand(fold, "test", f"{name}.ckpt")[1].numpy() for name in ("best", "last"))
    np.testing.assert_allclose(table["score"], best, rtol=1e-4)
    assert not np.allclose(table["score"], last, rtol=1e-4)


def plain(content: Any) -> bool:
    """Tensors and primitives only."""
    if isinstance(content, dict):
        return all(plain(value) for pair in content.items() for value in pair)
    if isinstance(content, list | tuple):
        return all(map(plain, content))
    return content is None or type(content) in (bool, int, float, str, torch.Tensor)


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_checkpoints_hold_nothing_that_needs_unpickling(full: Path, name: str) -> None:
    content = torch.load(full / "fold_0" / "checkpoints" / name, weights_only=True)
    assert content["state_dict"]
    assert plain(content)
