"""What scorers that are calibrated and rules that are oracles are handed, and what is kept of validation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from ecgan.data.datamodule import DataModule
from ecgan.detect.detector import Detector, Threshold
from ecgan.detect.labelled_thresholds import MaxF1, Oracle
from ecgan.detect.thresholds import Fixed, Quantile
from ecgan.engine import quiet
from ecgan.errors import DataError, RunError
from ecgan.evaluate.predictions import read_predictions, read_scores
from ecgan.types import BoolArray, Calibrates, Fold, Series, Supervision, ThresholdRule
from small_detection import Amplitude, Tiny, callback, detected, noise, trainer


@pytest.fixture
def data(tmp_path: Path) -> DataModule:
    """Noise in which every third series is abnormal."""
    return noise(tmp_path)


class Calibrated(Amplitude):
    """Divides by the largest amplitude that it is calibrated on, and notes what that was."""

    def __init__(self, supervision: Supervision) -> None:
        super().__init__()
        self.supervision: Supervision = supervision
        self.given: list[int] = []
        self.abnormal: list[bool] = []
        self.largest = torch.ones(1)

    def calibrate(self, model: nn.Module, val: Series, abnormal: BoolArray, device: torch.device) -> None:
        self.calls.append("calibrate")
        self.grad.append(torch.is_grad_enabled())
        batch = val.__getitems__(list(range(len(val))))
        self.given, self.abnormal = batch.index.tolist(), abnormal.tolist()
        self.largest = batch.x.abs().flatten(1).mean(1).max().reshape(1)

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        return super().score(model, x) / self.largest

    def state(self) -> dict[str, Tensor]:
        return {"largest": self.largest}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        super().load_state(state, model, device)
        self.largest = state["largest"]


def calibrated(supervision: Supervision, rule: ThresholdRule | None = None) -> tuple[Detector, Calibrated]:
    scorer = Calibrated(supervision)
    assert isinstance(scorer, Calibrates)
    return Detector("own", scorer, rule or Quantile(0.8)), scorer


def val_of(data: DataModule) -> tuple[list[int], list[bool]]:
    val = data.fold.val
    return val.tolist(), (data.store.label[val] != 0).tolist()


def content(out: Path, name: str = "own") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / name / "threshold.json").read_text(encoding="utf-8"))
    return found


def test_a_blind_scorer_is_calibrated_on_validation_normals_alone(data: DataModule, tmp_path: Path) -> None:
    detector, scorer = calibrated("normal_only")
    out = detected(data, [detector], tmp_path / "out")
    index, abnormal = val_of(data)
    normals = [i for i, odd in zip(index, abnormal, strict=True) if not odd]
    assert 0 < len(normals) < len(index)
    assert scorer.given == normals
    assert scorer.abnormal == [False] * len(normals)
    assert scorer.calls[:3] == ["fit", "calibrate", "score"]
    assert scorer.grad == [True, True]
    assert content(out)["supervision"] == "normal_only"


def test_a_scorer_that_says_so_is_calibrated_on_all_with_labels(data: DataModule, tmp_path: Path) -> None:
    detector, scorer = calibrated("val_labelled")
    detected(data, [detector], tmp_path / "out")
    assert (scorer.given, scorer.abnormal) == val_of(data)


@pytest.mark.parametrize(
    ("own", "rule", "expected"),
    [
        ("normal_only", Quantile(0.8), "normal_only"),
        ("normal_only", MaxF1(), "val_labelled"),
        ("val_labelled", Quantile(0.8), "val_labelled"),
        ("val_labelled", MaxF1(), "val_labelled"),
        ("train_labelled", MaxF1(), "train_labelled"),
        ("val_labelled", Oracle(), "oracle"),
        ("val_labelled", Fixed(0.5, "oracle"), "oracle"),
    ],
)
def test_the_threshold_says_what_either_has_seen(
    data: DataModule, tmp_path: Path, own: Supervision, rule: ThresholdRule, expected: Supervision
) -> None:
    out = detected(data, [calibrated(own, rule)[0]], tmp_path / "out")
    assert content(out)["supervision"] == expected
    blind = rule.supervision == "normal_only"
    assert (content(out)["n_abnormal"] == 0) == blind  # what the rule itself was handed


def test_a_calibrated_scorer_is_taken_over(data: DataModule, tmp_path: Path) -> None:
    first = detected(data, [calibrated("val_labelled")[0]], tmp_path / "first")
    detector, scorer = calibrated("val_labelled")
    second = detected(data, [detector], tmp_path / "second", fitted={"own": first / "own"})
    assert scorer.calls[0] == "load"
    assert "calibrate" not in scorer.calls
    assert (first / "own" / "predictions.csv").read_bytes() == (second / "own" / "predictions.csv").read_bytes()


def oracle() -> Detector:
    return Detector("own", Amplitude(), Oracle())


def test_an_oracle_chooses_from_the_test_part_and_says_so(data: DataModule, tmp_path: Path) -> None:
    out = detected(data, [oracle()], tmp_path / "out")
    test = data.fold.test
    scores = np.abs(data.store.data[test]).mean((1, 2)).astype(np.float64)
    abnormal = data.store.label[test] != 0
    found = Threshold.read(out / "own" / "threshold.json")
    assert found.value == pytest.approx(MaxF1().choose(scores, abnormal), rel=1e-6)
    seen = (int((~abnormal).sum()), int(abnormal.sum()))
    assert (found.rule, found.supervision, found.n_normal, found.n_abnormal) == ("Oracle", "oracle", *seen)
    table = read_predictions(out / "own" / "predictions.csv")
    assert set(table["threshold"]) == {found.value}
    assert table["predicted"].tolist() == (table["score"] > found.value).astype(int).tolist()


def test_an_oracle_has_no_threshold_before_the_test(data: DataModule, tmp_path: Path) -> None:
    out, detector = tmp_path / "out", oracle()
    engine, model = trainer(callback(data, [detector], out)), Tiny()
    with quiet(), pytest.raises(RunError, match=r"'own' has no threshold yet; call validate before test"):
        engine.test(model, data, verbose=False)
    with quiet():
        engine.validate(model, data, verbose=False)
    assert detector.threshold is None
    assert not (out / "own" / "threshold.json").exists()
    assert (out / "own" / "validation.csv").is_file()
    model.train()
    with quiet():
        engine.fit(model, data)
        with pytest.raises(RunError, match="call validate before test"):
            engine.test(model, data, verbose=False)


def test_an_oracle_refuses_a_test_part_of_one_class(data: DataModule, tmp_path: Path) -> None:
    normals = data.fold.test[data.store.label[data.fold.test] == 0]
    fold = Fold(0, data.fold.train, data.fold.val, normals)
    one_class = DataModule(data.store, fold, data.transform, 8, 5, 0)
    with pytest.raises(DataError, match=r"threshold=oracle needs normal and abnormal series in the test part"):
        detected(one_class, [oracle()], tmp_path / "out")
    assert not (tmp_path / "out" / "own" / "predictions.csv").exists()


@pytest.mark.parametrize("rule", [Quantile(0.8), Oracle()])
def test_scores_of_the_validation_part_are_kept(data: DataModule, tmp_path: Path, rule: ThresholdRule) -> None:
    out = detected(data, [Detector("own", Amplitude(), rule)], tmp_path / "out")
    table, val = read_scores(out / "own" / "validation.csv"), np.sort(data.fold.val)
    store = data.store
    assert store.group is not None
    np.testing.assert_allclose(table.pop("score"), np.abs(store.data[val]).mean((1, 2)), rtol=1e-6)
    label = store.label[val]
    expected = {"index": val, "group": store.group[val], "label": label, "abnormal": (label != 0).astype(int)}
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected), check_dtype=False)
