"""The run directory is a contract: which files it has, who owns it, and how it says that a run failed."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgan import experiment
from ecgan.config import compose
from ecgan.errors import ConfigError, RunError
from ecgan.evaluate.predictions import COLUMNS

Execute = Callable[..., Path]
DETECTORS = ("reconstruction", "lstm_autoencoder", "knn", "pca")


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def facts(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "run.json").read_text("utf-8"))
    return content


def of_fold(detectors: Sequence[str], figures: bool = False) -> set[str]:
    """The files of a fold."""
    names = {"checkpoints/best.ckpt", "checkpoints/last.ckpt", "lightning/metrics.csv", "transform.json"}
    for name in detectors:
        tables = ("threshold.json", "validation.csv", "predictions.csv", "metrics.json")
        names |= {f"detection/{name}/{file}" for file in tables}
        if name != "reconstruction":  # the model itself is its state
            names.add(f"detection/{name}/scorer.safetensors")
        if figures:
            names |= {f"figures/{name}_{kind}.png" for kind in DRAWN}
    names |= {"generation/quality.csv", "generation/samples.npz"}
    drawn = {"loss", "reconstruction", "generated", *(f"generated_{kind}" for kind in GENERATED)}
    return names | ({f"figures/{name}.png" for name in drawn} if figures else set())


GENERATED = ("spread", "latent_walk", "interpolation", "embedding")
DRAWN = ("scores", "recall", "curves", "gallery", "mistakes")


AT_THE_TOP = {"run.json", "splits.json", "ecgan.log", ".lock", "results.csv", "summary.json", "report.html"}


def test_a_finished_run_has_exactly_these_files(full: Path) -> None:
    expected = AT_THE_TOP | {".hydra/config.yaml"}
    for number in range(3):
        expected |= {f"fold_{number}/{name}" for name in of_fold(DETECTORS)}
    assert files(full) == expected


def test_figures_are_files_and_part_of_the_report(execute: Execute) -> None:
    drawn = execute("drawn", "split=holdout", "detector=[reconstruction,pca]", "trainer.figures=true")
    fold = of_fold(("reconstruction", "pca"), figures=True)
    assert files(drawn) == AT_THE_TOP | {".hydra/config.yaml"} | {f"fold_0/{name}" for name in fold}
    figures = list((drawn / "fold_0" / "figures").iterdir())
    assert all(figure.read_bytes().startswith(b"\x89PNG") for figure in figures)
    page = (drawn / "report.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == len(figures) == 17


def test_columns_of_the_tables(full: Path) -> None:
    with (full / "results.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert set(rows[0]) == {"fold", "detector", "split", "metric", "value"}
    assert {row["detector"] for row in rows} == {"-", *DETECTORS}
    for file in full.glob("fold_*/detection/*/predictions.csv"):
        assert file.read_text("utf-8").splitlines()[0] == ",".join(COLUMNS)


def test_how_good_generated_series_are_stands_in_the_results(full: Path) -> None:
    with (full / "results.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    of_model = [row for row in rows if row["detector"] == "-" and row["value"]]  # without labels some are undefined
    found = {(row["fold"], row["split"], row["metric"]): float(row["value"]) for row in of_model}
    for fold in "012":
        for split in ("val", "test"):
            for metric in ("mmd", "frechet", "recall", "coverage", "discriminative", "memorized"):
                assert math.isfinite(found[fold, split, f"generated_{metric}"])
                assert math.isfinite(found[fold, split, f"generated_{metric}_reference"])
    summary = json.loads((full / "summary.json").read_text("utf-8"))["-"]
    assert summary["generated_recall"]["n"] == 3
    values = [found[fold, "test", "generated_recall"] for fold in "012"]
    assert summary["generated_recall"]["mean"] == pytest.approx(sum(values) / 3)
    with np.load(full / "fold_0" / "generation" / "samples.npz", allow_pickle=False) as samples:
        assert samples["x"].shape == (40, 1, 32)


def test_run_json_says_what_ran_on_what(full: Path) -> None:
    found = facts(full)
    assert found["status"] == "finished"
    assert found["dataset"]["counts"] == {"normal": 192, "noise": 24, "superimposed": 24}
    assert found["dataset"]["shape"] == [240, 1, 32]
    assert found["seed"] == 0
    assert found["detectors"] == list(DETECTORS)
    assert set(found["folds"]) == {"fold_0", "fold_1", "fold_2"}
    seeds = set()
    for entry in found["folds"].values():
        assert entry["device"] == "cpu"
        assert entry["threads"] == 1
        assert set(entry["scorers"]) == {"lstm_autoencoder", "knn", "pca"}
        seeds.add(entry["seed"])
    assert len(seeds) == 3


def test_summary_averages_the_results(full: Path) -> None:
    with (full / "results.csv").open(encoding="utf-8") as stream:
        values = [
            float(row["value"])
            for row in csv.DictReader(stream)
            if (row["detector"], row["split"], row["metric"]) == ("knn", "test", "auroc")
        ]
    entry = json.loads((full / "summary.json").read_text("utf-8"))["knn"]["auroc"]
    assert len(values) == entry["n"] == 3
    assert entry["mean"] == pytest.approx(sum(values) / 3)


def test_parts_of_every_fold_are_disjoint_and_training_is_normal(full: Path) -> None:
    content = json.loads((full / "splits.json").read_text("utf-8"))
    assert content["n_series"] == 240
    assert content["groups_known"] is False
    assert content["protocol"]["method"] == "kfold"
    assert len({json.dumps(fold["test"]) for fold in content["folds"]}) == 1  # one fixed test part
    for fold in content["folds"]:
        parts = [set(fold[name]) for name in ("train", "val", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts))


def test_a_directory_belongs_to_one_run(full: Path, settings: tuple[str, ...], workspace: Path) -> None:
    before = files(full), (full / "run.json").read_bytes()
    with pytest.raises(RunError, match="already holds a run"):
        experiment.run(compose([*settings, f"paths.data={workspace}/data"]), full)
    assert (files(full), (full / "run.json").read_bytes()) == before


def failed(tmp_path: Path, settings: tuple[str, ...], error: type[BaseException], *overrides: str) -> Path:
    """Run into an error and return the run directory."""
    directory = tmp_path / "run"
    with pytest.raises(error):
        experiment.run(compose([*settings, f"paths.data={tmp_path}/data", *overrides]), directory)
    return directory


@pytest.mark.parametrize(
    ("error", "status"),
    [(ZeroDivisionError, "failed"), (KeyboardInterrupt, "interrupted"), (SystemExit, "interrupted")],
)
def test_an_error_in_a_fold_is_recorded(
    tmp_path: Path,
    settings: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
    status: str,
) -> None:
    def broken(*_: Any) -> None:
        raise error("in the fold")

    monkeypatch.setattr(experiment, "run_fold", broken)
    directory = failed(tmp_path, settings, error)
    assert facts(directory)["status"] == status
    assert facts(directory)["error"] == f"{error.__name__}: in the fold"
    assert "splits.json" in files(directory)  # written before training
    traceback = "Traceback" in (directory / "ecgan.log").read_text("utf-8")
    assert traceback == (status == "failed")  # an unexpected error keeps its traceback in the log


def test_a_fold_that_does_not_exist_fails_before_training(
    full: Path, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    folds = ("split=from_file", f"split.path={full / 'splits.json'}", "split.only=[3]")
    directory = failed(tmp_path, settings, ConfigError, *folds)
    assert facts(directory)["status"] == "failed"
    assert not list(directory.glob("fold_*"))
