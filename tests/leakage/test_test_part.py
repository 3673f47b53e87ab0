"""Nothing of the test part reaches weights, transforms, scorers or thresholds.

With one fixed fold, whatever is done to the test rows leaves every fitted file of the run as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_file

from ecgan import provenance
from ecgan.capabilities import Reconstructs
from ecgan.checks import models_with
from ecgan.config import checked, compose
from ecgan.data.sources.sine import Sine
from ecgan.data.store import Store
from ecgan.engine import quiet
from ecgan.experiment import run_fold
from ecgan.types import Fold
from ecgan.usage import conf_dir, options

CHOOSING_NOTHING = {"fixed", "oracle"}
"""The rule that is given a threshold, and the one that is there to see the test part."""
FOR_FEW_SERIES: dict[str, dict[str, float]] = {"quantile": {"q": 0.9}, "extreme_value": {"level": 0.7, "rate": 0.1}}
RULES: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((conf_dir() / "threshold" / f"{name}.yaml").read_text("utf-8")) | FOR_FEW_SERIES.get(name, {})
    for name in options("threshold")
    if name not in CHOOSING_NOTHING
}
WITH_ALL_RULES = ("knn", "pca")
"""Scorers that take no time; the others stand under one rule of each supervision."""
RECONSTRUCTION = ["detector=[reconstruction,lstm_autoencoder,knn,pca]", "detector.reconstruction.scorer.scaled=true"]
NORMAL_ONLY = ("quantile", "mean_std", "mad", "extreme_value")
LABELLED = ("max_f1", "youden", "cost")
SETUPS = {
    "none": "lstm_autoencoder",
    "minmax": "autoencoder",
    "standard": "beatgan",
    "per_series": "autoencoder",
    "robust": "vaegan",
    "whitening": "lstm_autoencoder",
    "fourier": "dcgan",
}
JUDGED = "minmax"
"""Where what is generated is judged too, which takes a second each time."""
GENERATED = "generated series by the validation part"


def config(transform: str, model: str, folder: Path) -> DictConfig:
    """Every rule, and every scorer under some, on a short training."""
    cfg = compose(
        [
            "dataset=sine",
            f"transform={transform}",
            f"model={model}",
            f"paths.data={folder}",
            "paths.mirror=null",
            "trainer=smoke",
            "trainer.max_epochs=2",
            "trainer.limit_train_batches=1.0",  # every training series counts
            "data.batch_size=16",
            f"generation.n={20 if transform == JUDGED else 0}",
            "generation.bootstrap=2",
            *(RECONSTRUCTION if model in models_with(Reconstructs) else ["detector=[lstm_autoencoder,knn,pca]"]),
            "detector.lstm_autoencoder.scorer.epochs=1",
            "detector.knn.scorer.max_train=60",
        ]
    )
    detectors = {
        f"{name}_{rule}": {"scorer": OmegaConf.to_container(node.scorer), "threshold": settings}
        for name, node in cfg.detector.items()
        for rule, settings in RULES.items()
        if name in WITH_ALL_RULES or rule in ("quantile", "max_f1")
    }
    cfg.detector = OmegaConf.create(detectors)
    return checked(cfg)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Sine waves and anomalies in memory."""
    chunk = Sine(240, 32, anomaly_share=0.3).read(Path(), 0)
    manifest = {"classes": list(Sine.classes), "fs_hz": None, "unit": chunk.unit}
    x = np.asarray(chunk.x, np.float32)
    return Store(tmp_path_factory.mktemp("store"), x, np.asarray(chunk.y, np.int64), None, None, manifest)


FOLD = Fold(0, np.arange(0, 120), np.arange(120, 180), np.arange(180, 230))  # 230 to 239 are in no part

Change = Callable[[np.ndarray, np.ndarray], None]


def altered(store: Store, change: Change) -> Store:
    """The same store after ``change`` has had its way with copies of the arrays, and rows of no part are replaced."""
    data, label = np.array(store.data), np.array(store.label)
    change(data, label)
    data[230:], label[230:] = -500, 1
    assert not (np.array_equal(data, store.data) and np.array_equal(label, store.label))
    return replace(store, data=data, label=label)


def trained(cfg: DictConfig, store: Store, directory: Path) -> Path:
    """Run the fold and return its directory."""
    provenance.claim(directory)
    with quiet():
        run_fold(cfg, store, FOLD, directory)
    return directory / "fold_0"


