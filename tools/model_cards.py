"""The page of the documentation site that has a card for each model."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import torch
import yaml
from site_reference import sentence, settings_of, table

from ecgan.capabilities import Classifies, Discriminates, Encodes, Reconstructs, Samples
from ecgan.config import build, compose
from ecgan.init import comments_of
from ecgan.types import DataSpec
from ecgan.usage import conf_dir, options

PAGE = Path(__file__).resolve().parents[1] / "docs" / "models.md"
ECG5000 = DataSpec(140, 1, 5, class_counts=(5, 4, 3, 2, 1))
ABILITIES = {
    "reconstructs": Reconstructs,
    "encodes": Encodes,
    "samples": Samples,
    "discriminates": Discriminates,
    "classifies": Classifies,
}
HEAD = """\
# Model cards

Each card is made of the model's file in `conf/model/`, of the model itself as that file builds it, and of the tables on
[models](models.md), which has losses and reasons too. Weights are counted for one channel of 140 samples and five
classes, as in ECG5000; what was measured is [explained there](models.md#measured). All of it is of one patient."""
NONE = "\N{EN DASH}"
"""In a table: the model has no such capability."""


def pages() -> dict[str, str]:
    """The page, by its place below ``docs/``."""
    named, measured = (_rows(head) for head in ("model | source", "model | detection AUROC"))
    cards = [card(name, named.get(name, {}), measured.get(name, {})) for name in options("model")]
    return {"model_cards.md": "\n\n".join([HEAD, *cards]) + "\n"}


def card(name: str, named: dict[str, str], measured: dict[str, str]) -> str:
    """What a model is and can do, what it reached, and its settings."""
    file = conf_dir() / "model" / f"{name}.yaml"
    comments = comments_of(file)
    model: torch.nn.Module = build(compose([f"model={name}"]).model, spec=ECG5000)
    trained = [weight for key, weight in model.named_parameters() if not key.startswith("averaged.")]
    facts = {
        "source": named.get("source", ""),
        "what it can do": ", ".join(word for word, ability in ABILITIES.items() if isinstance(model, ability)),
        "weights": f"{sum(weight.numel() for weight in trained):,}",
        **{key: value for key, value in measured.items() if value != NONE},
        "more": f"[losses and reasons](models.md#{name})",
    }
    head = table(["", f"`model={name}`"], [[key, value] for key, value in facts.items() if value])
    _, *settings = settings_of("model", yaml.safe_load(file.read_text(encoding="utf-8")), comments)
    told = "\n".join(settings).strip("\n").replace("](loss.md", "](reference/loss.md")
    return "\n\n".join([f"## {name}", sentence(comments.get("", "")), "\n".join(head), told])


def _rows(head: str) -> dict[str, dict[str, str]]:
    """Rows of the table of ``docs/models.md`` that begins so, by model: cells by the head of their column."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"| {head}")
    lines = takewhile(lambda line: line.startswith("|"), text[start:].splitlines())
    cells = [line.strip("| ").split(" | ") for line in lines]
    names, _, *rows = cells
    return {row[0].strip("`"): dict(zip(names[1:], row[1:], strict=True)) for row in rows}
