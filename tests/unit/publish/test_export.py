"""ONNX: the same scores from another program, scaling included, and a sentence where that cannot be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ecgan
from ecgan.errors import ConfigError
from ecgan.publish import export as exporting
from ecgan.publish.bundle import Request, publish
from ecgan.publish.export import ONNX, CannotExportError, export, refuse_without_libraries
from ecgan.publish.loading import load
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
