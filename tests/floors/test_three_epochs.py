"""Every model config trains three epochs on four kinds of data, and labels that mean nothing are not predicted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgan.capabilities import Classifies, Reconstructs, Samples
from ecgan.checks import models_with
from ecgan.config import compose
from ecgan.data.sources.ecg5000 import ECG5000
from ecgan.experiment import run
from ecgan.usage import options

pytestmark = pytest.mark.slow

DATA = {
    "ecg5000": ("dataset=ecg5000",),
    "wafer": ("dataset=wafer",),
    "mitbih_beatgan": ("dataset=mitbih_beatgan", "dataset.origin=authors"),  # those of the arrays that are there
    "sine": ("dataset=sine", "dataset.n_series=2000"),
}
SHAPES = {"ecg5000": [1, 140], "wafer": [1, 152], "mitbih_beatgan": [2, 320], "sine": [1, 128]}
MIRRORED = ("wafer", "mitbih_beatgan")
SHORTENED = {"inception_time": ("model.members=1",)}
"""An ensemble takes as many times as long as it has members, and shows nothing new."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stores are, shared by all runs."""
    return tmp_path_factory.mktemp("data")


def common(data: Path) -> list[str]:
    return ["split=holdout", "trainer.figures=false", "trainer.max_epochs=3", f"paths.data={data}"]


def values(results: pd.DataFrame, split: str, metric: str, detector: str = "-") -> float:
    found = results.query("split == @split and metric == @metric and detector == @detector")["value"]
    assert len(found) == 1, f"{len(found)} rows of {metric} on {split}"
    return float(found.iloc[0])


@pytest.mark.parametrize("dataset", DATA)
@pytest.mark.parametrize("model", options("model"))
def test_three_epochs(model: str, dataset: str, data: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    mirror = request.getfixturevalue("mirror") if dataset in MIRRORED else "null"
    detector = "[reconstruction,pca]" if model in models_with(Reconstructs) else "[pca]"
    settings = [*common(data), *DATA[dataset], f"model={model}", *SHORTENED.get(model, ()), f"detector={detector}"]
    cfg = compose([*settings, f"paths.mirror={mirror}", "generation.n=200", "generation.bootstrap=2"])
    run(cfg, tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert facts["status"] == "finished"
    assert facts["dataset"]["shape"][1:] == SHAPES[dataset]
    log = pd.read_csv(tmp_path / "run" / "fold_0" / "lightning" / "metrics.csv")
    trained = log.dropna(subset=["train/loss"])
    assert trained["epoch"].tolist() == [0, 1, 2]
    assert np.isfinite(trained.filter(like="train/").to_numpy()).all()
    results = pd.read_csv(tmp_path / "run" / "results.csv")
    assert np.isfinite([values(results, split, "loss") for split in ("val", "test")]).all()
    for name in cfg.detector:
        assert 0 <= values(results, "test", "auroc", name) <= 1
    if model in models_with(Samples):
        for metric in ("mmd", "mmd_reference", "frechet", "recall", "memorized", "discriminative"):
            assert np.isfinite(values(results, "test", f"generated_{metric}"))
    if model in models_with(Classifies):
        assert 0 <= values(results, "test", "accuracy") <= 1


def test_labels_that_mean_nothing_are_not_predicted(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shuffled before anything else, labels tell nothing: whoever ranks series better than chance has peeked.

    Of 3,000 tested series, 1,752 of them called normal, chance has a standard deviation of 0.011.
    """
    read = ECG5000.read

    def shuffled(source: ECG5000, raw: Path, piece: Any) -> Any:
        recordings = read(source, raw, piece)
        order = np.random.default_rng(0).permutation(len(recordings.y))
        object.__setattr__(recordings, "y", recordings.y[order])
        return recordings

    monkeypatch.setattr(ECG5000, "read", shuffled)
    settings = [*common(tmp_path / "data"), "dataset=ecg5000", "split.test_size=0.6", "preprocess.workers=1"]
    detector = "detector=[reconstruction,knn,pca]"
    for model in ("autoencoder", "beatgan", "vae", "vaegan"):
        run(compose([*settings, f"model={model}", detector, "generation.n=0"]), tmp_path / model)
        results = pd.read_csv(tmp_path / model / "results.csv")
        for name in ("reconstruction", "knn", "pca"):
            assert values(results, "test", "auroc", name) == pytest.approx(0.5, abs=0.03)
