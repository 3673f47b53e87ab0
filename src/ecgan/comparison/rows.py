"""Runs to rows: equal method on equal data and folds, mean and spread over folds and seeds."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ecgan.comparison.runs import Problem, Protocol, Run
from ecgan.comparison.settings import labels
from ecgan.report.collect import HIGH, LOW, MODEL

ORACLE = "oracle"
NAN = math.nan


@dataclass(frozen=True, slots=True)
class Entry:
    """One number of a table.

    Attributes:
        mean: over folds and seeds in which the metric is defined.
        sd: standard deviation over them (n - 1), NaN for one.
        low, high: interval of the mean by Student's t, NaN for one value.
        test_low, test_high: means of the bootstrap intervals of the test part, NaN where runs hold none.
        n: values that are defined.
        of: values that there are.
    """

    mean: float
    sd: float
    low: float
    high: float
    test_low: float
    test_high: float
    n: int
    of: int


@dataclass(slots=True)
class Row:
    """One method on one data set under one protocol.

    Attributes:
        protocol: data, folds, and whether groups are kept apart.
        model: name.
        method: its settings as text.
        detector: name, ``-`` for metrics of the model itself.
        rule: settings of the detector as text.
        supervision: what the threshold has seen, empty for the model itself.
        split_settings: of the first run.
        label: what tells its settings from those of others of the same name.
        cells: values by metric, in the order of ``keys``, NaN where a metric is undefined or was not measured.
        runs: directories.
        keys: seeds and folds that are counted, as a set in order.
    """

    protocol: Protocol
    model: str
    method: str
    detector: str
    rule: str
    supervision: str
    split_settings: str
    label: str = ""
    cells: dict[str, array[float]] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    keys: dict[tuple[int, int], None] = field(default_factory=dict)

    @property
    def oracle(self) -> bool:
        """Whether the threshold has seen the test part: an upper bound."""
        return self.supervision == ORACLE

    @property
    def name(self) -> str:
        """Model, detector, and what tells its settings apart."""
        parts = [self.model, *([] if self.detector == MODEL else [self.detector])]
        return " + ".join(parts) + (f" ({self.label})" if self.label else "")

    @property
    def seeds(self) -> list[int]:
        """Seeds, in order."""
        return sorted({seed for seed, _ in self.keys})

    @property
    def folds(self) -> list[int]:
        """Folds, in order."""
        return sorted({fold for _, fold in self.keys})

    @property
    def even(self) -> bool:
        """Whether every seed has every fold."""
        return len(self.keys) == len(self.seeds) * len(self.folds)

    def entry(self, metric: str, confidence: float = 0.95) -> Entry | None:
        """Mean, spread and intervals of a metric, None where it is not measured."""
        cells = self.cells.get(metric)
        if cells is None:
            return None
        mean, sd, n = moments(cells)
        half = student(n, confidence) * sd / math.sqrt(n) if n > 1 else NAN
        low, high = (moments(self.cells.get(metric + end, ()))[0] for end in (LOW, HIGH))
        return Entry(mean, sd, mean - half, mean + half, low, high, n, len(cells))


def rows_of(runs: Iterable[Run]) -> tuple[list[Row], list[Problem]]:
    """Rows of all runs, and the repeats that were not counted again; no run is kept after it was added to its rows.

    Runs are put together when nothing but seed and fold differs: data, folds, settings, supervision. The same seed and
    fold a second time is no new information and is counted once, by the first directory in order.
    """
    found: dict[tuple[object, ...], Row] = {}
    repeats: dict[Path, set[str]] = defaultdict(set)
    for run in runs:
        for detector, metrics in run.values.items():
            seen = run.supervision.get(detector, "")
            key = (run.protocol, run.model, run.method, detector, run.rules[detector], seen)
            row = found.get(key)
            if row is None:
                row = found[key] = Row(*key, run.split_settings)
            if _add(row, run, metrics):
                row.runs.append(str(run.directory))
            else:
                repeats[run.directory].add(detector)
    rows = sorted(found.values(), key=_order)
    _label(rows)
    return rows, [_repeat(directory, names) for directory, names in repeats.items()]


def _add(row: Row, run: Run, metrics: dict[str, dict[int, float]]) -> bool:
    """Add the folds that the row does not have yet from this seed; tell whether there were any."""
    known = {fold for folds in metrics.values() for fold in folds}
    new = [fold for fold in sorted(known) if (run.seed, fold) not in row.keys]
    for metric in metrics:
        if metric not in row.cells:
            row.cells[metric] = array("d", [NAN] * len(row.keys))
    for metric, cells in row.cells.items():
        folds = metrics.get(metric, {})
        cells.extend([folds.get(fold, NAN) for fold in new])
    row.keys |= dict.fromkeys((run.seed, fold) for fold in new)
    return bool(new)


def _repeat(directory: Path, names: set[str]) -> Problem:
    of = ", ".join(sorted("the model" if name == MODEL else name for name in names))
    return Problem(directory, "repeat", f"the same seed, folds and settings as another run, not counted again: {of}")


def _order(row: Row) -> tuple[str, ...]:
    known = row.protocol
    place = (known.dataset, known.data, known.groups, known.description, known.splits)
    return (*place, row.model, row.detector, row.supervision, row.method, row.rule)


def _label(rows: Sequence[Row]) -> None:
    """Say how rows of the same name on the same data differ."""
    alike: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        alike[row.protocol.dataset, row.protocol.data, row.model, row.detector].append(row)
    for group in alike.values():
        methods, rules = labels(row.method for row in group), labels(row.rule for row in group)
        for row in group:
            row.label = ", ".join(filter(None, (methods[row.method], rules[row.rule])))


def moments(values: Iterable[float]) -> tuple[float, float, int]:
    """Mean, standard deviation (n - 1) and number of the values that are defined."""
    defined = [value for value in values if not math.isnan(value)]
    n = len(defined)
    if not n:
        return NAN, NAN, 0
    mean = math.fsum(defined) / n
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in defined) / (n - 1)) if n > 1 else NAN, n


@lru_cache(maxsize=10_000)
def student(n: int, confidence: float) -> float:
    """Quantile of Student's t for a two-sided interval of the mean of n values."""
    from scipy.stats import t

    return float(t.ppf((1 + confidence) / 2, n - 1))
