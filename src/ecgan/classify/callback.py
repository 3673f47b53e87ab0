"""Classification as a callback: inert while fitting and validating, predictions in ``test``."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from ecgan.capabilities import Classifies
from ecgan.errors import DivergedError
from ecgan.evaluate.class_predictions import class_predictions
from ecgan.evaluate.classification import classification_metrics
from ecgan.evaluate.predictions import write_table
from ecgan.files import write_json
from ecgan.types import Batch, FloatArray, IntArray


class ClassificationCallback(Callback):
    """Writes the class probabilities of the test part, with exactly the weights that are tested.

    A model whose ``test_step`` returns a mapping with ``logits`` is not asked for them a second time.

    Args:
        label: (N,) class of each series of the store, as the model was told it.
        group: (N,) patient of each series of the store, or None.
        directory: where ``predictions.csv`` and ``metrics.json`` go.
    """

    def __init__(self, label: IntArray, group: IntArray | None, directory: Path) -> None:
        self.label, self.group, self.directory = label, group, directory
        self._reset()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget an earlier test."""
        self._reset()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Keep the probabilities of a batch."""
        logits = outputs.get("logits") if isinstance(outputs, Mapping) else None
        if logits is None:
            assert isinstance(pl_module, Classifies)  # noqa: S101 - made for such models only
            logits = pl_module.classify(batch.x)
        probability = logits.detach().cpu().double().softmax(1)  # some devices have no float64
        self._n_classes = probability.shape[1]
        self._probabilities.frombytes(_bytes(probability))
        self._indices.frombytes(_bytes(batch.index.cpu()))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write predictions and metrics.

        Raises:
            DivergedError: when a probability is not finite.
        """
        index = np.frombuffer(self._indices, np.int64)
        probability: FloatArray = np.frombuffer(self._probabilities, np.float64).reshape(-1, self._n_classes)
        if not np.isfinite(probability).all():
            raise DivergedError(
                f"{type(pl_module).__name__} gave a probability that is not finite; lower the learning rate."
            )
        group = None if self.group is None else self.group[index]
        table = class_predictions(index, group, self.label[index], probability)
        write_table(self.directory / "predictions.csv", table)
        write_json(self.directory / "metrics.json", classification_metrics(table))

    def _reset(self) -> None:
        # in one piece each: thousands of small tensors between the batches would keep their memory from being freed
        self._probabilities, self._indices, self._n_classes = array("d"), array("q"), 1


def _bytes(values: torch.Tensor) -> bytes:
    return values.numpy().tobytes()
