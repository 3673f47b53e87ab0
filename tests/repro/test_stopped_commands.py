"""Real commands, stopped where no training step is under way, and two at once on one directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import TINY, Command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")

TRAIN = "from ecgan.cli import train; train()"
SETTINGS = (*TINY, "split=holdout", "trainer.threads=1", "hydra.run.dir=run")
SLOW_FIT = ("detector=[lstm_autoencoder]", "detector.lstm_autoencoder.scorer.epochs=100000")
SLOW_READING = f"""
import time
from pathlib import Path
from ecgan.data.sources.sine import Sine
def read(self, raw, piece):
    Path(f"reading_{{piece}}").touch()
    time.sleep(1000)
Sine.pieces, Sine.read = lambda self, raw: range(4), read
{TRAIN}
"""
STOPPED = {
    "a scorer is fitted": (TRAIN, SLOW_FIT, "run/fold_0/checkpoints/last.ckpt"),
    "data are read": (SLOW_READING, ("preprocess.workers=2",), "reading_1"),
}
PATIENCE_S = 300


def start(folder: Path, program: str, *settings: str) -> subprocess.Popen[str]:
    """Start a command as a terminal does, with a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, *SETTINGS, *settings],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("moment", STOPPED)
def test_one_ctrl_c_stops_at_once_while(moment: str, command: Command) -> None:
    program, settings, file = STOPPED[moment]
    process = start(command.folder, program, *settings)
    until = time.monotonic() + PATIENCE_S
    while not (command.folder / file).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to the processes that read data too
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (130, "")
    assert f"go on with: ecgan-train resume={command.folder / 'run'}" in out
    assert json.loads((command.folder / "run" / "run.json").read_text("utf-8"))["status"] == "interrupted"
    assert not list(command.folder.rglob("*.part"))


def test_of_two_at_the_same_moment_one_runs_and_one_is_refused(command: Command) -> None:
    both = [start(command.folder, TRAIN) for _ in range(2)]
    ended = [process.communicate(timeout=PATIENCE_S) for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    winner, loser = sorted(ended, key=lambda told: len(told[1]))
    assert "Run directory:" in winner[0]
    assert loser[1].count("\n") == 1
    assert "Another process works on" in loser[1] or "already holds a run" in loser[1]
    assert json.loads((command.folder / "run" / "run.json").read_text("utf-8"))["status"] == "finished"
