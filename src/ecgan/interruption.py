"""How a command is stopped: Ctrl-C once after the step, twice at once; SIGTERM, as from SLURM, at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from ecgan.errors import Interrupted

CTRL_C, TERMINATED = 130, 143
"""Exit codes, as shells give them: 128 and the number of the signal."""


class _Asked:
    """Whether somebody has asked to stop."""

    def __init__(self) -> None:
        self.stop = False


_asked = _Asked()


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside the block, signals stop the work where it can go on later. Only the main thread hears of them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signal.SIGINT: _on_ctrl_c, signal.SIGTERM: _on_terminate}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    _asked.stop = False
    try:
        yield
    finally:
        _asked.stop = False
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_if_asked() -> None:
    """Stop here if somebody has asked for it.

    Raises:
        Interrupted: then.
    """
    if _asked.stop:
        raise Interrupted(CTRL_C)


class StopsWhenAsked(Callback):
    """Stops between two batches."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """After a training step."""
        stop_if_asked()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """After a validation batch."""
        stop_if_asked()

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """After a test batch."""
        stop_if_asked()


def _on_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    if _asked.stop:
        raise Interrupted(CTRL_C)
    _asked.stop = True
    print("\nStopping after this step; Ctrl-C again stops at once.", file=sys.stderr, flush=True)


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted(TERMINATED)
