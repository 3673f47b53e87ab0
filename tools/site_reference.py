"""Pages of the documentation site on settings, made of the config files and the classes that they name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_type_hints

import yaml

from ecgan.checks import CHOICES
from ecgan.init import comments_of
from ecgan.nodes import PARTIAL, TARGET, constructor, describe, locate
from ecgan.schema import TrainConfig
from ecgan.usage import conf_dir, options

GROUPS = {
    "dataset": "What is read. [Data sets](../data.md) says what each one is, and what to beware of.",
    "preprocess": "Steps before the store, applied in the order given: `'preprocess=[clean,impute,lttb]'`.",
    "transform": "Scaling, fitted on the training part of each fold.",
    "split": "How series are divided. See [splits](../concepts/splits.md).",
    "model": "What is trained. [Models](../models.md) has sources, losses, sizes and results.",
    "loss": "What a critic and a generator play for: `loss@model.adversarial=hinge`.",
    "detector": "Scores, larger = more abnormal. Several run on one fit. [Detectors](../detectors.md) has formulas.",
    "threshold": "What turns a score into a verdict. See [thresholds](../concepts/thresholds.md).",
    "trainer": "Device and effort.",
    "tracker": "Who hears of a run besides its directory. See [trackers](../tracking.md).",
    "experiment": "Protocols: choices and settings that belong together.",
    "sweep": "Many runs with one command. See [sweeps](../howto/sweeps.md).",
    "pair": "Tuned settings of one model on one data set, taken whenever both are chosen.",
}
"""Every group, and what its page says first."""
PREFIX = {"loss": "model.adversarial", "preprocess": "preprocess", "tracker": "tracker"}
"""Where the settings of a group stand, where not below its name."""
WHOLE = ("experiment", "sweep", "pair")
"""Groups whose files are choices of other groups, and are shown as they are."""
ARGUMENT = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.M)


def pages() -> dict[str, str]:
    """All pages, by their place below ``docs/``."""
    groups = {f"reference/{name}.md": group_page(name) for name in GROUPS}
    return {"reference/settings.md": settings_page(), **groups}


def settings_page() -> str:
    """The settings of ``conf/train.yaml`` and of the sections that no group fills."""
    file = conf_dir() / "train.yaml"
    content, comments = yaml.safe_load(file.read_text(encoding="utf-8")), comments_of(file)
    chosen = [next(iter(entry.items())) for entry in content.pop("defaults") if isinstance(entry, dict)]
    rows = [[f"`{name.removeprefix('optional ')}`", _value(value)] for name, value in chosen]
    lines = [
        "# Settings",
        "",
        "Made of `conf/train.yaml` and `src/ecgan/schema.py`.",
        "",
        "## Groups and their defaults",
        "",
    ]
    lines += [*table(["group", "default"], rows), "", "## Settings of every run", ""]
    lines += table(
        HEAD, [_row(key, value, _schema_type(key), comments.get(key, "")) for key, value in _leaves(content)]
    )
    return "\n".join(lines) + "\n"


def group_page(group: str) -> str:
    """Every file of a group: what it is, its class, and all its settings."""
    lines = [
        f"# {group}",
        "",
        GROUPS[group],
        "",
        f"Made of the files in `conf/{group}/` and the classes that they name.",
    ]
    for name in options(group):
        file = conf_dir() / group / f"{name}.yaml"
        text = file.read_text(encoding="utf-8")
        lines += ["", f"## {name}", ""]
        if group in WHOLE:
            lines += ["```yaml", text.rstrip("\n"), "```"]
        else:
            lines += settings_of(group, yaml.safe_load(text), comments_of(file))
    return "\n".join(lines) + "\n"


HEAD = ["setting", "default", "takes", "what it does"]


def settings_of(group: str, content: Any, comments: dict[str, str]) -> list[str]:
    """Lines on one file: what it is, its classes, and a table of its settings."""
    loss = [name for entry in content.pop("defaults", []) if isinstance(entry, dict) for name in _losses(entry)]
    prefix = PREFIX.get(group, group)
    lines = [sentence(comments.get("", ""))]
    classes = [f"`{node[TARGET]}`" for node in _nodes(content)]
    if classes:
        lines += ["", f"Made of {', '.join(dict.fromkeys(classes))}."]
    if loss:
        lines += ["", f"Its game is [`{loss[0]}`](loss.md#{loss[0]}) unless `loss@model.adversarial=` names another."]
    rows = [
        _row(f"{prefix}.{key}", value, *_told(group, content, key, comments))
        for key, value in _leaves(content)
        if key.rpartition(".")[2] not in (TARGET, PARTIAL)
    ]
    return [*lines, "", *table(HEAD, rows)] if rows else lines


def _losses(entry: dict[str, str]) -> list[str]:
    return [name for place, name in entry.items() if place.startswith("/loss@")]


def _told(group: str, content: Any, key: str, comments: dict[str, str]) -> tuple[str, str]:
    """What a setting takes, and what it does: by the comment, or the docstring of the class that it belongs to."""
    owner, _, name = key.rpartition(".")
    node = content
    for part in filter(None, owner.split(".")):
        node = node[part]
    if TARGET not in node:
        return _schema_type(f"{group}.{key}"), comments.get(key, "")
    cls = locate(node[TARGET])
    _, hints, _ = constructor(cls)
    takes = describe(hints[name]).replace("'", "") if name in hints else ""
    return takes, comments.get(key) or (_arguments(cls).get(name, "") if cls.__module__.startswith("ecgan.") else "")


def _schema_type(key: str) -> str:
    """What a setting of the framework takes; nothing for what is not one."""
    if key in CHOICES:
        return " or ".join(CHOICES[key])
    cls: Any = TrainConfig
    *sections, name = key.split(".")
    for section in sections:
        cls = get_type_hints(cls).get(section)
        if not is_dataclass(cls):
            return ""
    hint = get_type_hints(cls).get(name)
    return "" if hint in (None, Any) else describe(hint)


def _arguments(cls: type) -> dict[str, str]:
    """Descriptions of the arguments in a class's docstring."""
    part = (inspect.getdoc(cls) or "").partition("\nArgs:\n")[2].partition("\n\n")[0]
    return {match[1]: " ".join(match[2].split()) for match in ARGUMENT.finditer(part)}


def _nodes(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, dict):
        if TARGET in content:
            yield content
        for value in content.values():
            yield from _nodes(value)


def _leaves(content: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def sentence(text: str) -> str:
    """A comment as a sentence of a page."""
    return escaped(f"{text[:1].upper()}{text[1:].rstrip('.')}.") if text else ""


def escaped(text: str) -> str:
    """Text in which Markdown sees no tag, and code as Markdown writes it."""
    return text.replace("``", "`").replace("<", "&lt;")


def _row(key: str, value: Any, takes: str, told: str) -> list[str]:
    return [f"`{key}`", _value(value), takes, escaped(told)]


def _value(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")
    return f"`{text}`"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table."""
    cells = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells)]
