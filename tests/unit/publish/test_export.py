"""ONNX: the same scores from another program, scaling included, and a sentence where that cannot be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ecgan
from ecgan.detect.combined import Combined
from ecgan.detect.critic import Critic, FeatureMatching
from ecgan.detect.latent import LatentNorm
from ecgan.detect.scorers import Reconstruction
from ecgan.errors import ConfigError
from ecgan.publish import export as exporting
from ecgan.publish.bundle import Request, publish
from ecgan.publish.detector import Parts, PublishedDetector
from ecgan.publish.export import ONNX, CannotExportError, export, refuse_without_libraries
from ecgan.publish.loading import load
from ecgan.types import Scorer
from published_detectors import Execute, by_hand, of_test_part


@pytest.fixture
def runtime() -> None:
    for name in exporting.LIBRARIES:
        pytest.importorskip(name, reason=f"{name} is not installed")


def onnx_scores(path: Path, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["score"], {"x": x.astype(np.float32)})[0])


@pytest.mark.usefixtures("runtime")
def test_a_bundle_with_onnx(several: Path, tmp_path: Path) -> None:
    published = publish(Request(several, tmp_path / "b", onnx=True))
    assert published.exported == ("reconstruction", "pca")
    assert list(published.refused) == ["knn"]
    assert "has no counterpart there" in published.refused["knn"]
    for name in published.exported:
        content = (tmp_path / "b" / "detectors" / name / ONNX).read_bytes()
        assert b".py" not in content  # nothing of the source files that it came from
        x, table = of_test_part(several, name)
        for n in (1, 3, len(x)):
            given = onnx_scores(tmp_path / "b" / "detectors" / name / ONNX, x[:n])
            assert given.shape == (n,)
            assert np.allclose(given, table["score"][:n], 1e-4, 1e-4)
    assert not (tmp_path / "b" / "detectors" / "knn" / ONNX).exists()
    assert "`detectors/pca/model.onnx`" in (tmp_path / "b" / "README.md").read_text("utf-8")
    assert ecgan.load(tmp_path / "b").names == ("reconstruction", "knn", "pca")


@pytest.mark.usefixtures("runtime")
def test_the_same_bytes_come_again(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        export(by_hand().parts, "mean", tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("transform", ["minmax", "standard"])
def test_scaling_is_part_of_it(execute: Execute, transform: str, tmp_path: Path) -> None:
    run = execute(f"transform={transform}", "detector=pca", "detector.pca.scorer.components=2")
    export(load(run).parts, "pca", tmp_path / ONNX)
    x, table = of_test_part(run, "pca")
    assert np.allclose(onnx_scores(tmp_path / ONNX, x), table["score"], 1e-4, 1e-4)


@pytest.mark.usefixtures("runtime")
def test_a_scaling_that_cannot_be_written(execute: Execute, tmp_path: Path) -> None:
    run = execute("transform=fourier", "detector=pca", "detector.pca.scorer.components=2")
    with pytest.raises(CannotExportError, match="Scaling by Fourier"):
        export(load(run).parts, "pca", tmp_path / ONNX)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("runtime")
def test_a_detector_made_by_hand(tmp_path: Path) -> None:
    export(by_hand().parts, "mean", tmp_path / ONNX)
    x = np.random.default_rng(1).normal(size=(5, 2, 8))
    assert np.allclose(onnx_scores(tmp_path / ONNX, x), x.mean((1, 2)), atol=1e-6)


class Small(nn.Module):
    """Reconstructs, encodes and discriminates with one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 16)

    def features(self, x: Tensor) -> Tensor:
        return torch.tanh(self.encode(x))

    def discriminate(self, x: Tensor) -> Tensor:
        return 30 * self.encode(x).sum(1)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.layer(x.flatten(1))

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.encode(x).unflatten(1, (2, 8))


def judged_by(scorer: Scorer) -> Parts:
    torch.manual_seed(0)
    parts = by_hand().parts
    judges = {"one": replace(parts.judges["mean"], scorer=scorer)}
    return replace(parts, model=Small().eval(), judges=judges)


@pytest.mark.usefixtures("runtime")
def test_a_critic_that_is_sure(tmp_path: Path) -> None:
    parts = judged_by(Critic("log"))
    export(parts, "one", tmp_path / ONNX)
    x = 3 * np.random.default_rng(1).normal(size=(50, 2, 8)).astype(np.float32)
    wanted = PublishedDetector(parts, "one").score(x)
    assert wanted.max() > 100
    assert wanted.min() < 1e-20
    assert np.allclose(onnx_scores(tmp_path / ONNX, x), wanted, 1e-4, 1e-4)


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("weights", ["standardized", "grid"])
def test_a_weighted_sum(tmp_path: Path, weights: Literal["standardized", "grid"]) -> None:
    scorer = Combined({"error": Reconstruction("l2"), "features": FeatureMatching(), "norm": LatentNorm()}, weights)
    parts = judged_by(scorer)
    scores = np.random.default_rng(0).normal((1, 20, 0.1), (0.3, 5, 0.01), (40, 3))
    scorer.weighting.fit(scores, np.arange(40) % 2 == 1)
    export(parts, "one", tmp_path / ONNX)
    x = np.random.default_rng(1).normal(size=(9, 2, 8)).astype(np.float32)
    wanted = PublishedDetector(parts, "one").score(x)
    assert np.ptp(wanted) > 1
    assert np.allclose(onnx_scores(tmp_path / ONNX, x), wanted, 1e-4, 1e-4)


@pytest.mark.usefixtures("runtime")
def test_a_machine_is_refused(tmp_path: Path) -> None:
    scorer = Combined({"error": Reconstruction("l2"), "norm": LatentNorm()}, "svm")
    scorer.weighting.fit(np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2 == 1)
    with pytest.raises(CannotExportError, match="'one' cannot be written as ONNX: a step of it has no counterpart"):
        export(judged_by(scorer), "one", tmp_path / ONNX)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("runtime")
def test_other_scores_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true = exporting._run
    monkeypatch.setattr(exporting, "_run", lambda content, x: true(content, x) * 1.001 + 0.001)
    with pytest.raises(CannotExportError, match="its scores would be others"):
        export(by_hand().parts, "mean", tmp_path / ONNX)
    assert list(tmp_path.iterdir()) == []


def test_without_the_libraries(several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LIBRARIES", ("onnx_of_another_world",))
    with pytest.raises(ConfigError, match=r"pip install 'ecgan\[onnx\]'"):
        refuse_without_libraries()
    with pytest.raises(ConfigError, match="needs the library onnx_of_another_world"):
        publish(Request(several, tmp_path / "b", onnx=True))
    assert list(tmp_path.iterdir()) == []
