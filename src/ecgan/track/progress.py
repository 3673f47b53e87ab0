"""One progress bar per fold: cheap enough to watch every training step."""

from __future__ import annotations

import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

REFRESH_S = 1.0


class FoldProgress(Callback):
    """Shows fold, epoch, validation loss, elapsed and remaining time.

    Args:
        title: what is trained, such as ``fold 2/5``.
        console: where to draw.
        monitor: name of the value shown beside the bar.
    """

    def __init__(self, title: str, console: Console, monitor: str) -> None:
        self.title, self.console, self.monitor = title, console, monitor
        self.progress: Progress | None = None
        self.task = TaskID(0)
        self._drawn = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar."""
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            auto_refresh=False,
            transient=True,
        )
        steps = max(1, (trainer.max_epochs or 1) * int(trainer.num_training_batches))
        self.task = self.progress.add_task(self.title, total=steps, note="")
        self.progress.start()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Redraw about once per second."""
        now = time.monotonic()
        if self.progress is not None and now - self._drawn > REFRESH_S:
            self._drawn = now
            self._draw(trainer)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the new validation loss."""
        if self.progress is not None:
            self._draw(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Replace the bar by one line that stays."""
        self._stop()
        loss = trainer.callback_metrics.get(self.monitor)
        shown = "" if loss is None else f", {self.monitor} {float(loss):.5f} in the last"
        self.console.print(f"{self.title}: {trainer.current_epoch} epochs{shown}; detecting …")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._stop()

    def _draw(self, trainer: Trainer) -> None:
        assert self.progress is not None  # noqa: S101 - callers look
        done = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        loss = trainer.callback_metrics.get(self.monitor)
        note = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        if loss is not None:
            note += f" {self.monitor} {float(loss):.5f}"
        self.progress.update(self.task, completed=done, note=note)
        self.progress.refresh()

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
