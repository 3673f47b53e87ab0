"""A run with several detectors, and what was published of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import SINE, clean_environment
from published_detectors import Execute

DETECTORS = "detector=[reconstruction,knn,pca]"


@pytest.fixture(scope="session")
def execute(tmp_path_factory: pytest.TempPathFactory) -> Execute:
    """Run with some settings and return the run directory."""
    from ecgan.config import compose
    from ecgan.experiment import run

    def call(*settings: str) -> Path:
        folder = tmp_path_factory.mktemp("secret")
        small = ("trainer=smoke", "trainer.figures=false", "trainer.threads=1", "generation.n=0", "split=holdout")
        with pytest.MonkeyPatch.context() as patch:
            clean_environment(patch)
            patch.chdir(folder)
            run(compose([*SINE, *small, f"paths.data={folder / 'data'}", *settings]), folder / "run")
        return folder / "run"

    return call


@pytest.fixture(scope="session")
def several(execute: Execute) -> Path:
    """A finished run with the detectors reconstruction, knn and pca. Nobody may change it."""
    return execute(DETECTORS, "data.eval_batch_size=16", "tracker.entity=somebody")


@pytest.fixture(scope="session")
def bundle(several: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was published of it, as a folder. Nobody may change it."""
    from ecgan.publish.bundle import Request, publish

    place = tmp_path_factory.mktemp("published") / "bundle"
    publish(Request(several, place))
    return place
