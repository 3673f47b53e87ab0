"""``ecgan-detect``: a finished run scored again, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from commands import TINY, Command, left_in
from ecgan.files import sha256_of


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(tiny_run, tmp_path / "copy"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_unchanged_it_gives_the_same_bytes(command: Command, run: Path) -> None:
    before = contents(run)
    out = command("detect", f"run={run}").worked()
    assert "2 of 2 predictions equal the run's byte for byte" in out
    again = run / "detections" / "001"
    for fold in ("fold_0", "fold_1"):
        for name in ("predictions.csv", "threshold.json", "metrics.json"):
            path = f"{fold}/detection/knn/{name}"
            assert (again / path).read_bytes() == before[path]
    assert {name: before[name] for name in before} == {name: contents(run)[name] for name in before}


def test_each_detection_gets_a_folder_of_its_own(command: Command, run: Path) -> None:
    command("detect", f"run={run}").worked()
    command("detect", f"run={run}").worked()
    assert sorted(path.name for path in (run / "detections").iterdir()) == ["001", "002"]
    command("detect", f"run={run}", "out=elsewhere").worked()
    assert (command.folder / "elsewhere" / "summary.json").is_file()


@pytest.mark.parametrize(
    ("settings", "detectors", "equal"),
    [
        (["detector=knn"], ["knn"], True),
        (["detector=[knn,pca,reconstruction]"], ["knn", "pca", "reconstruction"], True),
        (["threshold=max_f1"], ["knn"], False),
        (["threshold.q=0.5"], ["knn"], False),
        (["threshold=fixed", "threshold.value=0.25", "threshold.supervision=oracle"], ["knn"], False),
        (["detector.knn.scorer.k=3"], ["knn"], False),
        (["detector=knn", "detector.knn.scorer.k=3", "threshold=youden"], ["knn"], False),
        (["data.eval_batch_size=7"], ["knn"], True),
        (["paths.mirror=null", "trainer.threads=1"], ["knn"], True),
    ],
    ids=str,
)
def test_other_detectors_and_thresholds(
    command: Command, run: Path, settings: list[str], detectors: list[str], equal: bool
) -> None:
    command("detect", f"run={run}", *settings).worked()
    new = run / "detections" / "001"
    assert sorted({file.parent.name for file in new.rglob("predictions.csv")}) == detectors
    name = "fold_0/detection/knn/predictions.csv"
    was, now = pd.read_csv(run / name), pd.read_csv(new / name)
    assert was["index"].equals(now["index"])
    assert was["score"].equals(now["score"]) == (not any("scorer.k" in setting for setting in settings))
    assert was["threshold"].equals(now["threshold"]) == equal


def test_supervision_follows_the_rule(command: Command, run: Path) -> None:
    command("detect", f"run={run}", "threshold=max_f1").worked()
    threshold = json.loads((run / "detections/001/fold_0/detection/knn/threshold.json").read_text())
    assert (threshold["rule"], threshold["supervision"]) == ("MaxF1", "val_labelled")
    assert threshold["n_abnormal"] > 0


REFUSED: dict[str, tuple[list[str], str]] = {
    "misspelt section": (["detektor=knn"], "did you mean 'detector'?"),
    "misspelt option": (["detector=knnn"], "did you mean 'knn'?"),
    "misspelt key": (["detector.knn.scorer.kk=3"], "did you mean 'k'?"),
    "misspelt key of a chosen detector": (["detector=pca", "detector.pca.scorer.component=3"], "'components'"),
    "detector that is not chosen": (["detector.pca.scorer.components=3"], "'detector.pca'"),
    "misspelt framework key": (["trainer.thread=1"], "trainer.threads"),
    "type": (["detector.knn.scorer.k=five"], "a whole number"),
    "type in a section": (["data.eval_batch_size=big"], "data.eval_batch_size"),
    "value": (["threshold.q=2"], "between 0 and 1"),
    "value missing": (["threshold=fixed"], "threshold.value has no value yet"),
    "hostile class": (["detector.knn.scorer._target_=os.system"], "outside the allowed packages"),
    "training": (["trainer.max_epochs=3"], "belongs to the run"),
    "seed of the run": (["seed=3"], "belongs to the run"),
    "part of the run": (["model.network.latent=3"], "belongs to the run"),
    "group of the run": (["transform=standard"], "belongs to the run"),
    "folds of the run": (["split.folds=3"], "belongs to the run"),
    "nothing to score with": (["detector=none"], "no detector"),
    "not key=value": (["knn"], "'knn'"),
}


@pytest.mark.parametrize(("settings", "part"), REFUSED.values(), ids=REFUSED)
def test_wrong_settings_are_refused(command: Command, run: Path, settings: list[str], part: str) -> None:
    command("detect", f"run={run}", *settings).refused(2, part)
    assert not (run / "detections").exists()


@pytest.mark.parametrize("arguments", [[], ["run="], ["knn"], ["--run", "x"], ["detector=knn"]])
def test_a_run_must_be_named(command: Command, arguments: list[str]) -> None:
    command("detect", *arguments).refused(2, "Which run?", "run=<directory>")


@pytest.mark.parametrize("name", ["nowhere", ".", "file"])
def test_a_folder_that_is_no_run(command: Command, name: str) -> None:
    (command.folder / "file").write_text("text")
    command("detect", f"run={name}").refused(1, "is no run directory")
    assert left_in(command.folder) == ["file"]


def test_a_folder_that_exists_is_not_overwritten(command: Command, run: Path) -> None:
    before = contents(run)
    command("detect", f"run={run}", f"out={run}").refused(1, "exists and is not overwritten")
    assert contents(run) == before


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated checkpoint": ("fold_0/checkpoints/best.ckpt", cut, "is missing or damaged"),
    "one bit of a checkpoint": ("fold_1/checkpoints/best.ckpt", flip, "is missing or damaged"),
    "no checkpoint": ("fold_1/checkpoints/best.ckpt", Path.unlink, "is missing or damaged"),
    "one bit of a scorer": ("fold_0/detection/knn/scorer.safetensors", flip, "is missing or damaged"),
    "truncated splits": ("splits.json", cut, "splits.json is damaged"),
    "no splits": ("splits.json", Path.unlink, "splits.json is missing"),
    "truncated facts": ("run.json", cut, "run.json is damaged"),
    "no facts": ("run.json", Path.unlink, "is no run directory"),
    "empty facts": ("run.json", lambda path: path.write_text("{}"), "is not finished"),
    "facts of another kind": ("run.json", lambda path: path.write_text("[]"), "is not finished"),
    "facts without folds": ("run.json", lambda path: path.write_text('{"status": "finished"}'), "is damaged"),
    "other transform": ("fold_0/transform.json", lambda path: path.write_text('{"transform": "x"}'), "transform.json"),
    "no transform": ("fold_1/transform.json", Path.unlink, "transform.json is missing"),
}


@pytest.mark.parametrize(("name", "damage", "part"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_run_is_refused(
    command: Command, run: Path, name: str, damage: Callable[[Path], object], part: str
) -> None:
    damage(run / name)
    command("detect", f"run={run}").refused(1, part)
    assert not list(run.glob("detections/*"))


def test_weights_that_do_not_fit_the_config_are_refused(command: Command, run: Path) -> None:
    """Weights and checksum were exchanged together, so that only loading them shows it."""
    weights = run / "fold_0" / "checkpoints" / "best.ckpt"
    content = torch.load(weights, weights_only=True)
    content["state_dict"].popitem()
    torch.save(content, weights)
    facts = json.loads((run / "run.json").read_text())
    facts["folds"]["fold_0"]["weights"] = sha256_of(weights)
    (run / "run.json").write_text(json.dumps(facts))
    command("detect", f"run={run}").refused(1, "best.ckpt does not fit the model")
    assert not list(run.glob("detections/*"))


@pytest.mark.parametrize("target", ["os.system", "ecgan.data.store.hashlib.sha256", "subprocess.Popen"])
def test_a_hostile_run_is_refused(command: Command, run: Path, target: str) -> None:
    """Somebody's run directory names a class that must not be called, in a list inside the model."""
    file = run / ".hydra" / "config.yaml"
    cfg = yaml.safe_load(file.read_text(encoding="utf-8"))
    cfg["model"]["optimizer"]["betas"] = [0.9, {"_target_": target, "args": "touch owned"}]
    file.write_text(yaml.safe_dump(cfg), encoding="utf-8")
    for settings in ([], ["detector=pca"]):
        command("detect", f"run={run}", *settings).refused(2, target.rpartition(".")[2])
    assert not (run / "detections").exists()


def test_an_unfinished_run_is_refused(command: Command) -> None:
    command("train", *TINY, "dataset.anomaly_share=1.0").refused(1)
    run = next(file.parent for file in command.folder.rglob("run.json"))
    command("detect", f"run={run}").refused(1, "is not finished (status: failed)")
