"""How a command is stopped: Ctrl-C and SIGTERM, as from SLURM, at once, but one Ctrl-C lets a training step end."""

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
    """Whether somebody has asked to stop, and with which exit code; and whether a training step is under way."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.in_step = False

    def check(self) -> None:
        """Stop here if somebody has asked for it."""
        if self.code is not None:
            raise Interrupted(self.code)


_asked = _Asked()


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside the block, signals stop the work where it can go on later. Only the main thread hears of them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signal.SIGINT: _on_ctrl_c, signal.SIGTERM: _on_terminate}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        _asked.code, _asked.in_step = None, False
        for number, handler in before.items():
            signal.signal(number, handler)


class StopsWhenAsked(Callback):
    """Lets one Ctrl-C wait until the training step at hand is done."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """From here on it waits. An error that a handler raised inside foreign code may have got lost."""
        _asked.check()
        _asked.in_step = True

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Up to here."""
        _asked.in_step = False
        _asked.check()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Or until the step fails."""
        _asked.in_step = False


def _on_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    first, _asked.code = _asked.code is None, CTRL_C
    if not (first and _asked.in_step):
        raise Interrupted(CTRL_C)
    print("\nStopping after this step; Ctrl-C again stops at once.", file=sys.stderr, flush=True)


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    _asked.code = TERMINATED
    raise Interrupted(TERMINATED)
