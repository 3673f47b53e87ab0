"""``report.html``: everything about a run on one page without anything beside it."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecgan.report import card
from ecgan.report.collect import fold_directories, summarize
from ecgan.report.sections import RECALL, Section, sections
from ecgan.report.style import document, listed, picture, table
from ecgan.report.words import facts, over, short, with_interval

CAPTIONS = {
    "loss": "Losses while training",
    "reconstruction": "Reconstructions of test series",
    "confusion": "Confusions of the classifier",
    "generated": "Real and generated series",
    "generated_spread": "Spread of real and generated series",
    "generated_latent_walk": "Walk through the latent space",
    "generated_interpolation": "Between two series",
    "generated_embedding": "Real and generated series as points",
    "scores": "Scores of the test part by class",
    "curves": "ROC and precision-recall",
    "recall": "Recall of each class",
    "gallery": "The least and the most anomalous series of each class",
    "mistakes": "Misses and false alarms",
}
"""What figures show, by the name of the file, or by what follows the name of the detector."""
OF_DETECTORS = ("scores", "curves", "recall", "gallery", "mistakes")
PLACES = ("results", "figures", "data", "splits", "again", "settings")


def page(directory: Path, results: pd.DataFrame, title: str) -> str:
    """The whole page.

    Args:
        directory: of the run.
        results: of the run.
        title: of the page.
    """
    folds = fold_directories(directory)
    shown = sections(directory, summarize(results))
    told = facts(directory) + [
        f"{name}: {what} from {words}"
        for section in shown
        for what, by_name in section.words.items()
        for name, words in by_name.items()
    ]
    names = tuple(card.class_names(directory, of_model) for of_model in (False, True))
    tables = "".join(_tables(section, over(directory), len(folds), names) for section in shown)
    intervals = _by_fold(directory, results, names) if len(folds) > 1 else ""
    bodies = {
        "results": tables + intervals,
        "figures": _figures(folds),
        "data": _titled("Data", listed(card.data_card(directory))),
        "splits": _titled("Splits", listed(card.split_card(directory)) + _sizes(directory)),
        "again": _titled("How to run it again", _again(directory)),
        "settings": _titled("Settings", f"<pre><code>{html.escape(card.settings(directory))}</code></pre>"),
    }
    links = "".join(f'<a href="#{place}">{place}</a>' for place in PLACES if bodies[place])
    head = f'<h1>{html.escape(title)}</h1><p class="soft">{html.escape(card.headline(directory))}</p><nav>{links}</nav>'
    known = f'<ul class="facts">{"".join(f"<li>{html.escape(fact)}</li>" for fact in told)}</ul>' if told else ""
    body = "".join(f'<section id="{place}">{bodies[place]}</section>\n' for place in PLACES if bodies[place])
    return document(title, f"<header>{head}{known}</header>\n{body}")


def _titled(title: str, body: str) -> str:
    return f"<h2>{html.escape(title)}</h2>{body}"


def _tables(section: Section, means: str, folds: int, names: tuple[Sequence[str], ...]) -> str:
    """The metrics of a section, and below them the recall of each class.

    Args:
        section: what is shown.
        means: what the numbers are means of.
        folds: number of folds.
        names: of the classes of the data, and of those that the model is told.
    """
    note = f"{section.note} {section.intervals if folds == 1 else ''}".strip()
    recalls = [metric for metric in section.metrics if metric.startswith(RECALL)]
    others = [metric for metric in section.metrics if metric not in recalls]
    said = f'<p class="soft">{html.escape(f"Test part, {means}. {note}")}</p>'
    shown = _titled(section.title, said + _metrics("metric", section, {name: short(name) for name in others}, folds))
    if not recalls:
        return shown
    known = names["model" in section.columns]
    labels = {metric: _class(metric, known) for metric in recalls}
    return f"{shown}<h3>Recall of each class</h3>{_metrics('class', section, labels, folds)}"


def _class(metric: str, names: Sequence[str]) -> str:
    number = int(metric.removeprefix(RECALL))
    return f"{metric}<small>{html.escape(names[number])}</small>" if number < len(names) else metric


def _metrics(first: str, section: Section, labels: dict[str, str], folds: int) -> str:
    rows = (
        [label, *(with_interval(values, metric, folds, section.digits) for values in section.columns.values())]
        for metric, label in labels.items()
    )
    return table((first, *section.columns), rows)


def _by_fold(directory: Path, results: pd.DataFrame, names: tuple[Sequence[str], ...]) -> str:
    """The same tables of each fold alone, as far as they have intervals."""
    tables = "".join(
        _tables(section, f"fold {number}", 1, names)
        for number, own in results.groupby("fold")
        for section in sections(directory, summarize(own))
        if section.intervals
    )
    return f"<details><summary>Each fold with 95 % intervals</summary>{tables}</details>\n" if tables else ""


def _sizes(directory: Path) -> str:
    sizes = card.part_sizes(directory)
    rows = ([f"fold {number}", *(f"{fold.get(part, 0):,}" for part in card.PARTS)] for number, fold in enumerate(sizes))
    return table(("series in", "training", "validation", "test"), rows) if sizes else ""


def _again(directory: Path) -> str:
    sentence, commands = card.again(directory)
    lines = html.escape("\n".join(commands))
    return f"<p>{html.escape(sentence)}</p><pre><code>{lines}</code></pre>{listed(card.made_with(directory))}"


def _figures(folds: Sequence[Path]) -> str:
    """All figures, those of the first fold open to see."""
    parts: list[str] = []
    for fold in folds:
        images = sorted((fold / "figures").glob("*.png"), key=lambda image: _place(image.stem))
        if images:
            name, drawn = fold.name.replace("_", " "), "".join(map(_figure, images))
            opened = "" if parts else " open"
            grid = f'<div class="figures">{drawn}</div>'
            many = f"<summary>{len(images)} figures</summary>"
            parts.append(f'<h2>{name}</h2><details class="fold"{opened}>{many}{grid}</details>')
    return "".join(parts)


def _place(stem: str) -> tuple[bool, str, int]:
    """Figures of the model first, then those of each detector in the order of ``OF_DETECTORS``."""
    detector, _, kind = stem.rpartition("_")
    if stem in CAPTIONS or kind not in OF_DETECTORS:
        return False, stem, 0
    return True, detector, OF_DETECTORS.index(kind)


def _figure(image: Path) -> str:
    of_detector, detector, _ = _place(image.stem)
    kind = image.stem.removeprefix(f"{detector}_") if of_detector else image.stem
    caption = CAPTIONS.get(kind, re.sub("_+", " ", kind))
    png = base64.b64encode(image.read_bytes()).decode()
    return picture(png, f"{detector}: {caption}" if of_detector else caption)
