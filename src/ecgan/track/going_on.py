"""What a training that was killed goes on from: what its checkpoints must hold besides the weights."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from ecgan.errors import RunError
from ecgan.track.metrics_file import MetricsFile

STATE, TRAINED = "ecgan", "train/"


class TrainingState(Callback):
    """Keeps in each checkpoint what Lightning does not: random states, and the metrics logged so far.

    Args:
        metrics_file: of the fold.
    """

    def __init__(self, metrics_file: MetricsFile) -> None:
        self.metrics_file = metrics_file
        self._restored: dict[str, Any] | None = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add tensors, numbers and text only."""
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - a plug-in may draw from it
        state: dict[str, Any] = {
            "rows": [*self.metrics_file.rows, *self._pending(trainer)],
            "torch": torch.get_rng_state(),
            "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
            "python": [torch.tensor(part) if isinstance(part, tuple) else part for part in random.getstate()],
        }
        checkpoint[STATE] = state | ({"cuda": torch.cuda.get_rng_state_all()} if torch.cuda.is_available() else {})

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take it back where the training goes on; judging the best weights is no reason to forget the later rows."""
        if trainer.state.fn != "fit":
            return
        self._restored = checkpoint[STATE]
        self.metrics_file.rows = list(checkpoint[STATE]["rows"])
        self._set_random_states()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Whatever was drawn since the checkpoint was loaded was not drawn by a training that goes through."""
        self._set_random_states()
        self._restored = None

    def _pending(self, trainer: Trainer) -> list[dict[str, float]]:
        """Metrics of this epoch's training, which Lightning logs after the last checkpoint of the epoch."""
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith(TRAINED)}
        last = self.metrics_file.rows[-1]["step"] if self.metrics_file.rows else 0
        return [{"epoch": trainer.current_epoch, **metrics, "step": last}] if metrics else []

    def _set_random_states(self) -> None:
        if self._restored is None:
            return
        torch.set_rng_state(self._restored["torch"])
        kind, keys, *rest = self._restored["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
        parts = [tuple(part.tolist()) if isinstance(part, torch.Tensor) else part for part in self._restored["python"]]
        random.setstate(tuple(parts))
        if "cuda" in self._restored:
            torch.cuda.set_rng_state_all(self._restored["cuda"])


def epochs_of(checkpoint: Path) -> int | None:
    """How many epochs a fold has behind it, None if it cannot go on from this checkpoint.

    It cannot when there is none, when the run directory was moved (Lightning would forget which weights were best), or
    with a schedule that waits for a plateau (Lightning steps it after the last checkpoint of an epoch).

    Raises:
        RunError: when the file is damaged.
    """
    if not checkpoint.is_file():
        return None
    held = _read(checkpoint)
    folders = [state["dirpath"] for state in held["callbacks"].values() if "dirpath" in state]
    if any(Path(folder).resolve() != checkpoint.parent.resolve() for folder in folders):
        return None
    if any("num_bad_epochs" in schedule for schedule in held["lr_schedulers"]):
        return None
    return int(held["epoch"]) + 1


def stopped_early(checkpoint: Path) -> bool:
    """Whether the training has ended before its last epoch, for want of progress."""
    states = _read(checkpoint)["callbacks"].values()
    return any(state["wait_count"] >= state["patience"] for state in states if "wait_count" in state)


def _read(checkpoint: Path) -> dict[str, Any]:
    try:
        held: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make torch raise nearly every type that Python has
        raise RunError(
            f"{checkpoint} is damaged ({type(error).__name__}); delete it to train the fold anew."
        ) from error
    return held
