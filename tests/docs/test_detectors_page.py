"""``docs/detectors.md`` says of every detector where it comes from, what it needs, and what it reaches."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecgan.detect.combined import WEIGHTINGS
from ecgan.detect.detector import Detector
from ecgan.nodes import TARGET, locate
from ecgan.usage import conf_dir, options

PAGE = Path(__file__).resolve().parents[2] / "docs" / "detectors.md"
DETECTORS = [name for name in options("detector") if name != "none"]


@cache
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def rows(part: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): [cell.strip() for cell in cells[1:]] for cells in lines}


def node(name: str) -> Any:
    return yaml.safe_load((conf_dir() / "detector" / f"{name}.yaml").read_text(encoding="utf-8"))[name]["scorer"]


def required(scorer: Any) -> set[str]:
    own = {kind.__name__.lower() for kind in locate(scorer[TARGET]).requires}  # type: ignore[attr-defined]
    return own.union(*(required(part) for part in scorer.get("parts", {}).values()))


def test_every_detector_has_a_row() -> None:
    assert sorted(rows(text().partition("\n## ")[0])) == DETECTORS


@pytest.mark.parametrize("name", DETECTORS)
def test_what_a_detector_needs_is_what_the_page_says(name: str) -> None:
    needs = rows(text().partition("\n## ")[0])[name][1]
    assert {word for word in re.split(r",\s*", needs) if word != "–"} == required(node(name))  # noqa: RUF001


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_is_explained(name: str) -> None:
    titles = " ".join(re.findall(r"^## (.+)$", text(), re.M))
    assert name in titles or f"`{name}`" in text().partition("## The baselines")[2] or name == "lstm_autoencoder"


@pytest.mark.parametrize("name", DETECTORS)
def test_the_supervision_is_that_of_the_scorer(name: str) -> None:
    class Blind:
        supervision = "normal_only"

    declared = getattr(locate(node(name)[TARGET]), "supervision", "normal_only")
    if isinstance(declared, property):  # depends on the weights
        declared = WEIGHTINGS[node(name)["weights"]].supervision
    scorer = type("Scorer", (), {"supervision": declared, "requires": ()})()
    assert rows(text().partition("\n## ")[0])[name][3] == Detector(name, scorer, Blind()).supervision  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_has_a_measured_result(name: str) -> None:
    cells = rows(text().partition("## Measured")[2])[name]
    assert all(re.match(r"\d", cell) for cell in cells[2:])
