"""What is published of a run scores as the run did, anywhere, and tells all that must be known and no more."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ecgan
from commands import left_in
from ecgan.config import compose, plain
from ecgan.errors import ConfigError, RunError
from ecgan.evaluate.metrics import detection_metrics
from ecgan.files import read_json, write_json
from ecgan.publish.bundle import Request, parse, publish
from ecgan.schema import TrackerConfig
from published_detectors import Execute, of_test_part

NAMES = ("reconstruction", "knn", "pca")


def test_a_fresh_process_elsewhere_gives_the_scores_of_the_run(several: Path, bundle: Path, tmp_path: Path) -> None:
    """Byte for byte, from a copy of the bundle, without the run and its data, in another working directory."""
    moved = Path(shutil.copytree(bundle, tmp_path / "elsewhere" / "moved"))
    x = of_test_part(several, "knn")[0]
    np.save(tmp_path / "x.npy", x)
    program = (
        "import numpy, ecgan; detector = ecgan.load('elsewhere/moved'); x = numpy.load('x.npy');"
        "numpy.savez('given.npz', **{n: detector.using(n).score(x) for n in detector.names});"
        "numpy.savez('verdicts.npz', **{n: detector.using(n).predict(x) for n in detector.names})"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert moved.is_dir()
    with np.load(tmp_path / "given.npz") as scores, np.load(tmp_path / "verdicts.npz") as verdicts:
        assert tuple(scores) == NAMES
        for name in NAMES:
            table = of_test_part(several, name)[1]
            assert scores[name].tobytes() == table["score"].to_numpy().tobytes()
            assert verdicts[name].tolist() == table["predicted"].tolist()
            assert len(table) > 16  # several batches, the last one smaller


def test_p_values_come_from_the_validation_normals(several: Path, bundle: Path) -> None:
    import pandas as pd

    table = pd.read_csv(several / "fold_0" / "detection" / "pca" / "validation.csv", float_precision="round_trip")
    normals = table.loc[table["abnormal"] == 0, "score"].to_numpy()
    x, predicted = of_test_part(several, "pca")
    naive = [(1 + sum(normals >= score)) / (1 + len(normals)) for score in predicted["score"]]
    assert ecgan.load(bundle, "pca").p_value(x).tolist() == naive
    assert len(normals) < len(table)


def test_the_same_run_gives_the_same_bytes(several: Path, bundle: Path, tmp_path: Path) -> None:
    first, second = (publish(Request(several, tmp_path / name)) for name in ("a.zip", "b.zip"))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert first == second
    assert first.sha256 == ecgan.load(bundle).sha256 == ecgan.load(tmp_path / "a.zip").sha256
    assert sorted(left_in(tmp_path)) == ["a.zip", "b.zip"]


def test_it_holds_weights_thresholds_and_metrics(several: Path, bundle: Path) -> None:
    weights = torch.load(several / "fold_0" / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    published = load_file(bundle / "weights.safetensors")
    assert set(weights) == set(published)
    assert all(torch.equal(weights[name], published[name]) for name in weights)
    about = read_json(bundle / "bundle.json")
    assert list(about["detectors"]) == list(NAMES)
    assert about["splits"] == read_json(several / "run.json")["splits"]
    for name in NAMES:
        own, original = bundle / "detectors" / name, several / "fold_0" / "detection" / name
        assert (own / "threshold.json").read_bytes() == (original / "threshold.json").read_bytes()
        assert (own / "metrics.json").read_bytes() == (original / "metrics.json").read_bytes()
        metrics = detection_metrics(of_test_part(several, name)[1])
        assert about["detectors"][name]["test"]["auroc"] == metrics["auroc"]
    assert not (bundle / "detectors" / "reconstruction" / "scorer.safetensors").exists()


def test_its_config_trains_again(several: Path, bundle: Path) -> None:
    cfg, original = (plain(compose(file=file)) for file in (bundle / "config.json", several / ".hydra" / "config.yaml"))
    assert cfg.pop("paths") == {"data": "data", "outputs": "outputs", "mirror": None}
    assert cfg.pop("tracker") == asdict(TrackerConfig())
    del original["paths"], original["tracker"]
    assert cfg == original


def test_nothing_tells_who_made_it_where(several: Path, bundle: Path, tmp_path: Path) -> None:
    facts = read_json(several / "run.json")
    publish(Request(several, tmp_path / "b.zip"))
    files = [*(path for path in bundle.rglob("*") if path.is_file()), tmp_path / "b.zip"]
    for secret in (facts["cwd"], str(several), "secret", "somebody", '"host"', '"cwd"', '"command"'):
        assert [file for file in files if secret.encode() in file.read_bytes()] == []


def test_the_card_says_what_must_be_known(bundle: Path) -> None:
    card, about = (bundle / "README.md").read_text("utf-8"), read_json(bundle / "bundle.json")
    for name, known in about["detectors"].items():
        assert f"| {name} |" in card
        assert f"{known['threshold']['value']:.6g}" in card
    auroc = [f"{known['test']['auroc']:.4f}" for known in about["detectors"].values()]
    assert f"| auroc | {' | '.join(auroc)} | chance that" in card
    for part in ("normal series only", "ecgan.load", "no medical device", "expect worse results on other patients"):
        assert part in card
    for part in ("license of the data: none needed", about["splits"], "torch ", "hold-out"):
        assert part in card
    assert "nan" not in card.split()


@pytest.fixture(scope="session")
def folds(execute: Execute) -> Path:
    """Three folds that share a test part, the last of which failed, and a threshold that has seen it."""
    oracle = "+detector.pca.threshold={_target_: ecgan.detect.labelled_thresholds.Oracle}"
    run = execute("split=kfold", "split.folds=3", "detector=[knn,pca]", "~detector.pca.threshold", oracle)
    facts = read_json(run / "run.json")
    facts["folds"]["fold_2"] = {"status": "failed", "error": f"RunError: Cannot write {run}"}
    write_json(run / "run.json", facts | {"status": "incomplete"})
    return run


def test_the_card_keeps_upper_bounds_apart(folds: Path, tmp_path: Path) -> None:
    publish(Request(folds, tmp_path / "b"))
    card = (tmp_path / "b" / "README.md").read_text("utf-8")
    results, bounds = card[card.index("## What it reached") :].split("Upper bounds, no results", 1)
    assert ("| metric | knn | meaning |" in results, "pca" in results) == (True, False)
    assert "| metric | pca | meaning |" in bounds


def test_the_card_says_what_its_means_are_of(folds: Path, tmp_path: Path) -> None:
    publish(Request(folds, tmp_path / "b"))
    card = (tmp_path / "b" / "README.md").read_text("utf-8")
    assert "Of the run, mean ± sd over 2 folds that share one test part:" in card
    assert "* fold 2 failed and is not counted\n" in card
    assert [file for file in (tmp_path / "b").rglob("*.*") if str(folds).encode() in file.read_bytes()] == []


def test_terms_and_citation_of_the_data_are_in_the_card() -> None:
    from ecgan.data.sources.ecg5000 import ECG5000
    from ecgan.data.sources.sine import Sine
    from ecgan.publish.about import terms_of

    terms = terms_of(ECG5000)
    assert terms.startswith("free for research with citation")
    assert "doi:10.1109/JAS.2019.1911747" in terms
    assert "Traps" not in terms
    assert terms_of(Sine) == ""


@pytest.mark.parametrize("transform", ["whitening", "robust", "fourier"])
def test_every_transform_goes_along(execute: Execute, transform: str, tmp_path: Path) -> None:
    run = execute(f"transform={transform}", "detector=pca", "detector.pca.scorer.components=2")
    publish(Request(run, tmp_path / "b.zip"))
    x, table = of_test_part(run, "pca")
    assert ecgan.load(tmp_path / "b.zip").score(x).tobytes() == table["score"].to_numpy().tobytes()


def test_a_whitening_whose_data_are_gone_or_others(execute: Execute, tmp_path: Path) -> None:
    run = execute("transform=whitening", "detector=knn")
    moved = Path(shutil.copytree(run, tmp_path / "moved"))
    file = moved / ".hydra" / "config.yaml"
    file.write_text(file.read_text("utf-8").replace("n_series: 200", "n_series: 240"), "utf-8")
    with pytest.raises(RunError, match="data differ from those of the run"):
        publish(Request(moved, tmp_path / "b.zip"))
    assert not (tmp_path / "b.zip").exists()


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_what_exists_is_not_overwritten(several: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(RunError, match="exists and is not overwritten"):
        publish(Request(several, tmp_path / name))
    assert (tmp_path / name).read_text() == "mine"


def test_a_run_that_cannot_be_published(several: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no trained fold 3; it has 0"):
        publish(Request(several, tmp_path / "b", 3))
    with pytest.raises(RunError, match="is no run directory"):
        publish(Request(tmp_path / "nowhere", tmp_path / "b"))
    copy = Path(shutil.copytree(several, tmp_path / "copy"))
    threshold = copy / "fold_0" / "detection" / "pca" / "threshold.json"
    threshold.write_text(json.dumps(json.loads(threshold.read_text()) | {"value": 0.0}))
    with pytest.raises(RunError, match="was made with another threshold"):
        publish(Request(copy, tmp_path / "b"))
    shutil.copyfile(several / "fold_0" / "detection" / "pca" / "threshold.json", threshold)
    state = copy / "fold_0" / "detection" / "knn" / "scorer.safetensors"
    state.write_bytes(state.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"scorer.safetensors is missing or damaged"):
        publish(Request(copy, tmp_path / "b"))
    assert left_in(tmp_path)[0] == "copy"
    assert not (tmp_path / "b").exists()


def test_a_run_without_detectors(execute: Execute, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="was run without a detector"):
        publish(Request(execute("detector=none"), tmp_path / "b"))


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (["to=b"], "Which run"),
        (["run=r"], "Where to"),
        (["run=r", "to=b", "onnx=1"], "onnx is '1' but must be true or false"),
        (["run=r", "to=b", "fold=x"], "fold is 'x'"),
        (["run=r", "to=b", "out=c"], "no setting 'out'"),
    ],
)
def test_wrong_settings_are_refused(given: list[str], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        parse(given)


def test_settings_are_read() -> None:
    assert parse(["run=r", "to=b.zip", "fold=1", "onnx=true"]) == Request(Path("r"), Path("b.zip"), 1, True)
