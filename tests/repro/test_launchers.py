"""Launchers that need more than this process: submitit's local executor, and a cluster of Ray."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from commands import TINY

QUICK = (*TINY, "split.only=[0]", "trainer.threads=1")
PROGRAM = "from ecgan.cli import train; train()"
PATIENCE_S = 600
RAY = (
    "hydra/launcher=ray",
    "+hydra.launcher.ray.init.num_cpus=2",
    "+hydra.launcher.ray.init.include_dashboard=false",
    "+hydra.launcher.ray.remote.num_cpus=1",
    "+hydra.launcher.ray.remote.max_retries=0",
)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != "ECGAN_MIRROR"}
    # workers of Ray read it too: they import what the command has imported
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def statuses(folder: Path) -> list[str]:
    (file,) = folder.rglob("sweep_results.csv")
    with file.open() as stream:
        return [row["status"] for row in csv.DictReader(stream)]


@pytest.mark.slow
def test_submitit_runs_jobs_as_slurm_would(tmp_path: Path) -> None:
    arguments = ("-m", *QUICK, "seed=0,1", "hydra/launcher=submitit_local")
    with start(tmp_path, *arguments) as process:
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out
    assert statuses(tmp_path) == ["finished", "finished"]
    with start(tmp_path, *arguments) as process:
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert "Sweep of 2 job(s) (2 finished)" in out


def workers_of(pid: int) -> list[int]:
    """Processes of Ray that are at work on a job of a command."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_text().replace("\0", " ")
            session = os.getsid(int(file.parent.name))
        except (OSError, ValueError):
            continue
        if words.startswith("ray::") and "IDLE" not in words and session == pid:
            found.append(int(file.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None or find_spec("hydra_plugins.hydra_ray_launcher") is None, reason="no Ray")
def test_a_killed_worker_of_a_ray_cluster_costs_its_job_only(tmp_path: Path) -> None:
    arguments = ("-m", *QUICK, "trainer.max_epochs=60", "trainer.limit_train_batches=1.0", "seed=range(4)", *RAY)
    with start(tmp_path, *arguments) as process:
        until = time.monotonic() + PATIENCE_S
        while not list(tmp_path.rglob("fold_0")) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        at_work = workers_of(process.pid)
        assert at_work, "no worker was found at work"
        os.kill(at_work[0], signal.SIGKILL)
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0, out
    with start(tmp_path, *arguments) as process:
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out
    assert statuses(tmp_path) == ["finished"] * 4
