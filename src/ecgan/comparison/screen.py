"""What ``ecgan-report`` says on the screen: the results in short, the rest is in the files."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from ecgan.comparison.command import Report
from ecgan.comparison.rows import Row
from ecgan.comparison.tables import KINDS, Kind, Table, cell, letters
from ecgan.report.collect import GENERATED
from ecgan.report.words import short

ROWS, METRICS = 20, 3
"""Of a table, so that it fits."""


def shown(report: Report) -> Group:
    """The first metrics of each kind, the price of leakage, and how much is not in the tables."""
    names = letters(report.rows)
    parts: list[RichTable | Text] = []
    for kind in KINDS:
        rows = [row for row in report.rows if kind.holds(row)]
        if rows:
            parts += [_results(kind, rows, [names[row.protocol] for row in rows]), *_more(len(rows))]
    if report.price is not None:
        parts += [_drawn(report.price), *_more(len(report.price.rows))]
    return Group(*parts, Text(report.counts + (" (see problems.csv)" if report.problems else "")))


def _results(kind: Kind, rows: Sequence[Row], splits: Sequence[str]) -> RichTable:
    metrics = [metric for metric in kind.metrics if any(metric in row.cells for row in rows)][:METRICS]
    head = ("data set", "split", "method", *(short(metric.removeprefix(GENERATED)) for metric in metrics))
    drawn = _empty(kind.title, head, 3)
    for row, split in zip(rows[:ROWS], splits, strict=False):
        numbers = (cell(row.entry(metric), kind.digits).text for metric in metrics)
        drawn.add_row(*map(Text, (row.protocol.dataset, split, row.name, *numbers)))
    return drawn


def _drawn(table: Table) -> RichTable:
    drawn = _empty(table.title, table.head, table.words)
    for row in table.rows[:ROWS]:
        drawn.add_row(*(Text(found.text) for found in row))
    return drawn


def _more(n: int) -> list[Text]:
    return [Text(f"and {n - ROWS:,} rows more")] if n > ROWS else []


def _empty(title: str, head: Sequence[str], words: int) -> RichTable:
    drawn = RichTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title, title_justify="left")
    for column, name in enumerate(head):
        drawn.add_column(name, justify="left" if column < words else "right", overflow="fold")
    return drawn
