"""``last.ckpt``, from which a training that was stopped goes on as if nothing had happened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from ecgan.errors import RunError
from ecgan.track.metrics_file import MetricsFile
from ecgan.track.randomness import random_state, restore_random_state


class LastCheckpoint(Callback):
    """Writes ``last.ckpt`` when an epoch is wholly over: losses logged, best weights chosen, schedules stepped.

    Lightning stores weights, optimizers, schedules and callbacks. This adds the random numbers to come, the metrics
    logged so far, whether the training was stopped early, and how long it took.

    Args:
        path: of the file.
        metrics_file: of the fold.

    Attributes:
        seconds: how long the training took, in all processes that worked on it.
    """

    def __init__(self, path: Path, metrics_file: MetricsFile) -> None:
        self.path, self.metrics_file = path, metrics_file
        self.seconds, self._since = 0.0, 0.0
        self._epochs, self._stopped = 0, False  # as the file has them
        self._random: dict[str, Any] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._since = time.perf_counter()
        trainer.should_stop = self._stopped  # Lightning forgets it and would train one more epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write, since the epoch before is over now; at its own end Lightning still has things to do."""
        if self._random is not None:  # what was drawn until now is not drawn by a training that goes through
            restore_random_state(self._random)
            self._random = None
        self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write after the last epoch."""
        self._write(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._count_time()

    def state_dict(self) -> dict[str, Any]:
        """What Lightning does not store: tensors, numbers and text only."""
        return {
            "epochs": self._epochs,
            "stopped": self._stopped,
            "seconds": self.seconds,
            "rows": self.metrics_file.rows,
            "random": random_state(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self._epochs, self._stopped, self.seconds = (state_dict[key] for key in ("epochs", "stopped", "seconds"))
        self._random, self.metrics_file.rows = state_dict["random"], list(state_dict["rows"])

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let the checkpoint belong to the epoch that is over, and not to the one that is about to begin."""
        checkpoint["epoch"] = self._epochs - 1
        for counts in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
            counts["ready"] = counts["completed"]

    def _write(self, trainer: Trainer) -> None:
        if trainer.current_epoch == self._epochs:  # the first epoch, or the one that was taken up
            return
        self._epochs, self._stopped = trainer.current_epoch, bool(trainer.should_stop)
        self._count_time()
        trainer.save_checkpoint(self.path)

    def _count_time(self) -> None:
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now


def epochs_of(checkpoint: Path) -> int | None:
    """How many epochs a fold has behind it, None where there is no checkpoint.

    Raises:
        RunError: when the file is damaged.
    """
    if not checkpoint.is_file():
        return None
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"]) + 1
    except Exception as error:  # damaged files make torch raise nearly every type that Python has
        raise RunError(
            f"{checkpoint} is damaged ({type(error).__name__}); delete it to train the fold anew."
        ) from error
