"""Classification as a callback: inert while fitting and validating, probabilities of the test part in ``test``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ecgan.assembly import classification
from ecgan.classify.callback import ClassificationCallback
from ecgan.data.datamodule import DataModule, Labels
from ecgan.data.store import Store
from ecgan.data.transforms.scaling import Identity
from ecgan.engine import quiet
from ecgan.errors import RunError
from ecgan.evaluate.class_predictions import probabilities, read_class_predictions
from ecgan.evaluate.classification import classification_metrics
from ecgan.types import Batch, Fold

N, CLASSES = 60, 3


class Plain(pl.LightningModule):
    """A linear classifier, as a third party may write it: its steps return nothing."""

    def __init__(self, n_classes: int = CLASSES) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(20, n_classes)
        self.calls = 0

    def classify(self, x: Tensor) -> Tensor:
        self.calls += 1
        logits: Tensor = self.layer(x.flatten(1))
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(self.classify(batch.x), batch.y)

    def validation_step(self, batch: Batch) -> Any:
        """Nothing to log."""

    def test_step(self, batch: Batch) -> Any:
        """Nothing to log."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Generous(Plain):
    """The same, and hands over the logits that it has computed."""

    def test_step(self, batch: Batch) -> Any:
        return {"logits": self.classify(batch.x)}


def data(folder: Path, labels: Labels = "classes", group: bool = True) -> DataModule:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 1, 20)).astype(np.float32)
    label = rng.integers(0, CLASSES, N)
    store = Store(folder, x, label, np.arange(N) // 2 if group else None, None, {"classes": "abc", "fs_hz": None})
    order = rng.permutation(N)
    return DataModule(store, Fold(0, order[:25], order[25:42], order[42:]), Identity(), 8, 5, 0, labels)


def trainer(*callbacks: pl.Callback) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def predicted(module: DataModule, model: pl.LightningModule, directory: Path) -> Path:
    with quiet():
        trainer(*classification(module, model, directory)).test(model, module, verbose=False)
    return directory / "predictions.csv"


def test_only_classifiers_get_one(tmp_path: Path) -> None:
    module = data(tmp_path)
    assert [type(c) for c in classification(module, Plain(), tmp_path)] == [ClassificationCallback]
    assert classification(module, pl.LightningModule(), tmp_path) == []


def test_nothing_happens_before_the_test(tmp_path: Path) -> None:
    module, model = data(tmp_path), Plain()
    engine = trainer(*classification(module, model, tmp_path / "out"))
    with quiet():
        engine.fit(model, module)
        engine.validate(model, module, verbose=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", [Plain, Generous])
def test_probabilities_are_those_of_the_test_part(tmp_path: Path, make: type[Plain]) -> None:
    module, model = data(tmp_path), make()
    table, test = read_class_predictions(predicted(module, model, tmp_path / "out")), np.sort(module.fold.test)
    assert module.store.group is not None
    assert model.calls == 4, "18 series in batches of 5, each classified once"
    assert table["index"].tolist() == test.tolist()
    assert table["group"].tolist() == module.store.group[test].tolist()
    assert table["label"].tolist() == module.store.label[test].tolist()
    with torch.no_grad():
        expected = model.classify(torch.from_numpy(module.store.data[test])).double().softmax(1).numpy()
    np.testing.assert_allclose(probabilities(table), expected, rtol=1e-6)
    np.testing.assert_allclose(probabilities(table).sum(1), 1, rtol=1e-12)
    assert table["predicted"].tolist() == expected.argmax(1).tolist()
    written = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    found = classification_metrics(table)
    assert written == {name: None if np.isnan(value) else value for name, value in found.items()}


def test_labels_are_those_that_the_model_was_told(tmp_path: Path) -> None:
    module = data(tmp_path, "binary", group=False)
    table = read_class_predictions(predicted(module, Plain(2), tmp_path / "out"))
    assert table["label"].tolist() == (module.store.label[np.sort(module.fold.test)] != 0).astype(int).tolist()
    assert table["group"].isna().all()
    assert table.columns.tolist()[-2:] == ["p_0", "p_1"]


def test_a_second_test_begins_anew(tmp_path: Path) -> None:
    module, model = data(tmp_path), Plain()
    engine = trainer(*classification(module, model, tmp_path / "out"))
    with quiet():
        engine.test(model, module, verbose=False)
        first = (tmp_path / "out" / "predictions.csv").read_bytes()
        engine.test(model, module, verbose=False)
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == first


def test_a_probability_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    model = Plain()
    nn.init.constant_(model.layer.bias, float("nan"))
    with pytest.raises(RunError, match="Plain gave a probability that is not finite"):
        predicted(data(tmp_path), model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
