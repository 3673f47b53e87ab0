"""The three example packages, as the documentation shows them: installed by pip and used like what comes with ecgan."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import Command, only_run
from ecgan.data.splits.splits_file import read_splits

HERE = Path(__file__).parent
MADE_UP = runpy.run_path(str(HERE / "source" / "made_up.py"))
QUICK = ("trainer=smoke", "split.folds=2", "trainer.figures=false", "generation.n=0")


def test_pip_has_installed_them(examples_installed: Path) -> None:
    from ecgan.plugins import trusted_packages

    assert trusted_packages() == ("ecgan_example_model", "ecgan_example_scorer", "ecgan_example_source")
    assert (examples_installed / "ecgan_example_source" / "conf" / "dataset" / "ward.yaml").is_file()


def test_they_work_together(examples_installed: Path, command: Command) -> None:
    MADE_UP["write"](command.folder / "data" / "ward" / "raw")
    listed = command("preprocess", "--list").worked()
    assert "ward: beats of our ward (healthy, ill)" in " ".join(listed.split())
    chosen = ("dataset=ward", "model=denoising", "detector=[spectrum,reconstruction,knn]", "transform=none")
    command("train", *chosen, *QUICK).worked()
    run = only_run(command.folder / "outputs")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["spectrum"]["auroc"]["mean"] == 1.0  # ill hearts beat twice as fast, and amplitudes differ more
    folds, *_ = read_splits(run / "splits.json")
    assert len(folds) == 2
    for fold in folds:
        assert not set(fold.train // MADE_UP["BEATS"]) & set(
            fold.test // MADE_UP["BEATS"]
        )  # beats of a patient follow one another
    again = command("detect", f"run={run}").worked()
    assert "6 of 6 predictions equal the run's byte for byte" in " ".join(again.split())


def test_a_bundle_of_them_scores_new_series(examples_installed: Path, command: Command) -> None:
    MADE_UP["write"](command.folder / "data" / "ward" / "raw")
    command("train", "dataset=ward", "model=denoising", "detector=[spectrum]", *QUICK, "split.only=[0]").worked()
    run = only_run(command.folder / "outputs")
    command("publish", f"run={run}", "to=bundle.zip").worked()
    np.save("new.npy", np.random.default_rng(3).normal(size=(5, 1, 100)).astype(np.float32))
    command("detect", "run=bundle.zip", "input=new.npy", "out=scores.csv").worked()
    assert np.isfinite(pd.read_csv("scores.csv")["score"]).sum() == 5


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        (("dataset=wrad",), ("did you mean 'ward'",)),
        (("detector=[spectrun]",), ("did you mean 'spectrum'",)),
        (("dataset=ward", "dataset.samples=many"), ("dataset.samples", "Ward", "whole number")),
        (("model=denoising", "model.nois=0.2"), ("model.nois", "did you mean 'noise'")),
        (("model=denoising", "model.noise=-1"), ("model.noise is -1",)),
        (("detector=[spectrum]", "detector.spectrum.scorer.max_trian=5"), ("max_trian", "max_train")),
    ],
)
def test_their_settings_are_checked(
    settings: tuple[str, ...], parts: tuple[str, ...], examples_installed: Path, command: Command
) -> None:
    command("train", *settings).refused(2, *parts)


def test_their_own_tests_pass(example_site: Path, tmp_path: Path) -> None:
    files = sorted(HERE.glob("*/test_*.py"))
    assert len(files) == 3
    for file in files:
        shutil.copy(file, tmp_path)  # away from the settings of this suite
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(example_site), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    outcome = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout
    assert " passed" in outcome.stdout
