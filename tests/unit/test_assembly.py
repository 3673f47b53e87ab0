"""What a run judges generated series with, and the latent vectors that are fitted to its best weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from rich.console import Console

from ecgan import assembly
from ecgan.config import compose
from ecgan.data.store import Store
from ecgan.detect.combined import Combined
from ecgan.detect.detector import Detector
from ecgan.detect.scorers import KNearest, Reconstruction
from ecgan.detect.thresholds import Quantile
from ecgan.generate.callback import GenerationCallback, Judgment
from ecgan.types import DataSpec, Fold
from small_models import changed, made, state


def generation_of(store: Store, fold: Fold, folder: Path, *overrides: str) -> tuple[list[pl.Callback], Any]:
    """What a run would judge with, and its data module."""
    cfg = compose(["dataset=sine", "detector=none", f"paths.data={folder}", *overrides])
    data = assembly.data_module(cfg, store, fold, 0)
    model = made("vae")
    return assembly.generation(cfg, data, model, folder, 3, Console(quiet=True)), data


def toy_fold(store: Store, classes: tuple[int, ...]) -> Fold:
    label = np.asarray(store.label)
    train = np.flatnonzero(np.isin(label, classes))[:40]
    rest = np.setdiff1d(np.arange(len(label)), train)
    return Fold(0, train, rest[:100], rest[100:])


@pytest.mark.parametrize("classes", [(0,), (0, 2)])
def test_classes_that_were_not_trained_on_are_left_out(
    toy_store: Store, tmp_path: Path, classes: tuple[int, ...]
) -> None:
    fold = toy_fold(toy_store, classes)
    (judges,), _ = generation_of(toy_store, fold, tmp_path)
    assert isinstance(judges, GenerationCallback)
    label = np.asarray(toy_store.label)
    for name, index in (("train", fold.train), ("val", fold.val), ("test", fold.test)):
        part = judges.parts[name]
        held = part.__getitems__(list(range(len(part))))
        kept = index[np.isin(label[index], label[fold.train])]
        assert held.index.tolist() == kept.tolist()
    assert set(np.unique(label[fold.val])) == {0, 1, 2}  # there was something to leave out


def test_settings_reach_the_judgment(toy_store: Store, tmp_path: Path) -> None:
    given = ("generation.n=33", "generation.every=4", "generation.bootstrap=9", "trainer.figures=false")
    (judges,), _ = generation_of(toy_store, toy_fold(toy_store, (0,)), tmp_path, *given)
    assert isinstance(judges, GenerationCallback)
    assert judges.how == Judgment(n=33, every=4, bootstrap=9, figures=False, seed=3)
    assert judges.directory == tmp_path / "generation"


def test_none_are_judged_when_none_are_asked_for(toy_store: Store, tmp_path: Path) -> None:
    assert generation_of(toy_store, toy_fold(toy_store, (0,)), tmp_path, "generation.n=0")[0] == []


def test_a_model_that_does_not_generate_is_not_judged(toy_store: Store, tmp_path: Path) -> None:
    _, data = generation_of(toy_store, toy_fold(toy_store, (0,)), tmp_path)
    cfg = compose(["dataset=sine"])
    assert assembly.generation(cfg, data, pl.LightningModule(), tmp_path, 0, Console(quiet=True)) == []


TOY = DataSpec(seq_len=64, channels=1, n_classes=3)


def saved(model: Any, file: Path) -> Path:
    """A checkpoint as Lightning would leave it, as far as it matters here."""
    torch.save({"epoch": 3, "state_dict": model.state_dict(), "kept": [1, "two"]}, file)
    return file


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", ["autoencoder", "beatgan"])
def test_fitted_latents_are_stored_with_the_best_weights(
    toy_store: Store, tmp_path: Path, name: str, conditional: bool
) -> None:
    settings: dict[str, Any] = {"spec": TOY, "distribution": "encoder", "conditional": conditional}
    _, data = generation_of(toy_store, toy_fold(toy_store, (0, 1)), tmp_path)
    best, last, fresh = (made(name, seed=seed, **settings) for seed in range(3))
    weights = saved(best, tmp_path / "best.ckpt")
    assembly.fit_latents(last, data, weights)  # at the end of a fit the model has the weights of the last epoch
    fitted = changed(state(best), state(last))
    assert {"latents.mean", "latents.factor"} <= fitted <= {"latents.mean", "latents.factor", "latents.share"}
    content = torch.load(weights, weights_only=True)
    assert {key: content[key] for key in ("epoch", "kept")} == {"epoch": 3, "kept": [1, "two"]}
    fresh.load_state_dict(content["state_dict"])
    y = torch.arange(8) % 2
    drawn = [one.eval().sample(8, torch.Generator().manual_seed(0), y) for one in (last, fresh)]
    assert torch.equal(*drawn)
    best.eval().fit_latents(data.part(data.fold.train))
    assert torch.equal(best.sample(8, torch.Generator().manual_seed(0), y), drawn[0])
    assert [file.name for file in tmp_path.glob("*.ckpt*")] == ["best.ckpt"]


@pytest.mark.parametrize("name", ["vae", "dcgan"])
def test_nothing_is_stored_where_nothing_is_fitted(toy_store: Store, tmp_path: Path, name: str) -> None:
    _, data = generation_of(toy_store, toy_fold(toy_store, (0,)), tmp_path)
    model = made(name, spec=TOY)
    weights = saved(model, tmp_path / "best.ckpt")
    before = model.state_dict()
    assembly.fit_latents(model, data, weights)
    assert changed(before, torch.load(weights, weights_only=True)["state_dict"]) == set()


def test_the_test_and_validation_parts_play_no_part_in_fitting(toy_store: Store, tmp_path: Path) -> None:
    fold = toy_fold(toy_store, (0,))
    files = []
    for number, other in enumerate((fold, Fold(0, fold.train, fold.test, fold.val))):
        _, data = generation_of(toy_store, other, tmp_path)
        model = made("autoencoder", spec=TOY)
        files.append(saved(model, tmp_path / f"{number}.ckpt"))
        assembly.fit_latents(model, data, files[-1])
    states = [torch.load(file, weights_only=True)["state_dict"] for file in files]
    assert changed(*states) == set()


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ([], "normal_only"),
        (["split.train_on=all"], "train_unlabelled"),
        (["model=beatgan", "model.conditional=true"], "train_labelled"),
        (["model=cnn", "detector=[knn]"], "train_labelled"),
    ],
)
def test_what_a_model_has_seen_counts_for_the_detectors_that_use_it(settings: list[str], seen: str) -> None:
    found = assembly.supervision_of(compose(settings))
    assert found == seen
    for scorer, expected in ((Reconstruction(), seen), (KNearest(), "normal_only")):
        assert Detector("a", scorer, Quantile(), model=found).supervision == expected
    combined = Combined({"a": Reconstruction(), "b": KNearest()})
    assert Detector("a", combined, Quantile(), model=found).supervision == seen
