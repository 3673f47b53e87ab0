"""``kill -9`` in the middle of a sweep: the same command again gives the results of an undisturbed one."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import TINY

SETTINGS = (*TINY, "trainer.max_epochs=3", "trainer.threads=1", "-m", "model=autoencoder,vae", "seed=0,1,2")
PROGRAM = "from ecgan.cli import train; train()"
PATIENCE_S = 600


def start(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != "ECGAN_MIRROR"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *SETTINGS, *more],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # the workers of a launcher shall die with it
    )


def whole(folder: Path, *more: str) -> float:
    """Run to the end; seconds that it took."""
    started = time.perf_counter()
    with start(folder, *more) as process:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err.decode()
    return time.perf_counter() - started


def killed(folder: Path, after_s: float, *more: str) -> bool:
    """Kill after some seconds; tell whether it was still at work."""
    with start(folder, *more) as process:
        time.sleep(after_s)
        at_work = process.poll() is None
        os.killpg(process.pid, signal.SIGKILL) if at_work else None
        process.communicate(timeout=PATIENCE_S)
    return at_work


def results(folder: Path) -> dict[str, dict[str, str]]:
    """Rows of ``sweep_results.csv`` by job, without how long they took."""
    (file,) = folder.rglob("sweep_results.csv")
    with file.open() as stream:
        rows = {row.pop("job"): row for row in csv.DictReader(stream)}
    return {name: {key: value for key, value in row.items() if key != "seconds"} for name, row in rows.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher", [(), ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")], ids=["basic", "joblib"]
)
def test_killed_at_random_moments(tmp_path: Path, launcher: tuple[str, ...]) -> None:
    took = whole(tmp_path / "undisturbed", *launcher)
    expected = results(tmp_path / "undisturbed")
    assert len(expected) == 6
    assert {row["status"] for row in expected.values()} == {"finished"}
    random.seed(6)
    at_work = sum(
        killed(tmp_path / "killed", took * random.uniform(0.2, 0.7), *launcher)  # noqa: S311
        for _ in range(5)
    )
    whole(tmp_path / "killed", *launcher)
    assert results(tmp_path / "killed") == expected
    assert at_work, "no moment hit a sweep that was still at work"
