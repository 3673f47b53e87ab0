"""The series that both sides work on: a fold as the suite divides it, and the same as arrays for others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from ecgan import assembly
from ecgan.config import compose
from ecgan.data.datamodule import DataModule
from ecgan.types import Batch, IntArray

DETECTION = ("experiment=ecg5000_first2000", "detector=reconstruction")
"""1,900 normal beats train, 919 normal and 2,081 abnormal ones are scored."""
CLASSES = ("experiment=ucr_classification", "dataset=ecg5000", "model=inception_time", "model.label_smoothing=0")
"""450 beats train, 4,500 are classified."""
ALONE = ("trainer.accelerator=cpu", "trainer.threads=1", "trainer.progress_bar=false", "trainer.figures=false")


def composed(settings: Sequence[str], given: dict[str, Any]) -> DictConfig:
    """The settings of a work."""
    return compose(words(settings, given))


def words(settings: Sequence[str], given: dict[str, Any]) -> list[str]:
    """The same as a command has them."""
    sizes = (f"data.batch_size={given['batch']}", f"trainer.max_epochs={given['epochs']}", f"seed={given['seed']}")
    return [*settings, *ALONE, *sizes, f"paths.data={given['folder']}/data"]


def opened(cfg: DictConfig) -> DataModule:
    """The loaders of the only fold."""
    store = assembly.open_data(cfg)
    return assembly.data_module(cfg, store, assembly.folds_of(cfg, store)[0], int(cfg.seed))


def whole(data: DataModule, indices: IntArray) -> Batch:
    """All series of a part at once."""
    part = data.part(indices)
    return part.__getitems__(np.arange(len(part)))


def write(settings: Sequence[str], given: dict[str, Any]) -> Path:
    """The same series as two-dimensional arrays in an ``.npz`` file."""
    data = opened(composed(settings, {**given, "seed": 0}))
    train, val, test = (whole(data, part) for part in (data.fold.train, data.fold.val, data.fold.test))
    file = Path(given["folder"], "work.npz")
    np.savez(
        file,
        train=train.x[:, 0].numpy(),
        train_label=train.y.numpy(),
        val=val.x[:, 0].numpy(),
        test=test.x[:, 0].numpy(),
        test_label=test.y.numpy(),
        abnormal=(test.y != 0).numpy(),
    )
    return file
