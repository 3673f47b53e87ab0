"""Files in conf/ and classes match one to one, and each file shows all that its class can be told."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

import ecgan.data.sources
import ecgan.data.transforms
import ecgan.detect
import ecgan.losses
import ecgan.models
import ecgan.preprocess
import ecgan.track
from config_files import FILES, content_of
from ecgan.nodes import PARTIAL, RUNTIME, TARGET, constructor, locate
from ecgan.schema import SplitConfig, TrainerConfig
from ecgan.usage import conf_dir, options

BASES = {"base", "adversarial", "generative", "reconstruction", "classification"}
"""Modules of models that are there to derive from."""


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_setting_of_a_class_stands_in_its_file(file: Path) -> None:
    """Whoever opens a file sees all that can be set, with its default."""
    content = content_of(file)
    if file.parent.name == "detector":
        nodes = [node["scorer"] for node in content.values()]
    else:
        inner = (*content.get("steps", {}).values(), *content.get("backends", {}).values())
        nodes = [node for node in (content, *inner) if TARGET in node]
        networks = [node for node in content.values() if isinstance(node, dict) and is_network(node)]
        nodes += networks
    for node in nodes:
        parameters, _, _ = constructor(locate(node[TARGET]))
        assert set(node) - {TARGET, PARTIAL} == set(parameters) - RUNTIME


def is_network(node: dict[str, Any]) -> bool:
    return str(node.get(TARGET)).startswith("ecgan.networks.")


@pytest.mark.parametrize(
    ("group", "schema"),
    [("split", SplitConfig), ("trainer", TrainerConfig)],
)
def test_every_field_of_the_framework_stands_in_each_file_of_its_group(group: str, schema: type) -> None:
    names = {field.name for field in fields(schema)}
    for name in options(group):
        content = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
        assert set(content) == names, name


def classes(package: object, fits: Callable[[type], bool]) -> set[str]:
    """Targets of the public classes that a package defines and that fit."""
    assert inspect.ismodule(package)
    modules = [
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    ]
    return {
        f"{module.__name__}.{name}"
        for module in modules
        for name, value in vars(module).items()
        if is_own(value, module.__name__) and fits(value)
    }


def is_own(value: object, module: str) -> bool:
    """Whether something is a public class, defined in this module and more than a protocol."""
    if not inspect.isclass(value) or value.__module__ != module:
        return False
    return not value.__name__.startswith("_") and not getattr(value, "_is_protocol", False)


def has(*methods: str) -> Callable[[type], bool]:
    return lambda cls: all(method in dir(cls) for method in methods)


def trains(cls: type) -> bool:
    """Whether a class is a model to use, not a base to derive from; bases lack a network."""
    return "training_step" in dir(cls) and cls.__module__.rpartition(".")[2] not in BASES


def targets(group: str) -> set[str]:
    """All classes that the files of a group name at their top, in a detector's scorer and its parts, or in a step."""
    found = set()
    for name in options(group):
        content = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
        scorers = [node["scorer"] for node in content.values()] if group == "detector" else []
        parts = [part for scorer in scorers for part in scorer.get("parts", {}).values()]
        inner = (*content.get("steps", {}).values(), *content.get("backends", {}).values(), *scorers, *parts)
        found |= {node[TARGET] for node in (content, *inner) if TARGET in node}
    return found


@pytest.mark.parametrize(
    ("group", "package", "fits"),
    [
        ("model", ecgan.models, trains),
        ("detector", ecgan.detect, has("score", "load_state")),
        ("threshold", ecgan.detect, lambda cls: has("choose")(cls) and cls.__name__ != "Detector"),
        ("dataset", ecgan.data.sources, has("read", "card")),
        ("transform", ecgan.data.transforms, has("fit", "state")),
        ("preprocess", ecgan.preprocess, has("__call__")),
        ("loss", ecgan.losses, has("critic", "generator", "bound")),
        ("tracker", ecgan.track, lambda cls: has("metrics", "outcome")(cls) and cls.__name__ != "CheckpointCopies"),
    ],
)
def test_every_class_has_a_file_and_every_file_a_class(
    group: str, package: object, fits: Callable[[type], bool]
) -> None:
    assert classes(package, fits) == targets(group)
