"""Detection as a callback: inert while fitting, thresholds in validate, predictions in test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgan.data.datamodule import DataModule
from ecgan.data.store import Store
from ecgan.data.transforms.scaling import Identity
from ecgan.detect.callback import STATE
from ecgan.detect.detector import Detector, Threshold
from ecgan.detect.labelled_thresholds import MaxF1
from ecgan.detect.lstm_autoencoder import LSTMAutoencoderScorer
from ecgan.detect.scorers import KNearest
from ecgan.detect.thresholds import Quantile
from ecgan.engine import quiet
from ecgan.errors import DataError, RunError
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import read_predictions
from ecgan.types import Fold, Scorer
from small_detection import Amplitude, Tiny, callback, detected, noise, trainer


@pytest.fixture
def data(tmp_path: Path) -> DataModule:
    """Noise in which every third series is abnormal."""
    return noise(tmp_path)


def amplitude(rule: Any = None) -> Detector:
    return Detector("amplitude", Amplitude(), rule or Quantile(0.8))


def knn() -> Detector:
    return Detector("knn", KNearest(2, max_train=9), Quantile(0.8))  # draws its neighbors at random


def lstm() -> Detector:
    return Detector("lstm", LSTMAutoencoderScorer(latent=2, patch=5, epochs=1, batch_size=4), Quantile(0.8))


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_nothing_happens_inside_fit(data: DataModule, tmp_path: Path) -> None:
    detector = amplitude()
    with quiet():
        trainer(callback(data, [detector], tmp_path / "out")).fit(Tiny(), data)
    assert isinstance(detector.scorer, Amplitude)
    assert detector.scorer.calls == []
    assert not (tmp_path / "out").exists()


def test_test_before_validate_is_an_error(data: DataModule, tmp_path: Path) -> None:
    engine = trainer(callback(data, [amplitude()], tmp_path / "out"))
    with quiet(), pytest.raises(RunError, match=r"'amplitude' has no threshold yet; call validate before test"):
        engine.test(Tiny(), data, verbose=False)
    assert not (tmp_path / "out").exists()


def test_a_threshold_of_earlier_weights_is_forgotten(data: DataModule, tmp_path: Path) -> None:
    engine, model = trainer(callback(data, [amplitude()], tmp_path / "out")), Tiny()
    with quiet():
        engine.validate(model, data, verbose=False)
        engine.fit(model, data)
        with pytest.raises(RunError, match="call validate before test"):
            engine.test(model, data, verbose=False)


def test_scorers_are_fitted_on_the_training_normals_with_gradients(data: DataModule, tmp_path: Path) -> None:
    detector = amplitude()
    detected(data, [detector], tmp_path / "out")
    scorer = detector.scorer
    assert isinstance(scorer, Amplitude)
    normals = [index for index in data.fold.train.tolist() if data.store.label[index] == 0]
    assert 0 < len(normals) < len(data.fold.train)
    assert sorted(scorer.seen) == sorted(normals)
    assert scorer.grad == [True]
    assert scorer.calls == ["fit", *["score"] * (4 + 4)]  # 17 and 18 series in batches of 5


@pytest.mark.parametrize("rule", [Quantile(0.8), MaxF1()])
def test_threshold_is_chosen_from_the_validation_part(data: DataModule, tmp_path: Path, rule: Any) -> None:
    out = detected(data, [amplitude(rule)], tmp_path / "out")
    val = data.fold.val
    scores = np.abs(data.store.data[val]).mean((1, 2)).astype(np.float64)
    abnormal = data.store.label[val] != 0
    found = Threshold.read(out / "amplitude" / "threshold.json")
    assert found.value == pytest.approx(rule.choose(scores, abnormal), rel=1e-6)
    seen = 0 if rule.supervision == "normal_only" else int(abnormal.sum())
    expected = Threshold(found.value, type(rule).__name__, rule.supervision, int((~abnormal).sum()), seen)
    assert found == expected


def test_predictions_are_those_of_the_test_part(data: DataModule, tmp_path: Path) -> None:
    out = detected(data, [amplitude()], tmp_path / "out") / "amplitude"
    table, test = read_predictions(out / "predictions.csv"), np.sort(data.fold.test)
    assert data.store.group is not None
    assert table["index"].tolist() == test.tolist()
    assert table["group"].tolist() == data.store.group[test].tolist()
    assert table["label"].tolist() == data.store.label[test].tolist()
    np.testing.assert_allclose(table["score"], np.abs(data.store.data[test]).mean((1, 2)), rtol=1e-6)
    threshold = Threshold.read(out / "threshold.json").value
    assert set(table["threshold"]) == {threshold}
    assert table["predicted"].tolist() == (table["score"] > threshold).astype(int).tolist()
    written = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    expected = detection_metrics(table)
    assert written == {name: None if np.isnan(value) else value for name, value in expected.items()}


def test_predictions_keep_the_classes_of_the_source_whatever_the_model_is_told(
    data: DataModule, tmp_path: Path
) -> None:
    binary = DataModule(data.store, data.fold, Identity(), 8, 5, 0, labels="binary")
    assert binary.spec.n_classes == 2
    told, known = (
        detected(module, [amplitude(MaxF1())], tmp_path / name) for module, name in ((binary, "2"), (data, "3"))
    )
    table = read_predictions(told / "amplitude" / "predictions.csv")
    assert set(table["label"]) == {0, 1, 2}
    assert files(told) == files(known)


@pytest.mark.parametrize("others", [[amplitude], [lstm], [amplitude, lstm]], ids=len)
def test_a_detector_does_not_depend_on_the_others(data: DataModule, tmp_path: Path, others: list[Any]) -> None:
    alone = files(detected(data, [knn()], tmp_path / "alone") / "knn")
    first = detected(data, [knn(), *(make() for make in others)], tmp_path / "first")
    last = detected(data, [*(make() for make in others), knn()], tmp_path / "last")
    assert {"threshold.json", "validation.csv", "predictions.csv", "metrics.json", STATE} == set(alone)
    assert files(first / "knn") == alone == files(last / "knn")
    assert files(first) == files(last)


def test_random_numbers_of_the_run_are_left_alone(data: DataModule, tmp_path: Path) -> None:
    after = []
    for name, detectors in (("none", []), ("two", [knn(), lstm()])):  # the loaders draw some of their own
        torch.manual_seed(5)
        detected(data, detectors, tmp_path / name)
        after.append(torch.get_rng_state())
    assert torch.equal(*after)


def test_a_fitted_scorer_is_taken_over(data: DataModule, tmp_path: Path) -> None:
    first = detected(data, [knn(), lstm()], tmp_path / "first")
    fitted = {name: first / name for name in ("knn", "lstm")}

    def refuse(*_: Any) -> None:
        raise AssertionError("the scorer is fitted again")

    again = [knn(), lstm()]
    for detector in again:
        detector.scorer.fit = refuse  # type: ignore[method-assign]
    second = detected(data, again, tmp_path / "second", fitted=fitted)
    found, expected = files(second), files(first)
    assert found == {name: content for name, content in expected.items() if not name.endswith(STATE)}


def test_a_damaged_scorer_file_is_refused(data: DataModule, tmp_path: Path) -> None:
    first = detected(data, [knn()], tmp_path / "first")
    state = first / "knn" / STATE
    state.write_bytes(state.read_bytes()[:40])
    with pytest.raises(RunError, match=r"scorer\.safetensors is damaged"):
        detected(data, [knn()], tmp_path / "second", fitted={"knn": first / "knn"})


class Breaks(Amplitude):
    """Gives NaN in the chosen call."""

    def __init__(self, call: int) -> None:
        super().__init__()
        self.call = call

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        scores = super().score(model, x)
        return scores * float("nan") if self.calls.count("score") == self.call else scores


@pytest.mark.parametrize("call", [2, 6], ids=["validation", "test"])
def test_a_score_that_is_not_finite_is_refused(data: DataModule, tmp_path: Path, call: int) -> None:
    with pytest.raises(RunError, match="'amplitude' gave a score that is not finite"):
        detected(data, [Detector("amplitude", Breaks(call), Quantile(0.8))], tmp_path / "out")
    assert not (tmp_path / "out" / "amplitude" / "predictions.csv").exists()


def test_a_rule_that_needs_anomalies_refuses_a_part_without(data: DataModule, tmp_path: Path) -> None:
    label = data.store.label
    normals = data.fold.val[label[data.fold.val] == 0]
    fold = Fold(0, data.fold.train, normals, data.fold.test)
    with pytest.raises(DataError, match="threshold=max_f1 needs normal and abnormal series"):
        detected(DataModule(data.store, fold, Identity(), 8, 5, 0), [amplitude(MaxF1())], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def scorer_protocol(scorer: Scorer) -> Scorer:
    """Type-level check that the test's own scorer is one."""
    return scorer


def test_unknown_groups_leave_the_column_empty(data: DataModule, tmp_path: Path) -> None:
    store = Store(tmp_path, data.store.data, data.store.label, None, None, data.store.manifest)
    without = DataModule(store, data.fold, Identity(), 8, 5, 0)
    out = detected(without, [Detector("amplitude", scorer_protocol(Amplitude()), Quantile(0.8))], tmp_path / "out")
    assert read_predictions(out / "amplitude" / "predictions.csv")["group"].isna().all()
