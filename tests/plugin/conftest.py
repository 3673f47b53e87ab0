"""The example packages, installed as a user installs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin_package import found_in

HERE = Path(__file__).parent
KINDS = ("source", "model", "scorer")
collect_ignore_glob = ["*/test_*.py"]
"""Tests of the packages themselves run once these are installed, see ``test_examples.py``."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which pip has installed the three packages."""
    folder = tmp_path_factory.mktemp("examples")
    packages = [str(HERE / kind) for kind in KINDS]
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index")
    command = [sys.executable, "-m", "pip", "install", *quiet, "--target", str(folder), *packages]
    outcome = subprocess.run(command, check=False, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    return folder


@pytest.fixture
def examples(site: Path) -> Iterator[Path]:
    """The same, found by this process and those that it starts."""
    with found_in(site, [f"ecgan_example_{kind}" for kind in KINDS]):
        yield site
