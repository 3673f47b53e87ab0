"""Detection as a callback: inert while fitting, thresholds in ``validate``, predictions in ``test``."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ecgan.detect.detector import Detector
from ecgan.errors import DivergedError, RunError
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import predictions, write_predictions
from ecgan.files import replacing, write_json
from ecgan.types import Batch, FloatArray, IntArray, Series

STATE = "scorer.safetensors"


class DetectionCallback(Callback):
    """Fits scorers, chooses thresholds and writes predictions with exactly the weights that are tested.

    Args:
        detectors: what to run.
        train: the fold's training normals, the only series that scorers are fitted on.
        label: (N,) class of each series of the store, whatever the model is told of it.
        group: (N,) patient of each series of the store, or None.
        directory: where ``<detector>/threshold.json`` and the other files go.
        seed: of the scorers' random numbers; each scorer has its own stream, so their order does not matter.
        fitted: folders of an earlier run whose fitted scorers are taken over, by detector.
        console: where to say what is being fitted; fitting may take longer than the training.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        train: Series,
        label: IntArray,
        group: IntArray | None,
        directory: Path,
        seed: int,
        fitted: dict[str, Path] | None = None,
        console: Console | None = None,
    ) -> None:
        self.detectors, self.train, self.label, self.group = detectors, train, label, group
        self.directory, self.seed, self.fitted = directory, seed, fitted or {}
        self.console = console or Console(quiet=True)
        self._reset()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget thresholds of earlier weights."""
        for detector in self.detectors:
            detector.threshold = None

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit the scorers, unless this is the validation inside ``fit``."""
        if trainer.state.fn != "validate":
            return
        for detector in self.detectors:
            with self.console.status(f"fitting {detector.name}"):
                self._fit(detector, pl_module)
        self._reset()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Score a batch of the validation part."""
        if trainer.state.fn == "validate":
            self._score(pl_module, batch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose and write the thresholds."""
        if trainer.state.fn != "validate":
            return
        abnormal = self.label[self._index()] != 0
        for detector in self.detectors:
            scores = self._joined(detector)
            threshold = detector.choose(scores, abnormal)
            threshold.write(self.directory / detector.name / "threshold.json")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to test without a threshold.

        Raises:
            RunError: when ``test`` comes before ``validate``.
        """
        for detector in self.detectors:
            if detector.threshold is None:
                raise RunError(f"The detector {detector.name!r} has no threshold yet; call validate before test.")
        self._reset()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Score a batch of the test part."""
        self._score(pl_module, batch)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write predictions and metrics."""
        index = self._index()
        for detector in self.detectors:
            assert detector.threshold is not None  # noqa: S101 - on_test_start refused
            group = None if self.group is None else self.group[index]
            table = predictions(index, group, self.label[index], self._joined(detector), detector.threshold.value)
            folder = self.directory / detector.name
            write_predictions(folder / "predictions.csv", table)
            write_json(folder / "metrics.json", detection_metrics(table))

    def _fit(self, detector: Detector, model: LightningModule) -> None:
        earlier = self.fitted.get(detector.name)
        if earlier is not None and (earlier / STATE).is_file():
            detector.scorer.load_state(_load(earlier / STATE), model, model.device)
            return
        with torch.random.fork_rng(), torch.enable_grad():
            stream = np.random.SeedSequence([self.seed, zlib.crc32(detector.name.encode())])
            torch.manual_seed(int(stream.generate_state(1)[0]))
            detector.scorer.fit(model, self.train, model.device)
        state = {name: value.contiguous().cpu() for name, value in detector.scorer.state().items()}
        if state:
            with replacing(self.directory / detector.name / STATE) as temporary:
                save_file(state, temporary)

    def _score(self, model: LightningModule, batch: Batch) -> None:
        for detector in self.detectors:
            score = detector.scorer.score(model, batch.x).detach()
            self._scores[detector.name].frombytes(_bytes(score.cpu().double()))  # some devices have no float64
        self._indices.frombytes(_bytes(batch.index))

    def _reset(self) -> None:
        # in one piece each: thousands of small tensors between the batches would keep their memory from being freed
        self._scores = {detector.name: array("d") for detector in self.detectors}
        self._indices = array("q")

    def _index(self) -> IntArray:
        """Indices into the store of the series that were scored, in their order."""
        return np.frombuffer(self._indices, np.int64)

    def _joined(self, detector: Detector) -> FloatArray:
        joined: FloatArray = np.frombuffer(self._scores[detector.name], np.float64)
        if not np.isfinite(joined).all():
            raise DivergedError(
                f"The detector {detector.name!r} gave a score that is not finite; lower the learning rate."
            )
        return joined


def _bytes(values: torch.Tensor) -> bytes:
    return values.cpu().numpy().tobytes()


def _load(path: Path) -> dict[str, torch.Tensor]:
    try:
        # cloned out of the file's mapping, so that they are aligned as they were when they were fitted
        return {name: value.clone() for name, value in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is damaged ({error}); train again.") from error
