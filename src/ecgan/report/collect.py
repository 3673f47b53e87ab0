"""From the files of the folds to one long table, and from that to means and deviations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ecgan.errors import RunError
from ecgan.evaluate.class_predictions import read_class_predictions
from ecgan.evaluate.class_uncertainty import classification_intervals
from ecgan.evaluate.classification import classification_metrics
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.p_values import calibration_metrics
from ecgan.evaluate.predictions import read_predictions, read_scores
from ecgan.evaluate.uncertainty import Interval, detection_intervals
from ecgan.files import read_json

COLUMNS = ("fold", "detector", "split", "metric", "value")
MODEL = "-"
"""What stands for a detector where a metric is the model's own."""

GENERATED = "generated_"
"""What the names of metrics of generated series begin with."""
FAILED = "failed"
CLASSES = Path("classification", "predictions.csv")
LOW, HIGH = "_low", "_high"
"""What the names of both ends of a metric's interval end with."""

Row = tuple[str, str, float]
Summary = dict[str, dict[str, dict[str, float]]]


def collect(directory: Path, intervals: bool = True) -> pd.DataFrame:
    """Recompute all results of a run from the files of its folds.

    Args:
        directory: of the run.
        intervals: whether to resample for the intervals of detectors and classifiers too, which takes longest.

    Raises:
        RunError: when there are no predictions, or a series is tested twice within a fold.
    """
    rows: list[tuple[int, str, str, str, float]] = []
    for fold in fold_directories(directory):
        number = int(fold.name.removeprefix("fold_"))
        rows += [(number, *row) for row in of_fold(directory, fold, intervals)]
    if not rows:
        raise RunError(f"{directory} holds no results yet; its training was not finished.")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def of_fold(directory: Path, fold: Path, intervals: bool = True) -> Iterator[tuple[str, str, str, float]]:
    """Recompute the results of one fold: detector, part, metric, value.

    Args:
        directory: of the run.
        fold: of the fold.
        intervals: whether to resample for intervals too.
    """
    for own in OF_THE_MODEL:
        yield from ((MODEL, *row) for row in own(fold))
    if intervals:
        yield from ((MODEL, "test", *item) for item in _class_intervals(fold))
    for detector in _detectors(directory, fold):
        yield from ((detector, "test", *item) for item in _detection(fold / "detection" / detector, intervals))


def summarize(results: pd.DataFrame) -> Summary:
    """Mean, standard deviation (n - 1) and number of the folds in which a test metric is defined."""
    summary: Summary = {}
    tested = results[results["split"] == "test"]
    for (detector, metric), values in tested.groupby(["detector", "metric"], sort=False)["value"]:
        defined = values.dropna()
        entry = {"mean": float(defined.mean()), "std": float(defined.std(ddof=1)), "n": len(defined)}
        summary.setdefault(str(detector), {})[str(metric)] = entry
    return summary


def fold_directories(directory: Path) -> list[Path]:
    """Directories of the folds that did not fail, in the order of their numbers."""
    failed = failures(directory)
    found = [path for path in directory.glob("fold_*") if path.name.removeprefix("fold_").isdigit()]
    folds = [path for path in found if path.name not in failed]
    return sorted(folds, key=lambda path: int(path.name.removeprefix("fold_")))


def failures(directory: Path) -> dict[str, str]:
    """Why folds failed, by the names of their directories."""
    folds = run_facts(directory).get("folds", {})
    return {name: entry["error"] for name, entry in folds.items() if entry.get("status") == FAILED}


def run_facts(directory: Path) -> dict[str, Any]:
    """What ``run.json`` says; nothing where there is none."""
    file = directory / "run.json"
    facts: dict[str, Any] = read_json(file) if file.is_file() else {}
    return facts


def _detection(folder: Path, intervals: bool) -> Iterator[tuple[str, float]]:
    """Metrics of a detector on the test part, and their intervals."""
    predicted = _once(read_predictions, folder / "predictions.csv")
    yield from detection_metrics(predicted).items()
    validation = folder / "validation.csv"
    if validation.is_file():
        yield from calibration_metrics(predicted, _once(read_scores, validation)).items()
    if intervals:
        yield from _ends(detection_intervals(predicted))


def _ends(intervals: dict[str, Interval]) -> Iterator[tuple[str, float]]:
    for metric, (low, high, _) in intervals.items():
        yield from ((metric + LOW, low), (metric + HIGH, high))


def _class_intervals(fold: Path) -> Iterator[tuple[str, float]]:
    """Intervals of a classifier's metrics."""
    file = fold / CLASSES
    if file.is_file():
        yield from _ends(classification_intervals(_once(read_class_predictions, file)))


def _losses(fold: Path) -> Iterator[Row]:
    """Losses of the best weights: the last ones that were logged, after fitting."""
    file = fold / "lightning" / "metrics.csv"
    if not file.is_file():
        return
    log = pd.read_csv(file, float_precision="round_trip")
    for split in ("val", "test"):
        column = f"{split}/loss"
        values = log[column].dropna() if column in log else pd.Series(dtype=float)
        if len(values):
            yield split, "loss", float(values.iloc[-1])


def _classification(fold: Path) -> Iterator[Row]:
    """How well a classifier tells the classes of the test part apart."""
    file = fold / CLASSES
    if file.is_file():
        predicted = _once(read_class_predictions, file)
        yield from (("test", *item) for item in classification_metrics(predicted).items())


def _generation(fold: Path) -> Iterator[Row]:
    """How good generated series are, and what real ones in their place give."""
    file = fold / "generation" / "quality.csv"
    if not file.is_file():
        return
    for measure in pd.read_csv(file, float_precision="round_trip").to_dict("records"):
        split, name = str(measure["split"]), f"{GENERATED}{measure['metric']}"
        yield split, name, float(measure["value"])
        yield from ((split, f"{name}_{what}", float(measure[what])) for what in ("low", "high", "reference"))


OF_THE_MODEL: tuple[Callable[[Path], Iterator[Row]], ...] = (_losses, _classification, _generation)
"""What gives the model's own metrics of a fold, as rows of split, metric and value; their order is that of results."""


def _once(read: Callable[[Path], pd.DataFrame], file: Path) -> pd.DataFrame:
    table = read(file)
    if table["index"].duplicated().any():
        raise RunError(f"{file} holds a series twice; run ecgan-detect again.")
    return table


def _detectors(directory: Path, fold: Path) -> list[str]:
    """Detectors of a fold, in the order of the config."""
    order = run_facts(directory).get("detectors", [])
    found = sorted(file.parent.name for file in (fold / "detection").glob("*/predictions.csv"))
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))
