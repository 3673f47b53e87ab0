"""Fixtures that all tests share. Nothing heavy is imported before a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from commands import TINY, Command, clean_environment, forget_hydra, only_run
from plugin_package import KINDS, found_in, install_examples, installed_plugin

if TYPE_CHECKING:
    from ecgan.data.source import Source
    from ecgan.data.store import Store
    from ecgan.types import Recordings

SEQ_LEN = 64
COUNTS = (180, 36, 24)
GROUPS = 24


@pytest.fixture(scope="session")
def toy_source() -> Source:
    """240 noisy series of 64 samples: a sine wave is normal, a faster one and one with a spike are not.

    Groups are 24 made-up patients of ten series each. The source's own partition is two thirds training, one third
    test. The classes are easy to tell apart, and none is constant. It needs no files.
    """
    from ecgan.data.source import BaseSource
    from ecgan.types import TEST, TRAIN, Recordings

    class ToySource(BaseSource):
        name = "toy"
        classes = ("normal", "fast", "spike")

        def pieces(self, raw: Path) -> Sequence[slice]:
            return (slice(0, 100), slice(100, None))

        def read(self, raw: Path, piece: Any) -> Recordings:
            rng = np.random.default_rng(20)
            y = rng.permutation(np.repeat(np.arange(3), COUNTS))
            t = np.linspace(0, 1, SEQ_LEN)
            phase = rng.normal(0, 0.2, (len(y), 1))
            x = np.sin(2 * np.pi * np.where(y == 1, 5, 2)[:, None] * t + phase)
            x[y == 2, SEQ_LEN // 2 : SEQ_LEN // 2 + 3] += 4
            x = (x + rng.normal(0, 0.1, x.shape)).astype(np.float32)[:, None, :]
            group = np.arange(len(y)) % GROUPS
            part = np.where(np.arange(len(y)) < 160, TRAIN, TEST)
            return Recordings(x[piece], y[piece], fs_hz=100.0, unit="mV", group=group[piece], part=part[piece])

    return ToySource()


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with real raw files, laid out as ``<dataset>/raw/…``."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ECGAN_MIRROR") or beside)
    if not folder.is_dir():
        pytest.skip("no raw files here: ECGAN_MIRROR is not set and there is no folder shared/data beside the project")
    return folder


@pytest.fixture(scope="session")
def toy_store(toy_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of 240 series in 3 classes with known groups, read-only and shared by all tests."""
    from ecgan.data.store import prepare

    folder = tmp_path_factory.mktemp("toy")
    return prepare(
        toy_source, [], folder, folder / "processed" / "0123456789abcdef", {"name": "toy", "hash": "toy", "raw": {}}
    )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Calls console scripts in an empty folder: ``command("train", "model=beatgan")``."""
    clean_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return Command(monkeypatch, capsys, tmp_path)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two folds with the detector ``knn``, shared by all tests; copy it to change it."""
    import contextlib
    import io

    from ecgan import cli

    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        clean_environment(patch)
        patch.chdir(folder)
        patch.setattr("sys.argv", ["ecgan-train", *TINY])
        forget_hydra()
        cli.train()
        forget_hydra()
    return only_run(folder / "outputs")


@pytest.fixture
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of an installed plug-in package with the models ``silent`` and ``echo``."""
    with installed_plugin(tmp_path_factory.mktemp("site")) as name:
        yield name


@pytest.fixture(scope="session")
def example_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which pip has installed the example packages."""
    folder = tmp_path_factory.mktemp("examples")
    install_examples(folder)
    return folder


@pytest.fixture
def examples_installed(example_site: Path) -> Iterator[Path]:
    """The same, found by this process and those that it starts."""
    with found_in(example_site, [f"ecgan_example_{kind}" for kind in KINDS]):
        yield example_site
