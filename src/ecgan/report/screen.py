"""The tables on the screen at the end of a run."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from ecgan.report.collect import collect, fold_directories, summarize
from ecgan.report.sections import Section, sections
from ecgan.report.words import facts, over, short, with_interval

PER_TABLE, WITH_INTERVALS = 4, 3
"""Columns that fit into 80 characters."""


def table(directory: Path) -> Group:
    """The tables at the end of a run: a column per detector, mean and standard deviation over folds."""
    folds = len(fold_directories(directory))
    shown = sections(directory, summarize(collect(directory, intervals=folds == 1)))
    parts = [part for section in shown for part in _parts(section, over(directory), folds)]
    return Group(*parts, *facts(directory))


def _parts(section: Section, means: str, folds: int) -> list[Table | str]:
    """The tables of a section, and what must be known of them."""
    names, width = list(section.columns), WITH_INTERVALS if section.intervals else PER_TABLE
    parts: list[Table | str] = []
    for start in range(0, len(names), width):
        part = names[start : start + width]
        shown = Table(
            "",
            *part,
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            title=f"{section.title}, {means}",
            title_justify="left",
        )
        for metric in section.headline:
            cells = (with_interval(section.columns[name], metric, folds, section.digits) for name in part)
            shown.add_row(short(metric), *cells)
        for what, words in section.words.items():
            shown.add_row(what, *(words[name] for name in part))
        parts.append(shown)
    return [*parts, *(note for note in (section.note, section.intervals) if note)]
