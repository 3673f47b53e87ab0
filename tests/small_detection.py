"""A model, a scorer and noise, as small as they can be, and detection on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ecgan.data.datamodule import DataModule
from ecgan.data.store import Store
from ecgan.data.transforms.scaling import Identity
from ecgan.detect.callback import DetectionCallback, LearningParts
from ecgan.detect.detector import Detector
from ecgan.engine import quiet
from ecgan.types import Batch, Fold, Series

N = 60


class Tiny(pl.LightningModule):
    """The smallest model that trains, validates and tests."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def training_step(self, batch: Batch) -> Tensor:
        return (batch.x * (1 - self.factor)).square().mean()

    def validation_step(self, batch: Batch) -> None:
        """Nothing to log."""

    def test_step(self, batch: Batch) -> None:
        """Nothing to log."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Amplitude:
    """Scores by the mean magnitude, and notes who calls."""

    requires = ()

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.seen: list[int] = []
        self.grad: list[bool] = []

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        self.calls.append("fit")
        self.seen = train.__getitems__(list(range(len(train)))).index.tolist()
        self.grad.append(torch.is_grad_enabled())

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        self.calls.append("score")
        return x.abs().flatten(1).mean(1)

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        self.calls.append("load")


def noise(directory: Path) -> DataModule:
    """Noise of growing amplitude; every third series is abnormal, and training holds abnormal ones too."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(N, 1, 20)) * np.linspace(1, 2, N)[:, None, None]).astype(np.float32)
    label = np.where(np.arange(N) % 3 == 2, 1 + np.arange(N) % 2, 0)
    store = Store(directory, x, label, np.arange(N) // 2, None, {"classes": ["a", "b", "c"], "fs_hz": None})
    order = rng.permutation(N)
    return DataModule(store, Fold(0, order[:25], order[25:42], order[42:]), Identity(), 8, 5, 0)


def callback(
    data: DataModule, detectors: Sequence[Detector], directory: Path, fitted: dict[str, Path] | None = None
) -> DetectionCallback:
    store, val = data.store, data.fold.val
    abnormal = store.label[val] != 0
    parts = LearningParts(data.training_normals(), data.part(val), data.part(val[~abnormal]), abnormal)
    return DetectionCallback(detectors, parts, store.label, store.group, directory, 7, fitted)


def trainer(*callbacks: pl.Callback) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=False,
        inference_mode=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def detected(data: DataModule, detectors: Sequence[Detector], directory: Path, **given: Any) -> Path:
    """Validate and test an untrained model."""
    engine, model = trainer(callback(data, detectors, directory, **given)), Tiny()
    with quiet():
        engine.validate(model, data, verbose=False)
        engine.test(model, data, verbose=False)
    return directory
