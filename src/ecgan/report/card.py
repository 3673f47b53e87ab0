"""What a page tells of a run beside its results: the data, the folds, what ran, and how to run it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ecgan.errors import EcganError
from ecgan.nodes import TARGET, locate
from ecgan.report.collect import FAILED, run_facts

Facts = list[tuple[str, str]]
PARTS = ("train", "val", "test")
PART = re.compile(rb'"(train|val|test)":\[([^\]]*)\]')
BINARY = ("normal", "abnormal")
"""Names of the classes of a model that is told no more."""


def settings(directory: Path) -> str:
    """All settings with references resolved; as they were written where they cannot be."""
    return _resolved(_config_text(directory))


@lru_cache(4)
def _resolved(text: str) -> str:
    try:
        return OmegaConf.to_yaml(OmegaConf.create(text), resolve=True) if text else ""
    except (OmegaConfBaseException, yaml.YAMLError, ValueError):
        return text


def headline(directory: Path) -> str:
    """Model and data set of a run in one line, as far as they are recorded."""
    model = _config(directory).get("model")
    name = str(model[TARGET]).rpartition(".")[2] if isinstance(model, dict) and TARGET in model else "Run"
    dataset = run_facts(directory).get("dataset")
    return f"{name} on {dataset['name']}" if dataset else name


def data_card(directory: Path) -> Facts:
    """What the data are; empty where nothing is recorded."""
    recorded = run_facts(directory)
    if "dataset" not in recorded:
        return []
    known: dict[str, Any] = recorded["dataset"]
    told: Facts = [("name", known["name"]), *_source(_config(directory).get("dataset"))]
    told += [("note", known.get("note", ""))]
    if "shape" in known:
        n, channels, length = known["shape"]
        told.append(("series", f"{n:,} of {channels} x {length:,} samples"))
    told += [("class", f"{name}: {count:,}") for name, count in known["counts"].items()]
    told += [("left out", f"{count:,} {reason}") for reason, count in known.get("dropped", {}).items()]
    rate = known.get("fs_hz")
    told += [("sampling rate", "undefined" if rate is None else f"{rate:g} Hz"), ("unit", str(known.get("unit", "")))]
    grouping = known.get("grouping") or recorded.get("protocol", {}).get("grouping") or "patient"
    told.append((f"{grouping}s", "known" if known["groups_known"] else "not told apart"))
    told.append(("sha256 of the processed data", str(known.get("hash", ""))))
    raw = known.get("raw", {})
    few = list(raw.items())[:5]
    told += [(f"sha256 of {name}", str(sha256)) for name, sha256 in few]
    return [*told, ("raw files", f"{len(raw):,} in all" if len(raw) > len(few) else "")]


def _source(node: Any) -> Iterator[tuple[str, str]]:
    """Title and license of the data, where the class of the source is installed and knows them."""
    if isinstance(node, dict):
        with suppress(EcganError, KeyError):
            card = getattr(locate(node[TARGET]), "card", None)
            yield from (("title", card.title), ("license", card.license)) if card is not None else ()


def split_card(directory: Path) -> Facts:
    """How the data were divided: the words, the settings, the digest."""
    recorded = run_facts(directory)
    how = recorded.get("protocol", {})
    told: Facts = [("in words", how.get("description", ""))]
    mixed = how.get("groups_mixed_between") or []
    told += [(f"{how.get('grouping') or 'group'}s shared by", ", ".join(mixed))] if mixed else []
    told += [("left out", f"{count:,} {reason}") for reason, count in how.get("left_out", {}).items()]
    plan = _config(directory).get("split")
    if isinstance(plan, dict):
        told.append(("settings", ", ".join(f"{key}={_as_typed(value)}" for key, value in plan.items())))
    return [*told, ("sha256 of all indices", str(recorded.get("splits", "")))]


def _as_typed(value: Any) -> str:
    """A setting as it stands in a command."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def part_sizes(directory: Path) -> list[dict[str, int]]:
    """Number of series of each part of each fold, counted in the text of ``splits.json``; empty without one."""
    file = directory / "splits.json"
    if not file.is_file():
        return []
    sizes: list[dict[str, int]] = []
    for match in PART.finditer(file.read_bytes()):
        name = match[1].decode()
        if name == "train":
            sizes.append({})
        if sizes:
            sizes[-1][name] = match[2].count(b",") + 1 if match[2].strip() else 0
    return sizes


def made_with(directory: Path) -> Facts:
    """Where, when and with what the run was made."""
    known = run_facts(directory)
    git = known.get("git") or {}
    commit = f"{git['commit']}{', with local changes' if git.get('dirty') else ''}" if git else ""
    folds = {name: fold for name, fold in known.get("folds", {}).items() if fold.get("status") != FAILED}
    machine = {f"{fold.get('device')}, {fold.get('threads')} threads" for fold in folds.values()}
    fitted = [float(fold["fit_s"]) for fold in folds.values() if "fit_s" in fold]
    return [
        ("started", str(known.get("started", ""))),
        ("seed", str(known.get("seed", ""))),
        ("seeds of the folds", ", ".join(f"{name}: {fold['seed']}" for name, fold in folds.items() if "seed" in fold)),
        ("computed on", "; ".join(sorted(machine))),
        ("training time", f"{sum(fitted):,.1f} s over {len(fitted)} folds" if fitted else ""),
        ("machine", f"{known['platform']}, {known.get('cpu_count')} processors" if "platform" in known else ""),
        ("Python", str(known.get("python", ""))),
        *((name, str(number)) for name, number in known.get("versions", {}).items()),
        ("commit", commit),
    ]


def again(directory: Path) -> tuple[str, list[str]]:
    """A sentence, and the commands that it speaks of."""
    known = run_facts(directory)
    original = known.get("detection_of")
    if original is not None:
        return f"Made by ecgan-detect from the run {original}.", [str(known.get("command", ""))]
    config = shlex.quote(str(directory / ".hydra" / "config.yaml"))
    commands = [str(known["command"])] if "command" in known else []
    place = f" in {known['cwd']}" if "cwd" in known else ""
    return f"The command it was made with{place}, and the same from the saved settings:", [
        *commands,
        f"ecgan-train {config}",
    ]


def class_names(directory: Path, of_model: bool) -> list[str]:
    """Names of the classes, those that the model is told or those of the data."""
    data = _config(directory).get("data")
    if of_model and isinstance(data, dict) and data.get("labels") == "binary":
        return list(BINARY)
    return list(run_facts(directory).get("dataset", {}).get("classes", ()))


def _config_text(directory: Path) -> str:
    file = directory / ".hydra" / "config.yaml"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _config(directory: Path) -> dict[str, Any]:
    return _parsed(settings(directory))


@lru_cache(4)
def _parsed(text: str) -> dict[str, Any]:
    with suppress(yaml.YAMLError):
        content = yaml.safe_load(text)
        return content if isinstance(content, dict) else {}
    return {}
