"""``ecgan-preprocess --list``: which data sets there are, and what it takes to get them."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ecgan.config import build
from ecgan.nodes import TARGET
from ecgan.plugins import files_of
from ecgan.types import Card, Source
from ecgan.usage import conf_dir

COLUMNS = ("series", "length", "channels", "classes", "patients", "license", "download", "account")
MANY = 6
"""Classes beyond this number are counted rather than named."""


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
    shown = Table("dataset=", *COLUMNS, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name, source in sources().items():
        card = source.card
        numbers = (card.series, card.length, card.channels)
        counts = ("varies" if number is None else f"{number:,}" for number in numbers)
        patients = "known" if card.patients else "unknown"
        account = "needed" if card.account else "no"
        shown.add_row(name, *counts, _classes(source), patients, card.license, _download(card), account)
    return shown


def titles() -> list[str]:
    """What each data set is, one line each."""
    return [f"{name}: {source.card.title}" for name, source in sources().items()]


def _classes(source: Source) -> str:
    if not source.classes:
        return "varies"
    return ", ".join(source.classes) if len(source.classes) <= MANY else f"{len(source.classes)} classes"


def _download(card: Card) -> str:
    if card.size_mb is None:
        return "unknown"
    return f"{card.size_mb:,.0f} MB" if card.size_mb else "none"
