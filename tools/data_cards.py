"""The page of the documentation site that has a card for each data set."""

from __future__ import annotations

import inspect
import re

import yaml
from site_reference import escaped, sentence, table

from ecgan.config import build
from ecgan.data.source import Source
from ecgan.usage import conf_dir, options

DOI = re.compile(r"\bdoi:(10\.[^\s;,]*[^\s;,.)])")
HEAD = """\
# Data sets

Each card is made of the source's docstring in `src/ecgan/data/sources/`; `ecgan-preprocess --list` shows the facts too.
Read what to *beware* of before you compare numbers."""


def pages() -> dict[str, str]:
    """The page, by its place below ``docs/``."""
    return {"data.md": "\n\n".join([HEAD, *map(card, options("dataset"))]) + "\n"}


def card(name: str) -> str:
    """Facts of a data set with its default settings, and what its docstring says."""
    source: Source = build(yaml.safe_load((conf_dir() / "dataset" / f"{name}.yaml").read_text(encoding="utf-8")))
    facts = table(["", f"`{name}`"], [[key, value] for key, value in _facts(name, source).items()])
    return "\n\n".join([f"## {name}", sentence(source.card.title), "\n".join(facts), *_told(type(source))])


def _facts(name: str, source: Source) -> dict[str, str]:
    card = source.card
    counted = {key: f"{key} {count:,}" for key, count in source.expected.items()}
    own = source.place is not None
    patients = "known" if card.patients else "unknown"
    if own or source.grouping != "patient":
        patients = "by `dataset.group`" if own else f"{patients}; groups are {source.grouping}s"
    facts = {
        "series": "as in the file" if own else _number(card.series),
        "channels x samples": "as in the file" if own else f"{_number(card.channels)} x {_number(card.length)}",
        "classes, normal first": ", ".join(counted.get(key, key) for key in source.classes) or "as in the files",
        "patients": patients,
        "license": card.license,
        "settings": f"[`dataset={name}`](reference/dataset.md#{name})",
    }
    if not own and card.size_mb != 0:
        account = ", with an account" if card.account else ""
        size = "size unknown" if card.size_mb is None else f"{card.size_mb:,.0f} MB"
        facts |= {"download": f"{size}{account}", "raw files": f"`data/{source.folder}/raw/`"}
    return facts


def _told(cls: type) -> list[str]:
    """Paragraphs of the docstring before its arguments, with titles for what it says of terms and traps."""
    text = escaped(re.split(r"^(?:Args|Raises):$", inspect.getdoc(cls) or "", flags=re.M)[0].strip())
    text = re.sub(r"^Licence: ", "**License and citation:** ", text, flags=re.M)
    text = re.sub(r"^Traps: ", "**Beware:** ", text, flags=re.M)
    return DOI.sub(r"[doi:\1](https://doi.org/\1)", text).split("\n\n")


def _number(value: int | None) -> str:
    return "as in the files" if value is None else f"{value:,}"
