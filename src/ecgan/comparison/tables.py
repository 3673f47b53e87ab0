"""What the report says, as tables of words that any format can write."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecgan.comparison.leakage import Pair
from ecgan.comparison.ranking import Ranking
from ecgan.comparison.rows import Entry, Row
from ecgan.comparison.runs import Problem, Protocol
from ecgan.report.collect import GENERATED, HIGH, LOW, MODEL
from ecgan.report.sections import CLASSIFICATION, DETECTION, GENERATION
from ecgan.report.words import SEEN, short

PRICED = ("auroc", "average_precision", "f1", "f1_macro", "mcc")
FEWEST = 3
"""Values from which on the interval of their mean is shown; that of two is wider than anything they say."""
LISTED = 200
"""Problems that a table lists at most; the CSV file holds all."""


@dataclass(frozen=True)
class Cell:
    """A number or word, and what stands smaller beside it."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: what it shows.
        head: names of the columns.
        words: how many of the first columns are words, the others are numbers.
        rows: cells.
        notes: what must be known of it, one sentence each.
        result: whether a paper would show it.
    """

    title: str
    head: tuple[str, ...]
    words: int
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    result: bool = True


@dataclass(frozen=True)
class Kind:
    """What methods are judged by.

    Attributes:
        title: of the table.
        holds: which rows belong to it.
        metrics: its columns.
        ranked: the metric that methods are compared by, None for none.
        digits: after the point.
    """

    title: str
    holds: Callable[[Row], bool]
    metrics: tuple[str, ...]
    ranked: str | None
    digits: int = 3


DETECTED = Kind("Detection", lambda row: row.detector != MODEL and not row.oracle, DETECTION, "auroc")
BOUNDS = Kind("Upper bounds: thresholds chosen on the test part, not results", lambda row: row.oracle, DETECTION, None)
CLASSIFIED = Kind(
    "Classification", lambda row: row.detector == MODEL and "accuracy" in row.cells, CLASSIFICATION, "f1_macro"
)
GENERATED_SERIES = Kind(
    "Generated series",
    lambda row: row.detector == MODEL and any(name.startswith(GENERATED) for name in row.cells),
    tuple(f"{GENERATED}{name}" for name in GENERATION),
    None,
    4,
)
KINDS = (DETECTED, CLASSIFIED, GENERATED_SERIES, BOUNDS)


def letters(rows: Iterable[Row]) -> dict[Protocol, str]:
    """A short name for each protocol: A, B, ..., Z, AA, ..."""
    names: dict[Protocol, str] = {}
    for row in rows:
        if row.protocol not in names:
            names[row.protocol] = _letter(len(names))
    return names


def _letter(number: int) -> str:
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)  # noqa: PLR2004 - alphabet


def results(kind: Kind, rows: Sequence[Row], names: dict[Protocol, str], confidence: float) -> Table:
    """Means of one kind.

    Args:
        kind: which.
        rows: of that kind.
        names: of the protocols.
        confidence: of the intervals.
    """
    measured = [metric for metric in kind.metrics if any(metric in row.cells for row in rows)]
    named = [name for name in ("detector", "threshold saw") if any(row.detector != MODEL for row in rows)]
    head = ("data set", "split", "model", *named, "groups", "folds x seeds")
    body = [
        [
            *_words(row, names, bool(named)),
            *(cell(row.entry(metric, confidence), kind.digits) for metric in measured),
        ]
        for row in rows
    ]
    columns = tuple(short(metric.removeprefix(GENERATED)) for metric in measured)
    return Table(kind.title, head + columns, len(head), body, _notes(rows, confidence))


def _words(row: Row, names: dict[Protocol, str], detected: bool) -> list[Cell]:
    size = f"{len(row.folds)} x {len(row.seeds)}" + ("" if row.even else f" (uneven: {len(row.keys)})")
    judge = [Cell(row.detector), Cell(SEEN.get(row.supervision, row.supervision))] if detected else []
    known = row.protocol
    groups = known.groups if known.groups == "unknown" else f"{known.grouping}s {known.groups}"
    return [Cell(known.dataset), Cell(names[known]), Cell(row.model, row.label), *judge, Cell(groups), Cell(size)]


def _notes(rows: Sequence[Row], confidence: float) -> list[str]:
    percent = f"{100 * confidence:g} %"
    many = any(len(row.keys) > 1 for row in rows)
    notes = []
    if many:
        notes.append(
            f"Mean ± standard deviation over folds and seeds, and from {FEWEST} on the {percent} interval of the mean "
            "by Student's t. Folds share training series, so it is rather too narrow."
        )
        if any(row.protocol.shared and len(row.folds) > 1 for row in rows):
            notes.append("Where all folds share one test part, spread and interval are those of the training alone.")
    if any(len(row.keys) == 1 and any(name.endswith(LOW) for name in row.cells) for row in rows):
        notes.append("Of a single fold and seed: the 95 % bootstrap interval of the test part.")
    return notes


def cell(entry: Entry | None, digits: int) -> Cell:
    """Mean, spread and interval: of the mean over folds and seeds, or for a single one of the test part."""
    if entry is None:
        return Cell("")
    if not entry.n:
        return Cell("undefined")
    some = "" if entry.n == entry.of else f" ({entry.n} of {entry.of})"
    if entry.n == 1:
        ends, text = (entry.test_low, entry.test_high), f"{entry.mean:.{digits}f}{some}"
    else:
        ends, text = (entry.low, entry.high), f"{entry.mean:.{digits}f} ± {entry.sd:.{digits}f}{some}"
    known = (entry.n == 1 or entry.n >= FEWEST) and not any(map(math.isnan, ends))
    return Cell(text, f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if known else "")


def protocols(names: dict[Protocol, str]) -> Table:
    """What the short names of protocols stand for."""
    head = ("split", "data set", "how it was divided", "groups", "note", "data", "splits")
    body = [
        [Cell(word) for word in (name, known.dataset, known.description, _groups(known), known.note)]
        + [Cell(known.data[:8]), Cell(known.splits[:8])]
        for known, name in names.items()
    ]
    return Table("Data and splits", head, len(head), body, ["Only numbers of one split are averaged."], result=False)


def _groups(known: Protocol) -> str:
    if known.groups == "mixed":
        return f"{known.grouping}s mixed between {', and between '.join(known.mixed_between) or 'two parts'}"
    if known.groups == "unknown":
        return "not known: training and test may share patients"
    return f"no {known.grouping} is in two parts"


def price(pairs: Sequence[Pair], names: dict[Protocol, str], digits: int = 3) -> Table:
    """Patient-wise beside mixed results of the same method, and how much too good the mixed ones look."""
    also = any(pair.also for pair in pairs)
    groupings = {pair.apart.protocol.grouping for pair in pairs}
    grouping = groupings.pop() if len(groupings) == 1 else "group"
    head = ("data set", "splits", "method", *(["also differs"] if also else []), "metric")
    head += (f"{grouping}s mixed", f"{grouping}s kept apart", "price of leakage")
    body = []
    for pair in pairs:
        for metric in PRICED:
            mixed, apart = pair.mixed.entry(metric), pair.apart.entry(metric)
            if mixed and apart and mixed.n and apart.n:
                place = f"{names[pair.mixed.protocol]} / {names[pair.apart.protocol]}"
                words = [pair.apart.protocol.dataset, place, pair.apart.name, *([pair.also] if also else [])]
                numbers = [cell(mixed, digits), cell(apart, digits), Cell(f"{mixed.mean - apart.mean:+.{digits}f}")]
                body.append([*map(Cell, words), Cell(short(metric)), *numbers])
    notes = [
        f"The same model, settings and data. Mixed: a {grouping} may train and be tested; kept apart: never.",
        "Price: by how much the mixed folds read better. The results that hold for new "
        f"{grouping}s are those of the column '{grouping}s kept apart'.",
    ]
    return Table("Price of leakage", head, len(head) - 3, body, notes)


def ranks(found: Ranking, kind: Kind, level: float) -> list[Table]:
    """Mean ranks over data sets, and the tests of pairs."""
    order = sorted(range(len(found.methods)), key=lambda m: found.ranks[m])
    metric, n = short(found.metric), len(found.datasets)
    notes = [f"{n} data sets: {', '.join(found.datasets)}. One number each: the mean over folds and seeds."]
    if not math.isnan(found.friedman):
        notes.append(f"Friedman's test that all are alike: p = {found.friedman:.2g}.")
    first = Table(
        f"{kind.title}: mean ranks by {metric}",
        ("method", "mean rank", f"mean {metric}"),
        1,
        [
            [Cell(found.methods[m]), Cell(f"{found.ranks[m]:.2f}"), Cell(f"{found.values[:, m].mean():.3f}")]
            for m in order
        ],
        [*notes, *found.notes],
    )
    body = []
    for position, one in enumerate(order):
        for other in order[position + 1 :]:
            difference = found.values[:, one] - found.values[:, other]
            counts = [int((difference * sign > 0).sum()) for sign in (1, -1)]
            score = f"{counts[0]} / {n - sum(counts)} / {counts[1]}"
            p, corrected = found.p[one, other], found.corrected[one, other]
            verdict = "differ" if corrected < level else "not told apart"
            words = (found.methods[one], found.methods[other], score, f"{p:.3g}", f"{corrected:.3g}", verdict)
            body.append([Cell(word) for word in words])
    head = ("method", "other", "larger / equal / smaller", "p", "p (Holm)", f"at {level:g}")
    why = f"Wilcoxon's signed-rank test over data sets; of {n} of them no p below {2.0 ** (1 - n):.2g} can come out."
    pairs = Table(f"{kind.title}: pairs by {metric}", head, 2, body, [why])
    return [first, pairs]


def problems(found: Sequence[Problem], root: Path) -> Table:
    """Runs, or parts of them, that are in no table."""
    body = [[Cell(said) for said in (_shown(item.directory, root), item.status, item.why)] for item in found[:LISTED]]
    counts: dict[str, int] = defaultdict(int)
    for item in found:
        counts[item.status] += 1
    notes = [", ".join(f"{status}: {count:,}" for status, count in sorted(counts.items())) + "."]
    if len(found) > LISTED:
        notes.append(f"The first {LISTED} of {len(found):,}; problems.csv lists all.")
    return Table("Not counted", ("run directory", "status", "why"), 3, body, notes, result=False)


def _shown(directory: Path, root: Path) -> str:
    return str(directory.relative_to(root)) if directory.is_relative_to(root) else str(directory)


def plain_metrics(row: Row) -> list[str]:
    """Names of a row's metrics; the ends of intervals are none."""
    return [name for name in row.cells if not (name.endswith((LOW, HIGH)) and name.rpartition("_")[0] in row.cells)]
