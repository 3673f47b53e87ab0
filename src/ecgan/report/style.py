"""What all pages look like: readable at any width, light or dark, nothing beside the file itself."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

Cells = Sequence[str]
"""Cells of a row, as HTML."""


def document(title: str, body: str) -> str:
    """A whole page.

    Args:
        title: as text.
        body: as HTML.
    """
    return _DOCUMENT.format(title=html.escape(title), style=_STYLE, body=body)


def table(head: Sequence[str], rows: Iterable[Cells], words: int = 1) -> str:
    """A table that scrolls inside its own box.

    Args:
        head: names of the columns, as text.
        rows: cells, as HTML.
        words: how many of the first columns hold words, which stand on the left; the others hold numbers.
    """
    kinds = [' class="word"' if column < words else "" for column in range(len(head))]
    names = "".join(f"<th{kind}>{html.escape(name)}</th>" for kind, name in zip(kinds, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide" tabindex="0"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def listed(facts: Iterable[tuple[str, str]]) -> str:
    """Names and what they stand for, both as text; what stands for nothing is left out."""
    body = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(what)}</dd>" for name, what in facts if what not in ("", "None")
    )
    return f"<dl>{body}</dl>"


def picture(png: str, caption: str) -> str:
    """A figure that fits the page.

    Args:
        png: the file in base64.
        caption: as text, also what is read out in its place.
    """
    said = html.escape(caption)
    return f'<figure><img alt="{said}" src="data:image/png;base64,{png}"><figcaption>{said}</figcaption></figure>'


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5a6676; --page: #ffffff; --box: #f4f6f9; --line: #d9dfe7;
  --mark: #1f6fb2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa6b5; --page: #14181e; --box: #1d232c;
  --line: #333c48; --mark: #6cb2ee; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--ink);
  background: var(--page); max-width: 80rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .5rem 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.5rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; } a { color: var(--mark); }
.soft, figcaption, small { color: var(--soft); } small { font-size: .85em; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: .75rem 0; }
ul.facts { background: var(--box); border-radius: .5rem; padding: .8rem 1rem .8rem 2rem; margin: 1rem 0; }
ul.facts li { margin: .15rem 0; }
.wide { overflow-x: auto; width: fit-content; max-width: 100%; margin: .75rem 0;
  border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
td, th { padding: .35rem .65rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; vertical-align: top; }
td.word, th.word { text-align: left; } td small { display: block; }
td .long { display: block; white-space: normal; width: 22rem; max-width: 70vw; }
tbody tr:last-child td { border-bottom: 0; } thead th { background: var(--box); font-weight: 600; }
tbody tr:hover td { background: var(--box); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: 1rem;
  align-items: start; }
figure { margin: 0; min-width: 0; } .full { grid-column: 1 / -1; }
img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: .5rem; padding: .3rem; }
figcaption { font-size: .88rem; margin: .3rem .2rem; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .3rem 1.2rem; margin: .75rem 0; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; }
pre { background: var(--box); border-radius: .5rem; padding: .9rem 1rem; overflow-x: auto; font-size: .85rem;
  line-height: 1.45; overflow-wrap: normal; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
details { margin: .75rem 0; } summary { cursor: pointer; color: var(--mark); padding: .3rem 0; }
@media (max-width: 40rem) { body { padding: 1rem .8rem 3rem; font-size: 15px; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } td, th { padding: .35rem .55rem; } }
@media print { body { max-width: none; } .wide { overflow: visible; } }
"""
_DOCUMENT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>{title}</title><style>{style}</style></head>
<body>{body}</body></html>
"""
