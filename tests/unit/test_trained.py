"""A trained model from a run directory: what was saved, without data, and nothing that was changed since."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from ecgan.errors import ConfigError, RunError
from ecgan.files import sha256_of
from ecgan.trained import load_trained


@pytest.fixture
def copy(tiny_run: Path, tmp_path: Path) -> Path:
    """A run to be changed, away from its data."""
    return Path(shutil.copytree(tiny_run, tmp_path / "copy"))


@pytest.mark.parametrize("fold", [0, 1])
def test_it_is_what_was_saved(copy: Path, fold: int) -> None:
    trained = load_trained(copy, fold)
    weights = torch.load(copy / f"fold_{fold}" / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert trained.model.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in trained.model.state_dict().items())
    assert not any(module.training for module in trained.model.modules())
    assert (trained.spec.seq_len, trained.spec.channels, trained.spec.n_classes) == (32, 1, 3)
    assert trained.spec.value_range == (-1.0, 1.0)
    assert (trained.shape, trained.unit, trained.fs_hz) == ((1, 32), "1", None)
    assert trained.classes == ("normal", "noise", "superimposed")
    state = json.loads((copy / f"fold_{fold}" / "transform.json").read_text("utf-8"))
    top = trained.transform.inverse(np.ones((1, 1, 32), np.float32))
    assert np.allclose(top, state["usual_low"][0] + state["usual_width"][0])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def without_spec(path: Path) -> None:
    facts = json.loads(path.read_text("utf-8"))
    del facts["folds"]["fold_0"]["spec"]
    path.write_text(json.dumps(facts), "utf-8")


def with_another_spec(path: Path) -> None:
    facts = json.loads(path.read_text("utf-8"))
    facts["folds"]["fold_0"]["spec"]["seq_len"] = 64
    path.write_text(json.dumps(facts), "utf-8")


def with_failed_fold(path: Path) -> None:
    facts = json.loads(path.read_text("utf-8")) | {"status": "incomplete"}
    facts["folds"]["fold_0"] = {"status": "failed"}
    path.write_text(json.dumps(facts), "utf-8")


def unfinished(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"status": "failed"}), "utf-8")


DAMAGED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated checkpoint": ("fold_0/checkpoints/best.ckpt", cut, "best.ckpt is missing or damaged"),
    "no checkpoint": ("fold_0/checkpoints/best.ckpt", Path.unlink, "best.ckpt is missing or damaged"),
    "changed transform": ("fold_0/transform.json", lambda path: path.write_text("{}"), "transform.json is missing or"),
    "no transform": ("fold_0/transform.json", Path.unlink, "transform.json is missing or damaged"),
    "no spec": ("run.json", without_spec, "of an earlier version"),
    "other spec": ("run.json", with_another_spec, "does not fit the model"),
    "fold that failed": ("run.json", with_failed_fold, "no trained fold 0; it has 1."),
    "unfinished": ("run.json", unfinished, "is not finished"),
    "truncated facts": ("run.json", cut, "run.json is damaged"),
    "no facts": ("run.json", Path.unlink, "is no run directory"),
}


@pytest.mark.parametrize(("name", "damage", "part"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_run_is_refused(copy: Path, name: str, damage: Callable[[Path], object], part: str) -> None:
    damage(copy / name)
    with pytest.raises(RunError, match=part):
        load_trained(copy)


def test_a_transform_of_another_class_is_refused(copy: Path) -> None:
    file = copy / "fold_0" / "transform.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"transform": "ecgan.Other"}), "utf-8")
    correct_checksum(copy, "transform", file)
    with pytest.raises(RunError, match="belongs to another transform"):
        load_trained(copy)


@pytest.mark.parametrize("target", ["os.system", "subprocess.Popen"])
def test_a_hostile_config_is_refused(copy: Path, target: str) -> None:
    file = copy / ".hydra" / "config.yaml"
    cfg = yaml.safe_load(file.read_text("utf-8"))
    cfg["model"]["network"]["_target_"] = target
    file.write_text(yaml.safe_dump(cfg), "utf-8")
    with pytest.raises(ConfigError, match=target):
        load_trained(copy)


def test_a_checkpoint_is_not_unpickled(copy: Path, tmp_path: Path) -> None:
    """A file that would run code when it is unpickled, with the right checksum."""

    class Hostile:
        def __reduce__(self) -> tuple[Callable[[Path], object], tuple[Path]]:
            return Path.touch, (tmp_path / "owned",)

    weights = copy / "fold_0" / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": Hostile()}, weights)
    correct_checksum(copy, "weights", weights)
    with pytest.raises(RunError, match="holds something else than weights"):
        load_trained(copy)
    assert not (tmp_path / "owned").exists()


def correct_checksum(run: Path, name: str, file: Path) -> None:
    """Make ``run.json`` say that the file is as it was written."""
    facts = json.loads((run / "run.json").read_text("utf-8"))
    facts["folds"]["fold_0"][name] = sha256_of(file)
    (run / "run.json").write_text(json.dumps(facts), "utf-8")
