"""The console scripts, called in this process as a shell would call them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

SINE = ("dataset=sine", "dataset.n_series=200", "dataset.seq_len=32")
PATIENCE_S = 240
"""How long a test waits for a process on a busy machine."""
TINY = (*SINE, "trainer=smoke", "split.folds=2", "detector=[knn]", "trainer.figures=false", "generation.n=0")
"""Settings of the smallest run that has everything but a judgment of generated series."""


@dataclass(frozen=True)
class Outcome:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    def refused(self, code: int, *parts: str) -> None:
        """Assert that the command told what is wrong in one sentence with these parts, and nothing else."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"one line expected, got {self}"
        assert lines[0].startswith("ecgan-")
        assert lines[0].endswith((".", "?", ")"))
        assert "Traceback" not in lines[0]
        assert "unexpected" not in lines[0]
        assert [part for part in parts if part not in lines[0]] == [], lines[0]
        assert self.code == code, lines[0]

    def failed_jobs(self, failed: int, of: int, *parts: str) -> None:
        """Assert that jobs of a sweep failed: a line with these parts when each did, and their number at the end."""
        during = [line for line in self.out.splitlines() if ": failed in " in line]
        assert len(during) == failed, self
        assert [(part, line) for line in during for part in parts if part not in line] == []
        self.refused(1, f"{failed} of {of} jobs failed;", "tries them again.")

    def worked(self) -> str:
        """Assert that the command succeeded without a word on standard error; return what it printed."""
        assert (self.code, self.err) == (0, "")
        return self.out


@dataclass(frozen=True)
class Command:
    """Calls a console script; exceptions that leave it are not caught."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    folder: Path

    def __call__(self, name: str, *arguments: str) -> Outcome:
        from ecgan import cli

        forget_hydra()
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", [f"ecgan-{name}", *arguments])
        code = 0
        try:
            getattr(cli, name)()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        finally:
            forget_hydra()
        return Outcome(code, *self.capsys.readouterr())


def begun(folder: Path, *settings: str) -> subprocess.Popen[str]:
    """A training in a process of its own and in the folder ``run``, that has at least one epoch behind it."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", "from ecgan.cli import train; train()", *settings, "hydra.run.dir=run"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + PATIENCE_S
    while not (folder / "run" / "fold_0" / "checkpoints" / "last.ckpt").is_file():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    return process


def forget_hydra() -> None:
    """Clear what Hydra keeps between two commands of one process."""
    if "hydra" in sys.modules:
        from hydra.core.global_hydra import GlobalHydra

        GlobalHydra.instance().clear()


def left_in(folder: Path) -> list[str]:
    """Everything below a folder, files and folders alike."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def only_run(folder: Path) -> Path:
    """The one run directory below a folder."""
    found = [file.parent for file in folder.rglob("run.json") if "detections" not in file.parts]
    assert len(found) == 1
    return found[0]


def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what would change a command from outside."""
    for name in ("HYDRA_FULL_ERROR", "ECGAN_MIRROR"):
        monkeypatch.delenv(name, raising=False)
