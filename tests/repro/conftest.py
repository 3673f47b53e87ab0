"""Small runs that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ecgan.config import compose
from ecgan.experiment import run

SETTINGS = (
    "dataset=sine",
    "dataset.n_series=240",
    "dataset.seq_len=32",
    "paths.data=data",  # relative: it must be found again from another working directory
    "paths.mirror=null",
    "trainer=smoke",
    "trainer.max_epochs=3",
    "trainer.threads=1",
    "data.batch_size=16",
    "split.folds=3",
    "generation.n=40",  # fewer than there are
    "generation.bootstrap=5",
    "model.optimizer.lr=0.01",
    "detector.lstm_autoencoder.scorer.epochs=1",
    "detector.knn.scorer.max_train=50",  # fewer than there are, so that a draw is part of what must come again
)

Execute = Callable[..., Path]


@pytest.fixture(scope="session")
def settings() -> tuple[str, ...]:
    """Overrides that every run here has."""
    return SETTINGS


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs are started; holds the data and the run directories."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="session")
def execute(workspace: Path) -> Execute:
    """Run with some more settings, in the workspace, and return the run directory."""

    def call(name: str, *overrides: str) -> Path:
        chosen = any(override.startswith("detector=") for override in overrides)
        kept = [setting for setting in SETTINGS if not (chosen and setting.startswith("detector."))]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(workspace)
            patch.delenv("ECGAN_MIRROR", raising=False)
            run(compose([*kept, *overrides]), workspace / name)
        return workspace / name

    return call


@pytest.fixture(scope="session")
def full(execute: Execute) -> Path:
    """A finished run of three folds. Nobody may change it; copy it first."""
    return execute("full")
