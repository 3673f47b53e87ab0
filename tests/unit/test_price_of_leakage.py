"""The experiment ``price_of_leakage`` measures what mixing patients is worth, on data where it is known to be much."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from commands import Command
from ecgan import assembly
from ecgan.config import compose
from ecgan.data.source import BaseSource
from ecgan.data.store import Store, prepare
from ecgan.types import Recordings
from ecgan.usage import conf_dir

PATIENTS, BEATS, LENGTH = 30, 20, 32


class OwnHeartbeats(BaseSource):
    """Every patient has a beat of its own, and its abnormal beats are closer to it than those of other patients."""

    name = "own"
    classes = ("normal", "odd")

    def pieces(self, raw: Path) -> range:
        return range(1)

    def read(self, raw: Path, piece: int) -> Recordings:
        rng = np.random.default_rng(5)
        group = np.repeat(np.arange(PATIENTS), BEATS)
        y = np.tile(np.arange(BEATS) % 4 == 0, PATIENTS).astype(np.int64)
        own = rng.normal(size=(PATIENTS, LENGTH)).cumsum(1)[group]
        x = own + rng.normal(0, 0.02, own.shape)
        x[y == 1] += rng.normal(0, 0.3, (int(y.sum()), LENGTH))
        return Recordings(x.astype(np.float32)[:, None], y, fs_hz=100.0, unit="mV", group=group)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    facts = {"name": "own", "hash": "own", "raw": {}}
    return prepare(OwnHeartbeats(), [], tmp_path, tmp_path / "processed" / "own", facts)


def test_it_is_two_runs_that_differ_in_patients_alone() -> None:
    cfg = compose(["experiment=price_of_leakage"])
    assert (cfg.split.method, cfg.split.test, cfg.tracker.experiment) == ("kfold", "rotate", "price_of_leakage")
    own = OmegaConf.load(conf_dir() / "experiment" / "price_of_leakage.yaml")
    assert own.hydra.mode == "MULTIRUN"
    assert dict(own.hydra.sweeper.params) == {"split.group": "false, true"}


def test_mixed_patients_look_better_than_they_are(
    store: Store, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "open_data", lambda _: store)
    quick = ("trainer=smoke", "split.folds=3", "trainer.figures=false", "generation.n=0")
    command("train", "experiment=price_of_leakage", "detector=[knn]", *quick).worked()
    out = command("report", "outputs/local/ecgan/price_of_leakage").worked()
    assert "Price of leakage" in out
    with (command.folder / "comparison" / "table.csv").open(encoding="utf-8", newline="") as stream:
        lines = [line for line in csv.DictReader(stream) if line["metric"] == "auroc"]
    found = {line["groups"]: float(line["mean"]) for line in lines}
    assert set(found) == {"mixed", "kept apart"}
    assert found["mixed"] > 0.9
    assert found["kept apart"] < found["mixed"] - 0.2
    page = (command.folder / "comparison" / "report.html").read_text("utf-8")
    assert f"<td>{found['mixed'] - found['kept apart']:+.3f}</td>" in page
    for words in ("patients mixed between training and validation", "no patient is in two parts"):
        assert words in page
