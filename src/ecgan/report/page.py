"""``report.html``: tables, figures and settings on one page without anything beside it."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from ecgan.report.collect import Summary, fold_directories, run_facts
from ecgan.report.sections import Section, sections
from ecgan.report.words import cell, facts, over, short


def page(directory: Path, summary: Summary, title: str) -> str:
    """The whole page.

    Args:
        directory: of the run.
        summary: of its results.
        title: of the page.
    """
    folds = fold_directories(directory)
    shown = sections(directory, summary)
    told = facts(directory) + [
        f"{name}: {what} from {words}"
        for section in shown
        for what, by_name in section.words.items()
        for name, words in by_name.items()
    ]
    figures = "".join(f"<h2>{fold.name.replace('_', ' ')}</h2>{_figures(fold)}" for fold in folds)
    return _PAGE.format(
        title=html.escape(title),
        facts="".join(f"<li>{html.escape(fact)}</li>" for fact in told),
        tables="".join(_table(section, over(directory), len(folds)) for section in shown),
        figures=figures,
        config=html.escape(_config(directory)),
        again=_again(directory),
    )


def _table(section: Section, means: str, folds: int) -> str:
    columns = section.columns
    metrics = list(dict.fromkeys(metric for values in columns.values() for metric in values))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("metric", *columns))
    body = "".join(
        f"<tr><td>{short(metric)}</td>"
        + "".join(f"<td>{cell(values.get(metric), folds, section.digits)}</td>" for values in columns.values())
        + "</tr>"
        for metric in metrics
    )
    return _TABLE.format(title=section.title, over=means, note=section.note, head=head, body=body)


def _again(directory: Path) -> str:
    original = run_facts(directory).get("detection_of")
    if original is not None:
        return f"Made by <code>ecgan-detect</code> from the run {html.escape(str(original))}."
    return "Run again with <code>ecgan-train .hydra/config.yaml</code>."


def _config(directory: Path) -> str:
    file = directory / ".hydra" / "config.yaml"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _figures(fold: Path) -> str:
    images: Sequence[Path] = sorted((fold / "figures").glob("*.png"))
    return "".join(
        f'<img alt="{image.stem}" src="data:image/png;base64,{base64.b64encode(image.read_bytes()).decode()}">'
        for image in images
    )


_TABLE = """<h2>{title}</h2><p>Test part, {over}. {note}</p>
<div class="wide"><table><tr>{head}</tr>{body}</table></div>
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
.wide {{ overflow-x: auto; }} table {{ border-collapse: collapse; }}
td, th {{ padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }}
td:first-child, th:first-child {{ text-align: left; }}
img {{ max-width: 100%; }} pre {{ background: #f6f6f6; padding: 1rem; overflow-x: auto; }}
</style></head><body><h1>{title}</h1><ul>{facts}</ul>
{tables}{figures}<h2>Settings</h2><p>{again}</p>
<pre>{config}</pre></body></html>
"""
