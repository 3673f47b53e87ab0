"""``kill -9`` in the middle of ``ecgan-preprocess``: the same command again gives the store of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SETTINGS = ("dataset=sine", "dataset.n_series=60000", "dataset.seq_len=187", "preprocess=interpolate")
PROGRAM = "from ecgan.cli import preprocess; preprocess()"
PATIENCE_S = 300


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, *SETTINGS, "preprocess.length=160", f"paths.data={folder / 'data'}"]
    environment = {key: value for key, value in os.environ.items() if key != "ECGAN_MIRROR"}
    # a group of its own: the workers shall die with it, as they do when a machine is switched off
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def whole(folder: Path) -> float:
    """Run to the end; seconds that it took."""
    started = time.perf_counter()
    with start(folder) as process:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err.decode()
    return time.perf_counter() - started


def killed(folder: Path, after_s: float) -> bool:
    """Kill after some seconds; tell whether it was still at work."""
    with start(folder) as process:
        time.sleep(after_s)
        at_work = process.poll() is None
        os.killpg(process.pid, signal.SIGKILL) if at_work else None
        process.communicate(timeout=PATIENCE_S)
    return at_work


def contents(folder: Path) -> dict[str, bytes]:
    """Files of the store, but for the locks."""
    files = [path for path in sorted((folder / "data").rglob("*")) if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("moments", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path: Path, moments: int) -> None:
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    took = whole(undisturbed)
    expected = contents(undisturbed)
    assert sum(map(len, expected.values())) > 60_000 * 160 * 4
    random.seed(moments)
    at_work = 0
    for number in range(moments):
        folder = tmp_path / str(number)
        folder.mkdir()
        # the second half is where it writes: the first is starting Python
        at_work += killed(folder, took * random.uniform(0.4, 1.0))  # noqa: S311
        whole(folder)
        assert contents(folder) == expected, "the same files, nothing left over, byte for byte"
    assert at_work or moments == 1, "no moment hit a run that was still at work"
