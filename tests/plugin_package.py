"""Third parties' packages: one written to disk, and the examples of the documentation, installed by pip."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NAME = "ecgan_test_plugin"
EXAMPLES = Path(__file__).parent / "plugin"
KINDS = ("source", "model", "scorer")
"""Folders of the example packages."""
MODELS = '''
"""Two models: one that only has a loss, and one that returns its input."""

import torch
from ecgan.models.base import Model


class Silent(Model):
    """Learns the mean of all series and can do nothing else."""

    def __init__(self, spec, optimizer, start: float = 0.0):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.full((1, spec.channels, spec.seq_len), start))
        self.optimizer = optimizer

    def training_step(self, batch):
        return self.loss(batch)

    def loss(self, batch):
        return (batch.x - self.mean).square().mean()

    def configure_optimizers(self):
        return self.optimizer(self.parameters())


class Echo(Silent):
    """Reconstructs the mean, whatever it sees."""

    def reconstruct(self, x):
        return self.mean.expand_as(x)
'''
CONFIG = """
# {name}
_target_: {package}.models.{cls}
start: 0.5 # first guess of every sample
optimizer:
  _target_: torch.optim.SGD
  _partial_: true
  lr: 0.1
"""


@contextmanager
def installed_plugin(folder: Path) -> Iterator[str]:
    """Write the package and its metadata into ``folder``, put that on the path, and take all back afterwards."""
    files = {
        f"{NAME}/__init__.py": "",
        f"{NAME}/models.py": MODELS,
        f"{NAME}/conf/__init__.py": "",
        f"{NAME}/conf/model/silent.yaml": CONFIG.format(name="silent", package=NAME, cls="Silent"),
        f"{NAME}/conf/model/echo.yaml": CONFIG.format(name="echo", package=NAME, cls="Echo"),
        f"{NAME}/conf/pair/sine_echo.yaml": "# @package _global_\nmodel:\n  start: 0.25\n",
        f"{NAME}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        f"{NAME}-1.0.dist-info/entry_points.txt": f"[ecgan.configs]\n{NAME} = {NAME}.conf\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    with found_in(folder, [NAME]):
        yield NAME


@contextmanager
def found_in(folder: Path, packages: Collection[str]) -> Iterator[None]:
    """Put a folder of installed packages on the path, and forget them afterwards."""
    from ecgan.plugins import config_packages

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)  # of processes that start anew
        config_packages.cache_clear()
        yield
    config_packages.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]


def install_examples(folder: Path) -> None:
    """Install the example packages into a folder, with pip and without a network."""
    packages = [str(EXAMPLES / kind) for kind in KINDS]
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index")
    command = [sys.executable, "-m", "pip", "install", *quiet, "--target", str(folder), *packages]
    outcome = subprocess.run(command, check=False, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
