"""Every detector scores the same from a bundle as in its run, and new series stream in constant memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecgan.config import compose
from ecgan.errors import ConfigError
from ecgan.experiment import run
from ecgan.publish.bundle import Request, publish
from ecgan.usage import options
from published_detectors import of_test_part

MODELS = ("beatgan", "dcgan", "cnn")
"""All detectors find a model among these."""
NOT_IN_ONNX = {"anogan", "combined_autoencoder", "combined_svm", "isolation_forest", "knn", "ocsvm", "whitened_knn"}
"""They search, compare with training series, or grow trees."""
SMALL = ("dataset=sine", "dataset.n_series=300", "dataset.seq_len=32", "trainer=smoke", "split=holdout")
QUIET = ("trainer.figures=false", "trainer.threads=1", "generation.n=0", "data.eval_batch_size=32")
SCORE = """
import json
import numpy as np
import ecgan
detector = ecgan.load("moved.zip")
x = np.load("x.npy")
scores = {name: [value.hex() for value in detector.using(name).score(x).tolist()] for name in detector.names}
print(json.dumps(scores))
"""
MEMORY = """
import re, sys
from pathlib import Path
from ecgan.publish.scoring import Request, score_input
score_input(Request("moved.zip", Path(sys.argv[1]), Path(sys.argv[2]), "reconstruction"))
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
"""The peak of this process alone: that of getrusage begins with the parent's, since they share memory until exec."""


def served_by(model: str) -> list[str]:
    """Detectors that compose with a model."""
    found = []
    for name in options("detector"):
        try:
            compose([*SMALL, f"model={model}", f"detector=[{name}]"])
        except ConfigError:
            continue
        found.append(name)
    return [name for name in found if name != "none"]


def moved(model: str, detectors: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run with these detectors, publish, and put the bundle and the test part where nothing else is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECGAN_MIRROR", raising=False)
    quick = [
        f"detector.{name}.scorer.{key}=2" for name in detectors for key in ("epochs", "steps") if has(model, name, key)
    ]
    run(compose([*SMALL, *QUIET, f"model={model}", f"detector=[{','.join(detectors)}]", *quick]), tmp_path / "run")
    elsewhere = tmp_path / "elsewhere"
    publish(Request(tmp_path / "run", elsewhere / "moved.zip"))
    np.save(elsewhere / "x.npy", of_test_part(tmp_path / "run", detectors[0])[0])
    return elsewhere


def has(model: str, detector: str, key: str) -> bool:
    return key in compose([*SMALL, f"model={model}", f"detector=[{detector}]"]).detector[detector].scorer


@pytest.mark.slow
def test_every_detector_finds_a_model() -> None:
    found = {name for model in MODELS for name in served_by(model)}
    assert found == set(options("detector")) - {"none"}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_detector_scores_the_same_elsewhere(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every digit of every score, in a fresh process that has neither run nor data."""
    detectors = served_by(model)
    elsewhere = moved(model, detectors, tmp_path, monkeypatch)
    done = subprocess.run([sys.executable, "-c", SCORE], cwd=elsewhere, check=True, capture_output=True, text=True)
    scores = json.loads(done.stdout)
    assert set(scores) == set(detectors)
    for name in detectors:
        table = of_test_part(tmp_path / "run", name)[1]
        assert scores[name] == [value.hex() for value in table["score"].tolist()], name
    check_onnx(tmp_path, detectors)


def check_onnx(folder: Path, detectors: list[str]) -> None:
    """Every detector of the run has an ONNX file with its scores, but for those that are known to have none."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    published = publish(Request(folder / "run", folder / "onnx", onnx=True))
    assert set(published.refused) == NOT_IN_ONNX & set(detectors)
    for name in published.exported:
        x, table = of_test_part(folder / "run", name)
        file = folder / "onnx" / "detectors" / name / "model.onnx"
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        given = session.run(["score"], {"x": x.astype(np.float32)})[0]
        assert np.allclose(given, table["score"], 1e-4, 1e-4), name


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv"])
def test_memory_does_not_grow_with_the_number_of_series(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 more series, 13 MB more as they lie in memory, take no more than 5 MB more."""
    elsewhere = moved("autoencoder", ["reconstruction"], tmp_path, monkeypatch)
    x = np.random.default_rng(0).normal(size=(110_000, 1, 32)).astype(np.float32)
    peaks = []
    for n in (10_000, 110_000):
        source, out = elsewhere / f"{n}{ending}", elsewhere / f"{n}_scores.csv"
        if ending == ".npz":
            np.savez_compressed(source, x=x[:n])
        elif ending == ".npy":
            np.save(source, x[:n])
        else:
            np.savetxt(source, x[:n, 0], "%.4f", ",")
        command = [sys.executable, "-c", MEMORY, source.name, out.name]
        done = subprocess.run(command, cwd=elsewhere, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout) / 1024)
        with out.open() as stream:
            assert sum(1 for _ in stream) == n + 1
    assert peaks[1] - peaks[0] < 5, f"{peaks} MB"
