"""Lightning's trainer as a config has it, and what surrounds a fit: threads, seeds, memory, silence."""

from __future__ import annotations

import ctypes
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.strategies import DDPStrategy
from threadpoolctl import threadpool_limits

from ecgan.checkpointing import WholeCheckpoints
from ecgan.errors import ConfigError

DEFAULT_THREADS = torch.get_num_threads()


def make_trainer(
    cfg: DictConfig,
    directory: Path,
    callbacks: list[pl.Callback],
    record: Logger | None = None,
    several: DDPStrategy | None = None,
) -> pl.Trainer:
    """Lightning's trainer with the settings of the section ``trainer``.

    Args:
        cfg: the config.
        directory: of the fold.
        callbacks: all callbacks.
        record: where metrics are logged, if anywhere.
        several: how the devices train together; None for one device, whatever the config says.
    """
    settings = cfg.trainer
    limit = settings.limit_train_batches
    try:
        return pl.Trainer(
            max_epochs=settings.max_epochs,
            accelerator=settings.accelerator,
            devices=settings.devices if several else 1,
            strategy=several or "auto",
            use_distributed_sampler=False,  # our loaders share out each batch themselves
            precision=settings.precision,
            deterministic=settings.deterministic,
            limit_train_batches=limit if limit <= 1 else int(limit),
            callbacks=callbacks,
            logger=record or False,
            default_root_dir=directory,
            inference_mode=False,  # scorers may search with gradients in validate and test
            num_sanity_val_steps=0,
            enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
            # alone under SLURM or MPI a run is still one process, and the scheduler's user requeues it
            plugins=[WholeCheckpoints()] if several else [WholeCheckpoints(), LightningEnvironment()],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError) as error:
        raise ConfigError(
            f"This machine or Lightning refuses the section trainer: {error} Change trainer.*."
        ) from error


def threads_of(cfg: DictConfig) -> int:
    """Threads of this process; those of the machine are divided among the processes of a training."""
    return int(cfg.trainer.threads or max(1, DEFAULT_THREADS // cfg.trainer.devices))


def seed_fold(seed: int, number: int, threads: int | None) -> int:
    """Seed everything for one fold and return its seed, which no other fold has any influence on."""
    # filling fresh memory with NaN finds bugs in kernels and costs every operation time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    pl.seed_everything(own, verbose=False)
    torch.set_num_threads(threads or DEFAULT_THREADS)  # whatever an earlier run in this process has set
    threadpool_limits(threads or DEFAULT_THREADS, "blas")  # numpy's sums depend on their number too
    return own


def return_memory() -> None:
    """Give freed memory back to the system, which glibc does not do by itself for what lies between other pieces."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advice off the screen; its errors still come through."""
    loud = logging.getLogger("pytorch_lightning")
    level = loud.level
    loud.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # everything is in memory already, so worker processes would only cost time
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        warnings.filterwarnings("ignore", message=".*number of training batches")
        # a later detection needs the weights, not the bookkeeping of the training
        warnings.filterwarnings("ignore", message=".*callbacks used to create the checkpoint")
        # models sum over devices themselves
        warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
        # a training that goes on has checkpoints
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
        # Lightning with the newest torch; nothing a user can change
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
        try:
            yield
        finally:
            loud.setLevel(level)
