"""``ecgan-preprocess --list``: which data sets there are, and what it takes to get them."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ecgan.config import build
from ecgan.data.source import Source
from ecgan.nodes import TARGET
from ecgan.plugins import files_of
from ecgan.types import Card
from ecgan.usage import conf_dir

COLUMNS = ("series", "channels x length", "classes", "patients", "license", "MB", "account")


def sources() -> dict[str, Source]:
    """Every data set with its default settings, those of plug-ins included, by the word that chooses it."""
    found: dict[str, Source] = {}
    for file in (*(conf_dir() / "dataset").glob("*.yaml"), *files_of("dataset")):
        node = OmegaConf.create(file.read_text(encoding="utf-8"))
        if isinstance(node, DictConfig) and TARGET in node:
            found[Path(file.name).stem] = build(node)
    return dict(sorted(found.items()))


def table() -> Table:
    """One row per data set."""
    shown = Table("dataset=", *COLUMNS, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in shown.columns:
        column.no_wrap = column.header not in ("license", "channels x length")
    for name, source in sources().items():
        card = source.card
        series, channels, length = map(_number, (card.series, card.channels, card.length))
        patients = "known" if card.patients else "unknown"
        account = "needed" if card.account else "no"
        classes = str(len(source.classes) or "varies")
        shown.add_row(name, series, f"{channels} x {length}", classes, patients, card.license, _download(card), account)
    return shown


def titles() -> list[str]:
    """What each data set is and which classes it has, one line each."""
    lines = []
    for name, source in sources().items():
        classes = f" ({', '.join(source.classes)})" if source.classes else ""
        lines.append(f"{name}: {source.card.title}{classes}")
    return lines


def _number(value: int | None) -> str:
    return "varies" if value is None else f"{value:,}"


def _download(card: Card) -> str:
    if card.size_mb is None:
        return "?"
    return f"{card.size_mb:,.0f}" if card.size_mb else "none"
