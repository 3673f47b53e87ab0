"""``docs/models.md`` says of every model what it is, how large it is, and what it reaches."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ecgan.models
from ecgan.capabilities import Classifies, Discriminates, Encodes, Reconstructs, Samples
from ecgan.checks import models_with
from ecgan.config import build, compose, plain
from ecgan.models.base import Model
from ecgan.nodes import TARGET, locate
from ecgan.types import DataSpec
from ecgan.usage import options

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
MODELS = options("model")
ECG5000 = DataSpec(140, 1, 5, class_counts=(5, 4, 3, 2, 1))
CAPABILITIES = (Reconstructs, Encodes, Samples, Discriminates, Classifies)
MEASURED: dict[str, type | None] = {
    "detection AUROC": Reconstructs,
    "MMD² (real; chance)": Samples,
    "density (real)": Samples,
    "coverage (real)": Samples,
    "TSTR F1 (real)": Samples,
    "accuracy": Classifies,
    "fit, s": None,
}
"""Columns of the results, and what a model must be able to do to have one there."""


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def rows(part: str) -> dict[str, dict[str, str]]:
    """The first table of a part of the page: rows by their first cell, cells by the head of their column."""
    lines = [re.split(r"\s*\|\s*", line.strip("| ")) for line in part.splitlines() if line.startswith("|")]
    head = lines[0]
    table: dict[str, dict[str, str]] = {}
    for line in lines[2:]:
        if line[0] == "capability":
            break
        assert len(line) == len(head), line
        table[line[0].strip("`")] = dict(zip(head, line, strict=True))
    return table


def sections() -> dict[str, str]:
    """Bodies of the page's sections, by title; what stands before the first has none."""
    title, *rest = re.split(r"^## (.+)\n", text(), flags=re.M)
    return {"": title} | dict(zip(rest[::2], rest[1::2], strict=True))


@cache
def node(name: str) -> Any:
    return compose(["dataset=sine", f"model={name}", "detector=none"]).model  # no pair changes its models


@cache
def built(name: str) -> Model:
    model = build(node(name), spec=ECG5000)
    assert isinstance(model, Model)
    return model


def test_every_model_has_a_row_a_section_and_results() -> None:
    parts = sections()
    assert sorted(rows(parts[""])) == MODELS
    assert sorted(rows(parts["Measured"])) == MODELS
    assert set(MODELS) <= set(parts)


@pytest.mark.parametrize("name", MODELS)
def test_the_number_of_parameters_is_that_of_the_model(name: str) -> None:
    trained = {key: value for key, value in built(name).named_parameters() if not key.startswith("averaged.")}
    number = sum(value.numel() for value in trained.values())
    assert rows(sections()[""])[name]["parameters"] == f"{number:,}"


@pytest.mark.parametrize("name", MODELS)
def test_the_capabilities_are_those_of_the_model(name: str) -> None:
    able = [kind.__name__.lower() for kind in CAPABILITIES if isinstance(built(name), kind)]
    assert rows(sections()[""])[name]["what it can do"] == ", ".join(able)


@pytest.mark.parametrize("name", MODELS)
def test_defaults_that_are_explained_are_the_defaults(name: str) -> None:
    explained = re.findall(r"^\* `model\.([\w.]+)=([^`]+)`: \S", sections()[name], re.M)
    assert explained
    for key, value in explained:
        found: Any = node(name)
        for part in key.split("."):
            found = found[part]
        assert str(found).lower() == value, key


@pytest.mark.parametrize("name", MODELS)
def test_the_losses_of_a_model_that_can_be_conditional_are_there_and_how(name: str) -> None:
    body = sections()[name]
    assert "```" in body or re.search(r"[Ll]oss(es)? (as for|of) `", body)
    assert ("conditional" in node(name)) == ("Conditional:" in body)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_a_measured_result_for_all_that_it_can_do(name: str) -> None:
    cells = rows(sections()["Measured"])[name]
    assert set(cells) == {"model", *MEASURED}
    for column, kind in MEASURED.items():
        if kind is None or name in models_with(kind):
            assert re.match(r"-?\d", cells[column]), (
                f"{column} of {name} is {cells[column]!r}: run benchmarks/floors.py"
            )
        else:
            assert cells[column] == "–"  # noqa: RUF001 - as in the other tables


def public_models() -> set[type[Model]]:
    found = set()
    for module in pkgutil.iter_modules(ecgan.models.__path__, "ecgan.models."):
        classes = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found |= {
            cls for name, cls in classes if issubclass(cls, Model) and cls.__module__ == module.name and name[0] != "_"
        }
    return found


def test_every_public_model_is_used_by_a_file_or_the_base_of_one_that_is() -> None:
    used = {locate(plain(node(name))[TARGET]) for name in MODELS}
    unused = {cls for cls in public_models() if not any(issubclass(one, cls) for one in used)}
    assert public_models() >= used
    assert unused == set()
