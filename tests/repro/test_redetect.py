"""A finished run is scored again to the same bytes, and anything that is not that run is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.splits.splits_file import digest_of, read_splits, write_splits
from ecgan.errors import ConfigError, EcganError, RunError
from ecgan.evaluate.predictions import read_predictions
from ecgan.files import write_json
from ecgan.redetection import redetect, reproduced
from ecgan.types import Fold

Execute = Callable[..., Path]
MODELS = {"none": "lstm_autoencoder", "minmax": "autoencoder", "standard": "beatgan", "per_series": "beatgan"}
DETECTORS = ("knn", "lstm_autoencoder", "pca", "reconstruction")


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another working directory than that of the run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECGAN_MIRROR", raising=False)
    return tmp_path


@pytest.mark.parametrize("transform", MODELS)
def test_predictions_come_again_byte_for_byte(transform: str, execute: Execute, elsewhere: Path) -> None:
    run = execute(
        f"again_{transform}",
        f"transform={transform}",
        f"model={MODELS[transform]}",
        "split=holdout",
        "detector.reconstruction.scorer.scaled=true",
    )
    out = redetect(run, out=elsewhere / "out")
    assert reproduced(run, out) == {f"fold_0/detection/{name}": True for name in DETECTORS}
    for file in out.glob("fold_0/detection/*/*"):
        assert file.read_bytes() == (run / file.relative_to(out)).read_bytes()
    of_detectors = [line for line in (run / "results.csv").read_text("utf-8").splitlines() if ",-," not in line]
    assert (out / "results.csv").read_text("utf-8").splitlines() == of_detectors


def test_every_fold_comes_again_and_the_run_stays_as_it_was(full: Path, elsewhere: Path) -> None:
    before = tree(full)
    out = redetect(full, out=elsewhere / "out")
    assert reproduced(full, out) == {f"fold_{k}/detection/{name}": True for k in range(3) for name in DETECTORS}
    assert tree(full) == before
    assert sorted(path.name for path in elsewhere.iterdir()) == ["out"]


@pytest.fixture
def copy(full: Path, workspace: Path, elsewhere: Path) -> Path:
    """A copy of the full run to damage; its data still lie in the workspace."""
    return Path(shutil.copytree(full, elsewhere / "copy"))


def test_detections_are_numbered_and_titled(copy: Path) -> None:
    outs = [redetect(copy, ["detector=knn"]) for _ in range(2)]
    assert outs == [copy / "detections" / "001", copy / "detections" / "002"]
    assert "<title>002</title>" in (outs[1] / "report.html").read_text("utf-8")
    one, two = (tree(out) for out in outs)
    assert {name for name in one if one[name] != two[name]} <= {"run.json", "report.html"}
    facts = json.loads((outs[0] / "run.json").read_text("utf-8"))
    assert facts["detectors"] == ["knn"]
    assert facts["detection_of"] == str(copy.resolve())


def test_scorers_that_were_not_saved_are_fitted_to_the_same_bytes(copy: Path) -> None:
    # a run from before scorers were saved: their seeds alone must bring them back
    facts = json.loads((copy / "run.json").read_text("utf-8"))
    for entry in facts["folds"].values():
        entry["scorers"] = {}
    write_json(copy / "run.json", facts)
    for state in copy.glob("fold_*/detection/*/scorer.safetensors"):
        state.unlink()
    assert all(reproduced(copy, redetect(copy)).values())


def test_another_threshold_leaves_the_scores(copy: Path) -> None:
    out = redetect(copy, ["threshold=youden"])
    assert not any(reproduced(copy, out).values())
    for file in out.glob("fold_*/detection/*/predictions.csv"):
        new, old = read_predictions(file), read_predictions(copy / file.relative_to(out))
        assert new["score"].tolist() == old["score"].tolist()
        assert json.loads((file.parent / "threshold.json").read_text("utf-8"))["rule"] == "Youden"


def test_another_setting_of_a_scorer_fits_it_anew(copy: Path) -> None:
    out = redetect(copy, ["detector=[knn,pca]", "detector.knn.scorer.k=1"])
    equal = reproduced(copy, out)
    assert equal == {f"fold_{k}/detection/{name}": name == "pca" for k in range(3) for name in ("knn", "pca")}
    for file in out.glob("fold_*/detection/knn/predictions.csv"):
        new, old = read_predictions(file), read_predictions(copy / file.relative_to(out))
        assert (new["score"] < old["score"]).all()  # the nearest is nearer than the mean of five


def test_a_run_without_detectors_can_be_scored_later(execute: Execute, elsewhere: Path) -> None:
    run = execute("undetected", "split=holdout", "detector=none")
    out = redetect(run, ["detector=pca"], elsewhere / "out")
    assert (out / "fold_0" / "detection" / "pca" / "predictions.csv").is_file()
    with pytest.raises(ConfigError, match="no detector to score with"):
        redetect(run)


def refused(run: Path, match: str, *overrides: str, error: type[EcganError] = RunError) -> None:
    """The run is refused in one sentence, and nothing is left behind."""
    before = {name: hashlib.sha256(content).digest() for name, content in tree(run).items()}
    with pytest.raises(error, match=match) as caught:
        redetect(run, overrides)
    assert "\n" not in str(caught.value)
    assert {name: hashlib.sha256(content).digest() for name, content in tree(run).items()} == before
    assert not list(run.glob("detections/*"))


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_is_no_run_is_refused(elsewhere: Path) -> None:
    (elsewhere / "folder").mkdir()
    refused(elsewhere / "folder", "is no run directory")
    refused(elsewhere / "nowhere", "is no run directory")


@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_an_unfinished_run_is_refused(copy: Path, status: str) -> None:
    facts = json.loads((copy / "run.json").read_text("utf-8"))
    write_json(copy / "run.json", facts | {"status": status})
    refused(copy, rf"is not finished \(status: {status}\)")


@pytest.mark.parametrize("file", ["checkpoints/best.ckpt", "detection/pca/scorer.safetensors"])
@pytest.mark.parametrize("harm", [flip_a_byte, Path.unlink], ids=["one flipped bit", "deleted"])
def test_a_damaged_file_of_the_last_fold_is_refused(copy: Path, file: str, harm: Callable[[Path], None]) -> None:
    harm(copy / "fold_2" / file)
    refused(copy, rf"fold_2/{file} is missing or damaged")


def test_changed_splits_are_refused(copy: Path) -> None:
    splits = copy / "splits.json"
    first, second, last = read_splits(splits)[0]
    moved = Fold(2, np.append(last.train, last.test[-1]), last.val, last.test[:-1])
    digests = json.loads(splits.read_text("utf-8"))["sha256"], digest_of([first, second, moved])
    write_splits(splits, [first, second, moved], {"n_series": 240, "groups_known": False}, {})
    consistent = splits.read_text("utf-8")
    splits.write_text(consistent.replace(digests[1], digests[0]), encoding="utf-8")
    refused(copy, "do not match their digest")
    splits.write_text(consistent, encoding="utf-8")
    refused(copy, "holds other folds than those that the run was trained on")
    splits.write_text('{"folds": [', encoding="utf-8")
    refused(copy, "is damaged")
    splits.unlink()
    refused(copy, "is missing")


def test_a_changed_transform_is_refused(copy: Path) -> None:
    write_json(copy / "fold_1" / "transform.json", {"transform": "ecgan.data.transforms.scaling.Identity"})
    refused(copy, "is not what the training part gives")


@pytest.fixture
def data(workspace: Path, elsewhere: Path, full: Path) -> Path:
    """A copy of the data to change."""
    return Path(shutil.copytree(workspace / "data", elsewhere / "data"))


def the_store(copy: Path, data: Path) -> Path:
    facts = json.loads((copy / "run.json").read_text("utf-8"))
    return data / "sine" / "processed" / facts["dataset"]["hash"][:16]


def test_one_changed_value_in_the_store_is_refused(copy: Path, data: Path) -> None:
    assert all(reproduced(copy, redetect(copy, [f"paths.data={data}"])).values())
    shutil.rmtree(copy / "detections")
    array = np.load(the_store(copy, data) / "data.npy", mmap_mode="r+")
    array[-1, 0, 3] += 1e-3
    array.flush()
    refused(copy, "was changed since it was written", f"paths.data={data}", error=EcganError)


def test_other_data_under_the_same_name_are_refused(copy: Path, data: Path) -> None:
    manifest = the_store(copy, data) / "manifest.json"
    content = json.loads(manifest.read_text("utf-8"))
    write_json(manifest, content | {"hash": "0" * 64})
    refused(copy, "The data differ from those of the run", f"paths.data={data}")


@pytest.mark.parametrize(
    "override", ["dataset.seed=1", "preprocess.length=20", "model.network.latent=3", "split.folds=2"]
)
def test_what_belongs_to_the_run_cannot_be_changed(copy: Path, override: str) -> None:
    refused(copy, "belongs to the run and cannot be changed afterwards", override, error=ConfigError)


def test_an_existing_folder_is_not_overwritten(full: Path, elsewhere: Path) -> None:
    (elsewhere / "mine").mkdir()
    with pytest.raises(RunError, match="exists and is not overwritten"):
        redetect(full, out=elsewhere / "mine")
    assert not list((elsewhere / "mine").iterdir())
