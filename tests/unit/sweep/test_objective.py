"""A search sees the validation part only."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecgan.errors import ConfigError, RunError
from ecgan.files import write_json, write_text
from ecgan.sweep.objective import objective

DETECTORS = ("knn",)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two folds with a logged loss and scores of validation series."""
    write_json(tmp_path / "run.json", {"status": "finished"})
    for fold, (loss, scores) in enumerate([(0.4, (0.1, 0.2, 0.3)), (0.6, (0.3, 0.2, 0.1))]):
        folder = tmp_path / f"fold_{fold}"
        write_text(folder / "lightning" / "metrics.csv", f"epoch,val/loss,test/loss\n0,9.0,\n1,{loss},\n2,,0.1\n")
        table = {"index": [0, 1, 2], "group": [""] * 3, "label": [0, 0, 1], "abnormal": [0, 0, 1], "score": scores}
        (folder / "detection" / "knn").mkdir(parents=True)
        pd.DataFrame(table).to_csv(folder / "detection" / "knn" / "validation.csv", index=False)
    return tmp_path


def test_mean_over_folds_of_the_last_value_logged(run: Path) -> None:
    assert objective("val/loss", None, DETECTORS).of(run) == pytest.approx(0.5)


def test_scores_of_a_detector(run: Path) -> None:
    assert objective("val/knn/auroc", None, DETECTORS).of(run) == pytest.approx(0.5)
    assert objective("val/knn/average_precision", None, DETECTORS).of(run) == pytest.approx((1 + 1 / 3) / 2)


def test_a_value_that_is_not_there(run: Path) -> None:
    with pytest.raises(RunError, match="has no value of val/los"):
        objective("val/los", None, DETECTORS).of(run)


@pytest.mark.parametrize(
    ("name", "given", "direction"),
    [
        ("val/loss", None, "minimize"),
        ("val/accuracy", None, "maximize"),
        ("val/knn/auroc", None, "maximize"),
        ("val/other", None, "minimize"),
        ("val/other", "maximize", "maximize"),
    ],
)
def test_direction(name: str, given: str | None, direction: str) -> None:
    found = objective(name, given, DETECTORS)
    assert (found.direction, found.name) == (direction, name)


@pytest.mark.parametrize("name", ["test/loss", "test/knn/auroc", "train/loss", "loss", "val/", "val/a/b/c", ""])
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="validation part only"):
        objective(name, None, DETECTORS)


def test_a_wrong_direction_is_refused() -> None:
    with pytest.raises(ConfigError, match="minimize, maximize"):
        objective("val/loss", "up", DETECTORS)
