"""What of a run's config makes it another method, and what methods are called.

Thousands of configs are compared as text: ``config.yaml`` is written by OmegaConf in one fixed form, so equal settings
have equal text, and each distinct text is parsed once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import yaml

from ecgan.errors import RunError
from ecgan.nodes import TARGET
from ecgan.plugins import files_of
from ecgan.usage import conf_dir

SECTION = re.compile(r"^(?=\w+:)", re.MULTILINE)
METHOD = ("model", "transform", "data", "trainer")
"""Sections that a method consists of, besides its detector; the data and the split have checksums of their own."""
IGNORED = {
    "data": re.compile(r"^  eval_batch_size:.*\n", re.MULTILINE),
    "trainer": re.compile(
        r"^  (?:accelerator|devices|deterministic|compile|threads|progress_bar|figures):.*\n", re.MULTILINE
    ),
}
"""Settings that change no more than the last digits, by section; another section may call something else the same."""
NETWORK = "ecgan.networks."
MISSING = "-"


def sections(text: str) -> dict[str, str]:
    """The text of each section of a ``config.yaml``, by its name."""
    parts = [part for part in SECTION.split(text) if part.strip()]
    return {part.partition(":")[0]: part if part.endswith("\n") else part + "\n" for part in parts}


def method_text(parts: Mapping[str, str]) -> str:
    """All that makes the training of a run another one, but for its data, its folds and its seed."""
    own = {name: parts.get(name, "") for name in METHOD}
    return "".join(IGNORED[name].sub("", text) if name in IGNORED else text for name, text in own.items())


@lru_cache(maxsize=100_000)
def rule_texts(detectors: str, threshold: str) -> dict[str, str]:
    """All that makes a detector another one, by its name.

    Args:
        detectors: the section ``detector``.
        threshold: the section ``threshold``, which detectors refer to.
    """
    nodes = parsed(detectors).get("detector") or {}
    shared = parsed(threshold).get("threshold")
    return {
        name: yaml.safe_dump({"detector": node | ({"threshold": shared} if "${" in str(node["threshold"]) else {})})
        for name, node in nodes.items()
    }


@lru_cache(maxsize=100_000)
def parsed(text: str) -> dict[str, Any]:
    """A section, parsed by libyaml where it is there.

    Raises:
        RunError: when it is no YAML.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(text, loader)  # noqa: S506 - both are safe loaders
    except yaml.YAMLError as error:
        raise RunError(f"no YAML: {' '.join(str(error).split())}") from error
    if content is not None and not isinstance(content, dict):
        raise RunError("no mapping of settings")
    return content or {}


@lru_cache(maxsize=100_000)
def model_name(section: str) -> str:
    """Name of the file in the group ``model`` with the same classes, else the name of the class."""
    node = parsed(section).get("model")
    if not isinstance(node, dict) or TARGET not in node:
        raise RunError("no model")
    targets = tuple(_targets(node))
    return _known().get(targets) or str(node[TARGET]).rpartition(".")[2]


@lru_cache(maxsize=1)
def _known() -> dict[tuple[str, ...], str]:
    """Names of models by their classes; those that two files have in common name none."""
    found: dict[tuple[str, ...], str] = {}
    for file in (*(conf_dir() / "model").glob("*.yaml"), *files_of("model")):
        node = yaml.safe_load(file.read_text(encoding="utf-8"))
        if isinstance(node, dict) and TARGET in node:
            targets = tuple(_targets(node))
            found[targets] = "" if targets in found else file.name.removesuffix(".yaml")
    return found


def _targets(node: Mapping[str, Any]) -> Iterator[str]:
    """The model's class and those of its networks; losses and optimizers are settings."""
    yield str(node[TARGET])
    inner = sorted((key, value) for key, value in node.items() if isinstance(value, dict))
    yield from (value[TARGET] for _, value in inner if str(value.get(TARGET)).startswith(NETWORK))


def labels(texts: Iterable[str]) -> dict[str, str]:
    """What tells settings of methods of the same name apart, such as ``latent=5``; empty where there is one only.

    Args:
        texts: settings of each, see ``method_text`` and ``rule_texts``.
    """
    distinct = list(dict.fromkeys(texts))
    if len(distinct) == 1:
        return {distinct[0]: ""}
    flat = {text: dict(_flat(parsed(text))) for text in distinct}
    keys = list(dict.fromkeys(key for settings in flat.values() for key in settings))
    differing = [key for key in keys if len({settings.get(key, MISSING) for settings in flat.values()}) > 1]
    short = _shortest(differing)
    return {
        text: ", ".join(f"{short[key]}={settings[key]}" for key in differing if key in settings)
        for text, settings in flat.items()
    }


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "null" if value is None else str(value)


def _shortest(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted key, with as many of those before it as tell it from the others."""
    short: dict[str, str] = {}
    for key in keys:
        parts = key.split(".")
        tails = (".".join(parts[-n:]) for n in range(1, len(parts) + 1))
        others = [f".{other}" for other in keys if other != key]
        short[key] = next(tail for tail in tails if not any(o.endswith(f".{tail}") for o in others) or tail == key)
    return short
