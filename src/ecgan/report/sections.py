"""What is shown of a run, on the screen and on the page alike: one section per thing that it was judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ecgan.report.collect import GENERATED, HIGH, LOW, MODEL, Summary
from ecgan.report.words import SEEN, resampled, supervision

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
        digits: of the numbers, after the point.
        intervals: how the intervals beside the numbers of a single fold came about; empty where there are none.
    """

    title: str
    columns: Mapping[str, Metrics]
    headline: tuple[str, ...]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    note: str = ""
    digits: int = 3
    intervals: str = ""

    @property
    def metrics(self) -> list[str]:
        """Names of all metrics; the ends of their intervals are none."""
        names = dict.fromkeys(metric for values in self.columns.values() for metric in values)
        return [name for name in names if not name.endswith((LOW, HIGH))]


def sections(directory: Path, summary: Summary) -> list[Section]:
    """The sections of a run that have anything to show, in the order in which they are shown."""
    of_model = summary.get(MODEL, {})
    found = (_classification(directory, of_model), _generation(of_model), *_detection(directory, summary))
    return [section for section in found if section.columns]


CLASSIFICATION = ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "mcc", "auroc")
RECALL = "recall_class_"


def _classification(directory: Path, of_model: Metrics) -> Section:
    shown = (*CLASSIFICATION, *(f"{name}{end}" for name in CLASSIFICATION for end in (LOW, HIGH)))
    metrics = {name: of_model[name] for name in of_model if name in shown or name.startswith(RECALL)}
    note = "Averages over classes are over those that occur in the test part."
    columns = {"model": metrics} if metrics else {}
    return Section("Classification", columns, CLASSIFICATION, note=note, intervals=_how(directory, columns))


GENERATION = (
    "mmd",
    "mmd_null_95",
    "frechet",
    "precision",
    "recall",
    "density",
    "coverage",
    "discriminative",
    "tstr_f1",
    "tstr_auroc",
    "memorized",
)


def _generation(of_model: Metrics) -> Section:
    measured = {name.removeprefix(GENERATED): of_model[name] for name in of_model if name.startswith(GENERATED)}
    plain = [name for name in measured if not name.endswith(("_low", "_high", "_reference"))]
    defined = [name for name in plain if measured[name]["n"]]
    columns = {
        "generated": {name: measured[name] for name in defined},
        "real": {name: measured[f"{name}_reference"] for name in defined if measured[f"{name}_reference"]["n"]},
    }
    headline = tuple(name for name in GENERATION if name in defined)
    note = (
        "real: as many training series in the place of the generated ones (memorized: held-out ones); a perfect "
        "generator would give the same."
    )
    return Section("Generated series", columns if defined else {}, headline, note=note, digits=4)


DETECTION = ("auroc", "average_precision", "f1", "mcc", "sensitivity", "specificity")


BOUNDS = "Upper bounds (thresholds chosen on the test part: not results)"


def _detection(directory: Path, summary: Summary) -> list[Section]:
    """Results, and apart from them what thresholds reach that have seen the test part."""
    seen = {name: supervision(directory, name) for name in summary if name != MODEL}
    found = []
    for title, oracle in (("Test results", False), (BOUNDS, True)):
        columns = {name: summary[name] for name, what in seen.items() if (what == "oracle") == oracle}
        words = {"threshold": {name: SEEN[seen[name]] for name in columns}}
        found.append(Section(title, columns, DETECTION, words, intervals=_how(directory, columns)))
    return found


def _how(directory: Path, columns: Mapping[str, Metrics]) -> str:
    """How intervals came about, if there are any."""
    if not any(metric.endswith(LOW) for metrics in columns.values() for metric in metrics):
        return ""
    return f"In brackets: 95 % bootstrap intervals, {resampled(directory)}, of the same trained model."
