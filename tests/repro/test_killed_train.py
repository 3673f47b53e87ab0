"""``kill -9`` at random moments of ``ecgan-train``, resumed each time: the results of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import SINE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups as POSIX has them")

SETTINGS = (
    *SINE,
    "model=vae",
    "trainer=smoke",
    "trainer.threads=1",
    "trainer.max_epochs=30",
    "trainer.limit_train_batches=1.0",
    "trainer.patience=20",
    "split.folds=3",
    "detector=[reconstruction,knn,pca]",
    "generation.n=40",
    "generation.bootstrap=5",
    "paths.mirror=null",
)
PROGRAM = "from ecgan.cli import train; train()"
PATIENCE_S = 600
SAME = ("results.csv", "summary.json", "splits.json")
SAME_OF_FOLD = ("lightning/metrics.csv", "transform.json", "generation/quality.csv")


def start(directory: Path) -> subprocess.Popen[bytes]:
    """Begin a run, or go on with it where it has begun."""
    begun = (directory / "run.json").exists()
    arguments = [f"resume={directory}"] if begun else [*SETTINGS, f"hydra.run.dir={directory}"]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=directory.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(directory: Path) -> float:
    """Go on to the end; seconds that it took."""
    began = time.perf_counter()
    with start(directory) as process:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, err) == (0, b"")
    return time.perf_counter() - began


def killed(directory: Path, after_s: float) -> bool:
    """Kill after some seconds; tell whether it was still at work. If not, it must have ended well."""
    with start(directory) as process:
        try:
            _, err = process.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=PATIENCE_S)
            return True
        assert (process.returncode, err) == (0, b"")
    return False


def contents(directory: Path) -> dict[str, bytes]:
    """What must come out the same."""
    folds = sorted(path.name for path in directory.glob("fold_*"))
    names = [*SAME, *(f"{fold}/{name}" for fold in folds for name in SAME_OF_FOLD)]
    names += [str(path.relative_to(directory)) for path in directory.glob("fold_*/detection/*/predictions.csv")]
    return {name: (directory / name).read_bytes() for name in names}


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    took = finish(tmp_path / "undisturbed")
    expected = contents(tmp_path / "undisturbed")
    moments, hits, number = random.Random(kills), 0, 0  # noqa: S311 - no secret
    while hits < kills:
        directory = tmp_path / str(number)
        if killed(directory, took * moments.uniform(0.2, 0.9)):
            hits += 1
            if hits < kills:
                continue
            finish(directory)
        facts = json.loads((directory / "run.json").read_text("utf-8"))
        assert facts["status"] == "finished"
        assert contents(directory) == expected
        assert not [path for path in directory.rglob("*") if path.suffix == ".part"]
        number += 1
        assert number < 3 * kills, "the kills came too late"
