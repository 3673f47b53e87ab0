"""The tables as CSV, Markdown, LaTeX and HTML."""

from __future__ import annotations

import base64
import csv
import html
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from ecgan.comparison.rows import Row
from ecgan.comparison.runs import Problem
from ecgan.comparison.tables import Cell, Table, plain_metrics
from ecgan.report.style import document, picture, table

ROW = (
    "dataset",
    "split",
    "groups",
    "model",
    "detector",
    "supervision",
    "upper_bound",
    "settings",
    "metric",
    "mean",
    "sd",
    "low",
    "high",
    "test_low",
    "test_high",
    "n_defined",
    "runs",
    "folds",
    "seeds",
    "data_sha256",
    "splits_sha256",
)
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"±": r"$\pm$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
)
LONG = 40
"""Characters from which on a cell of words is broken over lines."""


def as_csv(rows: Iterable[Row], confidence: float) -> str:
    """Every metric of every row, one line each."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(ROW)
    for row in rows:
        known = row.protocol
        about = (known.dataset, known.description, known.groups, row.model, row.detector, row.supervision)
        bound = str(int(row.oracle))
        counts = (len(row.runs), len(row.folds), len(row.seeds), known.data, known.splits)
        for metric in plain_metrics(row):
            entry = row.entry(metric, confidence)
            if entry is not None:
                found = (entry.mean, entry.sd, entry.low, entry.high, entry.test_low, entry.test_high)
                writer.writerow((*about, bound, row.label, metric, *map(_number, found), entry.n, *counts))
    return stream.getvalue()


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def problems_csv(found: Iterable[Problem]) -> str:
    """Runs that were not counted."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("directory", "status", "why"))
    writer.writerows((item.directory, item.status, item.why) for item in found)
    return stream.getvalue()


def as_markdown(title: str, lead: Sequence[str], tables: Iterable[Table], figures: Iterable[Path]) -> str:
    """All tables in Markdown, and links to the figures beside it."""
    parts = [
        f"# {title}",
        *map(_escaped, lead),
        *map(_markdown, tables),
        *(f"![{path.stem}]({path.name})" for path in figures),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(shown: Table) -> str:
    lines = [
        [_escaped(name) for name in shown.head],
        ["---"] * shown.words + ["---:"] * (len(shown.head) - shown.words),
    ]
    lines += [[_escaped(f"{cell.text} {cell.small}".strip()) for cell in row] for row in shown.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([f"## {shown.title}", *map(_escaped, shown.notes), *([body] if shown.rows else [])])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def as_latex(tables: Iterable[Table]) -> str:
    """The tables that a paper would show, to be included in one that loads the package booktabs."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_latex(shown) for shown in tables if shown.result)


def _latex(shown: Table) -> str:
    columns = "l" * shown.words + "r" * (len(shown.head) - shown.words)
    head = " & ".join(name.translate(LATEX) for name in shown.head)
    rows = "\n".join(" & ".join(map(_latex_cell, row)) + r" \\" for row in shown.rows)
    caption = " ".join((f"{shown.title}.", *shown.notes)).translate(LATEX)
    return (
        "\\begin{table}\n\\centering\\footnotesize\n"
        f"\\caption{{{caption}}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head} \\\\\n\\midrule\n{rows}\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )


def _latex_cell(cell: Cell) -> str:
    small = f" {{\\scriptsize {cell.small.translate(LATEX)}}}" if cell.small else ""
    return cell.text.translate(LATEX) + small


def as_html(title: str, lead: Sequence[str], tables: Sequence[Table], figures: Iterable[tuple[Path, str]]) -> str:
    """All tables and figures on one page without anything beside it.

    Args:
        title: of the page.
        lead: what is said first.
        tables: in order.
        figures: PNG files and their captions.
    """
    said = "".join(f'<p class="soft">{html.escape(line)}</p>' for line in lead)
    drawn = "".join(
        picture(base64.b64encode(path.read_bytes()).decode(), caption).replace("<figure>", '<figure class="full">')
        for path, caption in figures
    )
    links = "".join(f'<a href="#{place}">{html.escape(name)}</a>' for name, place in _places(tables).items())
    results, others = (
        "".join(f'<section id="{n}">{_html(one)}</section>' for n, one in enumerate(tables) if one.result == result)
        for result in (True, False)
    )
    ranked = f'<h2>Ranks</h2><div class="figures">{drawn}</div>' if drawn else ""
    head = f"<header><h1>{html.escape(title)}</h1>{said}<nav>{links}</nav></header>"
    return document(title, f"{head}{results}{ranked}{others}")


def _places(tables: Sequence[Table]) -> dict[str, int]:
    """Number of the first table of each beginning of a title."""
    names = [shown.title.partition(":")[0] for shown in tables]
    return {name: names.index(name) for name in dict.fromkeys(names)}


def _html(shown: Table) -> str:
    notes = "".join(f'<p class="soft">{html.escape(note)}</p>' for note in shown.notes)
    rows = ([_html_cell(cell) for cell in row] for row in shown.rows)
    body = table(shown.head, rows, shown.words) if shown.rows else ""
    return f"<h2>{html.escape(shown.title)}</h2>{notes}{body}"


def _html_cell(cell: Cell) -> str:
    text = html.escape(cell.text)
    text = f'<span class="long">{text}</span>' if len(text) > LONG else text
    return text + (f"<small>{html.escape(cell.small)}</small>" if cell.small else "")
