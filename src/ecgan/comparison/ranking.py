"""Methods over data sets: which numbers may be ranked and tested, and the result."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ecgan.comparison.rows import Row, moments
from ecgan.comparison.runs import Protocol
from ecgan.evaluate.significance import friedman, mean_ranks, pairwise
from ecgan.types import BoolArray, FloatArray

LEAST_DATASETS = 3
"""Below it there is nothing to test: the smallest possible probability of three is 0.25, of two 0.5."""
MOST_METHODS = 50
"""Above it there are more than a thousand pairs, and a correction for all of them leaves nothing to be found."""
TRUST = ("kept apart", "unknown", "mixed")
"""Which protocol stands for a data set that was divided in several ways, the most trustworthy first."""
COMMON = "normal_only"


@dataclass(frozen=True)
class Ranking:
    """Methods that ran on the same data sets.

    Attributes:
        metric: that is ranked.
        datasets: (D,) names.
        methods: (M,) names.
        values: (D, M) mean over folds and seeds.
        ranks: (M,) mean ranks.
        friedman: probability that all are alike, NaN for two methods.
        p: (M, M) Wilcoxon's test of pairs.
        corrected: the same with Holm's correction.
        notes: what was left out, and what stands for what.
    """

    metric: str
    datasets: list[str]
    methods: list[str]
    values: FloatArray
    ranks: FloatArray
    friedman: float
    p: FloatArray
    corrected: FloatArray
    notes: list[str]


def rank(rows: Sequence[Row], metric: str, larger_is_better: bool = True) -> Ranking | str:
    """Rank the methods of these rows over their data sets, or say why that cannot be done.

    Each data set gives one number per method, the mean over its folds and seeds.

    Args:
        rows: of one kind, without upper bounds.
        metric: to rank by.
        larger_is_better: which end is best.
    """
    notes: list[str] = []
    chosen = _one_protocol_each([row for row in rows if _defined(row, metric)], notes)
    merged = _merged(chosen, metric, notes)
    datasets, methods, values = _complete(_table(merged, metric, notes), notes)
    notes += _uneven(row for name in methods for row in merged[name] if row.protocol.dataset in datasets)
    if len(datasets) < LEAST_DATASETS or len(methods) < 2:  # noqa: PLR2004 - a pair
        return (
            f"No test: {_counted(len(methods), 'method')} on {_counted(len(datasets), 'data set')} in common, and it "
            f"takes two methods on {LEAST_DATASETS} data sets. Folds of one data set share series and are no "
            "independent sample, so nothing is tested over folds."
        )
    if len(methods) > MOST_METHODS:
        return (
            f"No test: {len(methods)} methods are too many to be compared in pairs; name up to {MOST_METHODS} with "
            "model=… or detector=…."
        )
    p, corrected = pairwise(values)
    ranks = mean_ranks(values, larger_is_better)
    return Ranking(metric, datasets, methods, values, ranks, friedman(values), p, corrected, notes)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def _defined(row: Row, metric: str) -> bool:
    return bool(moments(row.cells.get(metric, ()))[2])


def _one_protocol_each(rows: Iterable[Row], notes: list[str]) -> list[Row]:
    """The rows of one protocol of each data set: two divisions of the same data are not two samples."""
    by_dataset: dict[str, dict[Protocol, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_dataset[row.protocol.dataset][row.protocol].append(row)
    kept: list[Row] = []
    several: list[str] = []
    for dataset, protocols in by_dataset.items():
        best = min(protocols, key=lambda known: (TRUST.index(known.groups), -len(protocols[known]), known.splits))
        kept += protocols[best]
        several += [f"{dataset} (groups {best.groups}, splits {best.splits[:8]})"] if len(protocols) > 1 else []
    if several:
        notes.append(f"Divided in several ways, of which one counts: {', '.join(several)}.")
    return kept


def _merged(rows: list[Row], metric: str, notes: list[str]) -> dict[str, list[Row]]:
    """Rows by the name of their method; detectors that give the same numbers beside every model are one method."""
    by_detector: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_detector[row.detector, row.supervision].append(row)
    found: dict[str, list[Row]] = {}
    for (detector, supervision), own in by_detector.items():
        seen = "" if supervision in ("", COMMON) else f" [{supervision}]"
        values: dict[str, set[tuple[object, ...]]] = defaultdict(set)
        for row in own:
            values[row.protocol.dataset].add(tuple(sorted(zip(row.keys, row.cells[metric], strict=True))))
        models = {row.model for row in own}
        if len(models) > 1 and all(len(distinct) == 1 for distinct in values.values()):
            found[detector + seen] = list({row.protocol.dataset: row for row in own}.values())
            notes.append(f"{detector} gives the same numbers beside every model and is one method.")
            continue
        for row in own:
            found.setdefault(row.name + seen, []).append(row)
    return found


def _table(methods: dict[str, list[Row]], metric: str, notes: list[str]) -> dict[str, dict[str, float]]:
    """Mean of each method on each data set; a name that means two methods on one data set is none."""
    table: dict[str, dict[str, float]] = {}
    for name, rows in methods.items():
        if max(Counter(row.protocol.dataset for row in rows).values()) == 1:
            table[name] = {row.protocol.dataset: moments(row.cells[metric])[0] for row in rows}
        else:
            notes.append(f"Left out, because two methods of one data set have the name: {name}.")
    return table


def _uneven(rows: Iterable[Row]) -> list[str]:
    """Says on which data sets the means of methods are not over the same folds."""
    folds: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    for row in rows:
        folds[row.protocol.dataset].add(tuple(row.folds))
    uneven = [dataset for dataset, different in folds.items() if len(different) > 1]
    return [f"Means are not over the same folds for every method on: {', '.join(uneven)}."] if uneven else []


def _complete(table: dict[str, dict[str, float]], notes: list[str]) -> tuple[list[str], list[str], FloatArray]:
    """A part of the table without gaps: again and again the row or column with the largest share of gaps goes."""
    methods = list(table)
    datasets = sorted({dataset for values in table.values() for dataset in values})
    values = np.array([[table[m].get(d, np.nan) for m in methods] for d in datasets]).reshape(
        len(datasets), len(methods)
    )
    rows, columns = np.ones(len(datasets), bool), np.ones(len(methods), bool)
    while np.isnan(values[np.ix_(rows, columns)]).any():
        gaps = np.isnan(values) & rows[:, None] & columns
        by_method, by_dataset = gaps.sum(0) / rows.sum(), gaps.sum(1) / columns.sum()
        if by_method.max() >= by_dataset.max():
            columns[by_method.argmax()] = False
        else:
            rows[by_dataset.argmax()] = False
    for names, kept, what in ((methods, columns, "method"), (datasets, rows, "data set")):
        gone = _those(names, ~kept)
        if gone:
            notes.append(f"Left out, because not every {what} has every number: {', '.join(gone)}.")
    return _those(datasets, rows), _those(methods, columns), values[np.ix_(rows, columns)]


def _those(names: Sequence[str], kept: BoolArray) -> list[str]:
    return [name for name, keep in zip(names, kept, strict=True) if keep]
