"""What is shown of a run, on the screen and on the page alike: one section per thing that it was judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ecgan.report.collect import MODEL, Summary
from ecgan.report.words import supervision

Metrics = Mapping[str, dict[str, float]]


@dataclass(frozen=True)
class Section:
    """One table.

    Attributes:
        title: what was judged.
        columns: metrics by name of the column.
        headline: the metrics that the screen shows, the page shows all.
        words: rows of words below the numbers, each by name of the column.
        note: what must be known of the metrics, may be empty.
    """

    title: str
    columns: Mapping[str, Metrics]
    headline: tuple[str, ...]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    note: str = ""


def sections(directory: Path, summary: Summary) -> list[Section]:
    """The sections of a run that have anything to show, in the order in which they are shown."""
    found = (_classification(summary.get(MODEL, {})), _detection(directory, summary))
    return [section for section in found if section.columns]


CLASSIFICATION = ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "mcc", "auroc")
RECALL = "recall_class_"


def _classification(of_model: Metrics) -> Section:
    metrics = {name: of_model[name] for name in of_model if name in CLASSIFICATION or name.startswith(RECALL)}
    note = "Averages over classes are over those that occur in the test part."
    return Section("Classification", {"model": metrics} if metrics else {}, CLASSIFICATION, note=note)


DETECTION = ("auroc", "average_precision", "f1", "mcc", "sensitivity", "specificity")


def _detection(directory: Path, summary: Summary) -> Section:
    detectors = {name: metrics for name, metrics in summary.items() if name != MODEL}
    seen = {name: supervision(directory, name) for name in detectors}
    return Section("Test results", detectors, DETECTION, {"threshold": seen})
