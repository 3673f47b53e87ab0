"""Every model on two kinds of data, with every transform, split and threshold on the way."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ecgan.assembly import supervision_of
from ecgan.capabilities import Classifies, Reconstructs, Samples
from ecgan.checks import models_with
from ecgan.config import build, compose
from ecgan.detect.detector import Detector, Threshold
from ecgan.evaluate.class_predictions import probabilities, read_class_predictions
from ecgan.evaluate.predictions import read_predictions
from ecgan.experiment import run
from ecgan.redetection import redetect, reproduced
from ecgan.usage import options

DATA = {
    "sine": ("dataset=sine", "dataset.n_series=150", "dataset.seq_len=33"),
    "ucr": ("dataset=ucr", "dataset.name=Tiny", "dataset.normal=2"),
}
SPLITS = {
    "holdout": ("split=holdout",),
    "kfold": ("split=kfold", "split.folds=2"),
    "rotated": ("split=kfold", "split.folds=2", "split.test=rotate", "split.train_on=all"),
    "official": ("split=official",),
    "anomalies_test": ("split=holdout", "split.abnormal=test"),
    "from_file": ("split=from_file", "split.path=splits.json"),
}
SETTINGS = {
    "fixed": ("threshold.value=0.3", "threshold.supervision=normal_only"),
    "extreme_value": ("threshold.level=0.2", "threshold.rate=0.3"),  # so that ten of a few normals are a tail
}
BY_PATIENT = {"split=group_kfold", "split=inter_patient"}
"""No patients are known here; ``tests/unit/test_protocol.py`` runs these."""
BLIND = ("quantile", "mean_std", "mad", "extreme_value", "fixed")


class Case(NamedTuple):
    """One run."""

    model: str
    data: str
    transform: str
    split: str
    threshold: str


def cases() -> list[Case]:
    """Each model on each data set; the other choices take turns."""
    transforms, thresholds = options("transform"), options("threshold")
    turns = {"sine": ["kfold", "rotated", "from_file"], "ucr": ["official", "holdout", "anomalies_test"]}
    found, pairs = [], list(product(options("model"), DATA))
    for number in range(max(len(pairs), len(transforms))):
        model, data = pairs[number % len(pairs)]
        split = turns[data][number // 2 % 3]
        threshold = thresholds[number % len(thresholds)]
        if split == "anomalies_test" and threshold not in BLIND:
            threshold = "quantile"  # no abnormal series is left for the validation part
        found.append(Case(model, data, transforms[number % len(transforms)], split, threshold))
    return found


def test_the_cases_cover_every_choice() -> None:
    chosen = cases()
    assert {case.model for case in chosen} == set(options("model"))
    assert {case.transform for case in chosen} == set(options("transform"))
    assert {case.threshold for case in chosen} == set(options("threshold"))
    used = {setting for case in chosen for setting in SPLITS[case.split]}
    assert {f"split={name}" for name in options("split")} <= used | BY_PATIENT


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of a tiny set of the UCR archive, and folds for the sine waves."""
    folder = tmp_path_factory.mktemp("smoke")
    raw = folder / "data" / "tiny" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, n in (("TRAIN", 100), ("TEST", 80)):
        label = np.where(np.arange(n) % 4 == 3, 1, 2)
        x = np.sin(np.linspace(0, 6, 32) + rng.random((n, 1))) + rng.normal(size=(n, 32)) * (label == 1)[:, None]
        np.savetxt(raw / f"Tiny_{part}.tsv", np.column_stack([label, x]), delimiter="\t")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        earlier = folder / "earlier"
        run(compose([*DATA["sine"], "trainer=smoke", "detector=none", "split=holdout", "paths.mirror=null"]), earlier)
    (earlier / "splits.json").rename(folder / "splits.json")
    return folder


@pytest.mark.parametrize("case", cases(), ids="-".join)
def test_a_model_fits_validates_and_tests(case: Case, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    detectors = ["lstm_autoencoder", "knn", "pca"]
    if case.model in models_with(Reconstructs):
        detectors.insert(0, "reconstruction")
    cfg = compose(
        [
            *DATA[case.data],
            *SPLITS[case.split],
            f"model={case.model}",
            f"transform={case.transform}",
            f"threshold={case.threshold}",
            *SETTINGS.get(case.threshold, ()),
            "trainer=smoke",
            "data.batch_size=16",
            "data.eval_batch_size=32",
            "paths.mirror=null",
            f"detector=[{','.join(detectors)}]",
            "detector.lstm_autoencoder.scorer.epochs=1",
            "generation.n=20",
            "generation.bootstrap=2",
        ]
    )
    directory = workspace / "-".join(case)
    summary = run(cfg, directory)
    assert set(summary) == {"-", *cfg.detector}
    assert ("accuracy" in summary["-"]) == (case.model in models_with(Classifies))
    assert ("generated_mmd" in summary["-"]) == (case.model in models_with(Samples))
    splits = json.loads((directory / "splits.json").read_text("utf-8"))["folds"]
    assert len(splits) == cfg.split.folds
    for fold, (name, node) in product(splits, cfg.detector.items()):
        folder = directory / f"fold_{fold['fold']}" / "detection" / name
        table, threshold = read_predictions(folder / "predictions.csv"), Threshold.read(folder / "threshold.json")
        assert table["index"].tolist() == fold["test"]
        assert np.isfinite(table["score"]).all()
        assert table["score"].nunique() > 1
        assert table["predicted"].tolist() == (table["score"] > threshold.value).astype(int).tolist()
        scorer, rule = build(node.scorer), build(node.threshold)
        assert threshold.supervision == Detector(name, scorer, rule, model=supervision_of(cfg)).supervision
        assert threshold.n_normal + threshold.n_abnormal <= len(fold["test" if case.threshold == "oracle" else "val"])
        assert (threshold.n_abnormal == 0) == (case.threshold in BLIND)
        assert 0 <= summary[name]["auroc"]["mean"] <= 1


@pytest.mark.parametrize("model", models_with(Classifies))
@pytest.mark.parametrize("labels", ["classes", "binary"])
def test_a_classifier_is_judged_by_its_probabilities(
    model: str, labels: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One word is enough, also with detectors, class weights, balanced batches and a later detection."""
    monkeypatch.chdir(workspace)
    given = [f"data.labels={labels}", "data.sampling=balanced", "model.class_weights=balanced", "split=holdout"]
    cfg = compose([*DATA["sine"], *given, f"model={model}", "trainer=smoke", "data.batch_size=16", "paths.mirror=null"])
    assert list(cfg.detector) == ["knn", "pca"]
    directory = workspace / f"{model}-{labels}"
    summary = run(cfg, directory)
    (fold,) = json.loads((directory / "splits.json").read_text("utf-8"))["folds"]
    table = read_class_predictions(directory / "fold_0" / "classification" / "predictions.csv")
    known = read_predictions(directory / "fold_0" / "detection" / "knn" / "predictions.csv")["label"]
    assert table["index"].tolist() == fold["test"]
    assert known.nunique() == 3
    assert table["label"].tolist() == (known if labels == "classes" else (known != 0).astype(int)).tolist()
    assert probabilities(table).shape == (len(table), 3 if labels == "classes" else 2)
    assert summary["-"]["accuracy"]["mean"] == (table["label"] == table["predicted"]).mean()
    again = redetect(directory)
    assert reproduced(directory, again) == dict.fromkeys(
        ("fold_0/classification", "fold_0/detection/knn", "fold_0/detection/pca"), True
    )
    only = redetect(directory, ["detector=none"])
    assert reproduced(directory, only) == {"fold_0/classification": True}
