"""One training over several devices: a process for each, all of one run directory, together for the length of a fit.

Lightning would start the further processes by repeating the command, which composes, draws and makes folders anew. Here
the first process starts them with what it has written down already: the settings of the run and the number of the fold.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy

from ecgan.errors import EcganError, RunError

log = logging.getLogger(__name__)

PROGRAM = "ecgan.assisting"
STORE = "store"
WAITING = timedelta(hours=1)
"""How long a process waits for the others, of which the first one may be judging what it has generated."""
LEAVING_S = 60.0
"""How long the other processes may take to end once the fit is over."""
NOTICING_S = 5.0
"""How long the end of a process may take to be known once its connection is closed."""


@dataclass(frozen=True)
class Place(ClusterEnvironment):
    """Which of the processes of a training this is, as Lightning asks for it.

    Attributes:
        rank: number of the process and of its device.
        size: of the group.
    """

    rank: int = 0
    size: int = 1

    creates_processes_externally = True
    main_address = "localhost"
    main_port = 0  # the group is there before Lightning would make one

    @staticmethod
    def detect() -> bool:
        """Never found by itself."""
        return False

    def world_size(self) -> int:
        """Count the processes."""
        return self.size

    def set_world_size(self, size: int) -> None:
        """It stays what it is."""

    def global_rank(self) -> int:
        """The number of this process."""
        return self.rank

    def set_global_rank(self, rank: int) -> None:
        """It stays what it is."""

    def local_rank(self) -> int:
        """The number of its device; all are in one machine."""
        return self.rank

    def node_rank(self) -> int:
        """There is one machine."""
        return 0


def averaging(place: Place, model: pl.LightningModule) -> DDPStrategy | None:
    """How several processes train one model: each its share of a batch, with the mean of all gradients.

    None for a process that is alone.
    """
    if place.size == 1:
        return None
    # networks that are trained in turn leave each other's weights without gradients
    return DDPStrategy(cluster_environment=place, find_unused_parameters=not model.automatic_optimization)


class OwnRandomNumbers(pl.Callback):
    """Noise that no other process draws, and that a resumed training draws again.

    Args:
        seed: of the fold.
        rank: of the process.
    """

    def __init__(self, seed: int, rank: int) -> None:
        self.seed, self.rank = seed, rank

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin a stream for the epoch."""
        stream = np.random.SeedSequence([self.seed, self.rank, trainer.current_epoch])
        torch.manual_seed(int(stream.generate_state(1)[0]))


@contextmanager
def together(directory: Path, fold: int, size: int, device: torch.device) -> Iterator[None]:
    """Inside the block, this process and one for each further device are one group, of which this is the first.

    Args:
        directory: of the run.
        fold: number of the fold.
        size: number of devices.
        device: that of this process.

    Raises:
        RunError: when one of the others ends before the fit does.
    """
    if size == 1:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        others = [_started(Path(folder), directory, fold, Place(rank, size)) for rank in range(1, size)]
        try:
            _join(Path(folder), Place(0, size), device, others)
            yield
            with suppress(subprocess.TimeoutExpired):
                for other in others:
                    other.wait(LEAVING_S)
        except EcganError:
            raise
        except RuntimeError as error:
            raise _explained(others, Path(folder)) or error from error
        finally:
            _leave()
            for other in others:
                other.kill()
                other.communicate()


@contextmanager
def joined(folder: Path, place: Place, device: torch.device) -> Iterator[None]:
    """Inside the block, this process is one of the further ones of the group; it ends when the first one does."""
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    _join(folder, place, device)
    try:
        yield
    finally:
        _leave()


def _started(folder: Path, directory: Path, fold: int, place: Place) -> subprocess.Popen[bytes]:
    """Start one of the further processes; a session of its own, so that Ctrl-C reaches the first process only."""
    words = [str(directory), str(fold), str(place.rank), str(place.size), str(folder)]
    with (folder / f"{place.rank}.log").open("wb") as stream:
        return subprocess.Popen(  # noqa: S603 - a module of this package, and no shell
            [sys.executable, "-P", "-m", PROGRAM, *words],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def _join(folder: Path, place: Place, device: torch.device, others: Sequence[subprocess.Popen[bytes]] = ()) -> None:
    """Wait until all are there, and become a group."""
    store = dist.FileStore(str(folder / STORE), place.size)  # type: ignore[attr-defined]
    store.set(f"ready_{place.rank}", "")
    names = [f"ready_{rank}" for rank in range(place.size)]
    while not store.check(names):
        if any(other.poll() is not None for other in others):
            raise RuntimeError("a process has ended before the group was there")
        time.sleep(0.05)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=place.rank,
        world_size=place.size,
        timeout=WAITING,
    )


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def _end_with_the_first() -> None:
    """Wait for the end of the pipe that the first process holds, however it ends."""
    sys.stdin.buffer.read()
    os._exit(1)


def _explained(others: Sequence[subprocess.Popen[bytes]], folder: Path) -> RunError | None:
    """What has ended one of the further processes, None if all are alive."""
    until = time.monotonic() + NOTICING_S
    while time.monotonic() < until:
        for rank, other in enumerate(others, 1):
            if other.poll():
                told = (folder / f"{rank}.log").read_text(encoding="utf-8", errors="replace").strip()
                log.error("device %d: %s", rank, told)
                last = told.splitlines()[-1] if told else f"exit code {other.returncode}"
                return RunError(f"The process of device {rank} has ended ({last}); go on with resume=<run directory>.")
        time.sleep(0.05)
    return None