def fitted(fold: Path) -> dict[str, Any]:
    """All that was learned: weights, transform, scorers, thresholds; and how generated series look to validation."""
    weights = torch.load(fold / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    learned = {f"weights {name}": value.numpy() for name, value in weights.items()}
    learned["transform"] = (fold / "transform.json").read_bytes()
    for file in sorted((fold / "detection").glob("*/*")):
        name = f"{file.parent.name} {file.name}"
        if file.name == "threshold.json":
            learned[name] = file.read_bytes()
        elif file.suffix == ".safetensors":
            learned |= {f"{name} {key}": value.numpy() for key, value in load_file(file).items()}
    quality = fold / "generation" / "quality.csv"
    if quality.is_file():
        learned[GENERATED] = [line for line in quality.read_text(encoding="utf-8").splitlines() if line[:4] == "val,"]
        assert learned[GENERATED]
    return learned


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    assert set(one) == set(other)
    return {name for name in one if not np.array_equal(one[name], other[name])}


def predictions(fold: Path) -> dict[str, bytes]:
    return {file.parent.name: file.read_bytes() for file in (fold / "detection").glob("*/predictions.csv")}


@pytest.fixture(scope="module", params=SETUPS)
def setup(request: pytest.FixtureRequest, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A config for one transform, and the fold that was trained with the untouched data."""
    folder = tmp_path_factory.mktemp(request.param)
    cfg = config(request.param, SETUPS[request.param], folder)
    return cfg, trained(cfg, store, folder / "original")


two_setups = pytest.mark.parametrize("setup", ["minmax", "per_series"], indirect=True)


def permute_test_rows(data: np.ndarray, label: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(FOLD.test)
    data[FOLD.test], label[FOLD.test] = data[order], label[order]


def flip_test_labels(data: np.ndarray, label: np.ndarray) -> None:
    label[FOLD.test] = np.where(label[FOLD.test] == 0, 2, 0)


def replace_test_values(data: np.ndarray, label: np.ndarray) -> None:
    data[FOLD.test] = 1000 * np.random.default_rng(1).normal(size=data[FOLD.test].shape)


@pytest.mark.parametrize("change", [permute_test_rows, flip_test_labels, replace_test_values])
def test_nothing_fitted_depends_on_the_test_part(setup: Any, store: Store, tmp_path: Path, change: Change) -> None:
    cfg, original = setup
    again = trained(cfg, altered(store, change), tmp_path / "again")
    assert differing(fitted(original), fitted(again)) == set()
    changed = {name for name, table in predictions(original).items() if predictions(again)[name] != table}
    assert changed == set(cfg.detector)  # the test part itself was scored anew


def replace_a_training_row(data: np.ndarray, label: np.ndarray) -> None:
    row = np.flatnonzero(label[FOLD.train] == 0)[0]
    data[row] = data[row, :, ::-1] * 3 - 4


def replace_validation_normals(data: np.ndarray, label: np.ndarray) -> None:
    rows = FOLD.val[label[FOLD.val] == 0]
    data[rows] = np.random.default_rng(2).normal(size=data[rows].shape)


def replace_validation_anomalies(data: np.ndarray, label: np.ndarray) -> None:
    rows = FOLD.val[label[FOLD.val] != 0]
    data[rows] = 5 * np.random.default_rng(3).normal(size=data[rows].shape)


@two_setups
def test_rows_of_no_part_play_no_part(setup: Any, store: Store, tmp_path: Path) -> None:
    cfg, original = setup
    again = trained(cfg, altered(store, lambda *_: None), tmp_path / "again")
    assert differing(fitted(original), fitted(again)) == set()
    assert predictions(again) == predictions(original)


@two_setups
def test_the_comparison_notices_a_changed_training_row(setup: Any, store: Store, tmp_path: Path) -> None:
    cfg, original = setup
    again = trained(cfg, altered(store, replace_a_training_row), tmp_path / "again")
    found = differing(fitted(original), fitted(again))
    assert any(name.startswith("weights") for name in found)
    assert any(name.startswith("knn_quantile scorer") for name in found)
    assert any(name.startswith("pca_quantile scorer") for name in found)
    assert ("transform" in found) == (cfg.transform._target_.rpartition(".")[2] in ("MinMax", "Standard"))


@two_setups
def test_validation_normals_move_thresholds_but_neither_transforms_nor_scorers(
    setup: Any, store: Store, tmp_path: Path
) -> None:
    cfg, original = setup
    again = trained(cfg, altered(store, replace_validation_normals), tmp_path / "again")
    found = differing(fitted(original), fitted(again))
    assert {"knn_quantile threshold.json", "pca_mean_std threshold.json"} <= found
    assert "transform" not in found
    # the fitted weights may be those of another epoch, and with them the scale of the model's own errors
    assert not [name for name in found if "scorer" in name and not name.startswith("reconstruction")]


@two_setups
def test_validation_anomalies_move_labelled_thresholds_only(setup: Any, store: Store, tmp_path: Path) -> None:
    cfg, original = setup
    again = trained(cfg, altered(store, replace_validation_anomalies), tmp_path / "again")
    found = differing(fitted(original), fitted(again))
    assert {"knn_max_f1 threshold.json", "pca_youden threshold.json"} & found
    labelled = {name for name in found if name.endswith(tuple(f"{rule} threshold.json" for rule in LABELLED))}
    assert found - labelled <= {GENERATED}  # where all classes are trained on, as here, all are compared with


def test_every_rule_that_chooses_is_here() -> None:
    assert set(RULES) == set(NORMAL_ONLY) | set(LABELLED) == set(options("threshold")) - CHOOSING_NOTHING


def test_every_threshold_declares_what_it_has_seen(setup: Any) -> None:
    cfg, original = setup
    for name in cfg.detector:
        content = json.loads((original / "detection" / name / "threshold.json").read_text(encoding="utf-8"))
        blind = name.endswith(NORMAL_ONLY)
        assert content["supervision"] == ("normal_only" if blind else "val_labelled")
        assert (content["n_abnormal"] == 0) == blind


def test_scorers_are_fitted_on_training_normals_only(setup: Any, store: Store, tmp_path: Path) -> None:
    # the fold trains on abnormal series too here, as with split.train_on=all; detectors must not
    cfg, original = setup
    kept = load_file(original / "detection" / "knn_quantile" / "scorer.safetensors")["train"]
    normals = int((store.label[FOLD.train] == 0).sum())
    assert 60 == len(kept) < normals < len(FOLD.train)
    if cfg.transform._target_.endswith("Identity"):
        rows = {row.tobytes() for row in store.data[FOLD.train][store.label[FOLD.train] == 0][:, 0]}
        assert {row.tobytes() for row in kept.numpy()} <= rows
