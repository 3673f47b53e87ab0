"""Detection as a callback: inert while fitting, thresholds in ``validate``, predictions in ``test``."""

from __future__ import annotations

import shutil
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
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
from ecgan.evaluate.predictions import predictions, scores, write_table
from ecgan.files import replacing, write_json
from ecgan.types import Batch, BoolArray, Calibrates, FloatArray, IntArray, Scorer, Series

STATE = "scorer.safetensors"
UNFINISHED = ".unfinished"
THRESHOLD, PREDICTIONS, VALIDATION = "threshold.json", "predictions.csv", "validation.csv"


@dataclass(frozen=True)
class LearningParts:
    """All that detectors may learn from: nothing of the test part is in here.

    Attributes:
        train: the fold's training normals, the only series that scorers are fitted on.
        val: the fold's validation part, for scorers that are calibrated on it.
        val_normals: its normals, for those that may see nothing else.
        val_abnormal: (N,) true where a series of ``val`` is abnormal.
    """

    train: Series
    val: Series
    val_normals: Series
    val_abnormal: BoolArray


class DetectionCallback(Callback):
    """Fits scorers, chooses thresholds and writes predictions with exactly the weights that are tested.

    Args:
        detectors: what to run.
        parts: what detectors may learn from.
        label: (N,) class of each series of the store, whatever the model is told of it.
        group: (N,) patient of each series of the store, or None.
        directory: where ``<detector>/threshold.json`` and the other files go.
        seed: of the scorers' random numbers; each scorer has its own stream, so their order does not matter.
        fitted: folders of an earlier run whose fitted scorers are taken over, by detector.
        console: where to say what is being fitted; fitting may take longer than the training.
        workspace: where slow scorers keep what they have done; an interrupted scoring that is begun again with the same
            folder goes on from there. By default a folder of ``directory`` that is removed once the scores are written.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        parts: LearningParts,
        label: IntArray,
        group: IntArray | None,
        directory: Path,
        seed: int,
        fitted: dict[str, Path] | None = None,
        console: Console | None = None,
        workspace: Path | None = None,
    ) -> None:
        self.workspace, self.passing = workspace or directory / UNFINISHED, workspace is None
        for detector in detectors:
            if hasattr(detector.scorer, "workspace"):
                detector.scorer.workspace = self.workspace
        self.detectors, self.parts, self.label, self.group = detectors, parts, label, group
        self.directory, self.seed, self.fitted = directory, seed, fitted or {}
        self.console = console or Console(quiet=True)
        self.validated = False
        self._reset()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget thresholds of earlier weights."""
        for detector in self.detectors:
            detector.threshold = None
        self.validated = False

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
        index = self._index()
        abnormal = self.label[index] != 0
        for detector in self.detectors:
            folder, score = self.directory / detector.name, self._joined(detector)
            if not detector.on_test:
                detector.choose(score, abnormal).write(folder / THRESHOLD)
            write_table(folder / VALIDATION, scores(index, self._group(index), self.label[index], score))
        self.validated = True

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to test without a threshold.

        Raises:
            RunError: when ``test`` comes before ``validate``.
        """
        for detector in self.detectors:
            if not (self.validated if detector.on_test else detector.threshold):
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
        label = self.label[index]
        for detector in self.detectors:
            folder, score = self.directory / detector.name, self._joined(detector)
            if detector.on_test:
                detector.choose(score, label != 0).write(folder / THRESHOLD)
            assert detector.threshold is not None  # noqa: S101 - on_test_start refused
            table = predictions(index, self._group(index), label, score, detector.threshold.value)
            write_table(folder / PREDICTIONS, table)
            write_json(folder / "metrics.json", detection_metrics(table))
        if self.passing:  # another one is wanted until all that its owner does is done
            shutil.rmtree(self.workspace, ignore_errors=True)

    def _fit(self, detector: Detector, model: LightningModule) -> None:
        earlier = self.fitted.get(detector.name)
        if earlier is not None and (earlier / STATE).is_file():
            detector.scorer.load_state(_load(earlier / STATE), model, model.device)
            return
        with torch.random.fork_rng(), torch.enable_grad():
            stream = np.random.SeedSequence([self.seed, zlib.crc32(detector.name.encode())])
            torch.manual_seed(int(stream.generate_state(1)[0]))
            detector.scorer.fit(model, self.parts.train, model.device)
            self._calibrate(detector.scorer, model)
        state = {name: value.contiguous().cpu() for name, value in detector.scorer.state().items()}
        if state:
            with replacing(self.directory / detector.name / STATE) as temporary:
                save_file(state, temporary)

    def _calibrate(self, scorer: Scorer, model: LightningModule) -> None:
        if not isinstance(scorer, Calibrates):
            return
        parts, abnormal = self.parts, self.parts.val_abnormal
        if scorer.supervision == "normal_only":
            scorer.calibrate(model, parts.val_normals, np.zeros(len(parts.val_normals), bool), model.device)
        else:
            scorer.calibrate(model, parts.val, abnormal, model.device)

    def _score(self, model: LightningModule, batch: Batch) -> None:
        for detector in self.detectors:
            score = detector.scorer.score(model, batch.x).detach()
            self._scores[detector.name].frombytes(_bytes(score.cpu().double()))  # some devices have no float64
        self._indices.frombytes(_bytes(batch.index))

    def _reset(self) -> None:
        # in one piece each: thousands of small tensors between the batches would keep their memory from being freed
        self._scores = {detector.name: array("d") for detector in self.detectors}
        self._indices = array("q")

    def _group(self, index: IntArray) -> IntArray | None:
        return None if self.group is None else self.group[index]

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
