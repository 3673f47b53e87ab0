"""Run directories: found in folders, and read as fast as thousands of them ask for."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecgan.comparison.settings import method_text, model_name, rule_texts, sections
from ecgan.errors import RunError
from ecgan.files import reading
from ecgan.report.collect import COLUMNS, FAILED, MODEL

HEADER = ",".join(COLUMNS)
Values = dict[str, dict[str, dict[int, float]]]
"""Metrics of the test part, by detector, metric and fold."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A run directory, or a part of one, that has no results.

    Attributes:
        directory: of the run.
        status: ``failed``, ``interrupted``, ``running``, ``incomplete`` or ``damaged``.
        why: in words.
    """

    directory: Path
    status: str
    why: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """What must be equal for numbers to be averaged or compared.

    Attributes:
        dataset: name of the data set.
        data: checksum of its processed series.
        splits: digest of the folds.
        description: how they were made, in words.
        groups: ``kept apart``, ``mixed`` or ``unknown``.
        mixed_between: pairs of parts that share groups.
        grouping: what a group is, such as ``patient``.
        shared: whether all folds test the same series.
        note: what must be known of the data.
    """

    dataset: str
    data: str
    splits: str
    description: str
    groups: str
    mixed_between: tuple[str, ...]
    grouping: str
    shared: bool
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a finished run found.

    Attributes:
        directory: of the run, or of a later detection.
        seed: of the run.
        protocol: what on.
        model: its name.
        method: settings of the training as text.
        rules: settings of each detector as text.
        supervision: what each detector's threshold has seen.
        split_settings: the section ``split`` of the config, with the seed in its place.
        values: metrics of the test part.
    """

    directory: Path
    seed: int
    protocol: Protocol
    model: str
    method: str
    rules: dict[str, str]
    supervision: dict[str, str]
    split_settings: str
    values: Values = field(repr=False)


def find(folders: Iterable[Path]) -> list[Path]:
    """All run directories in these folders, later detections included, each once.

    Raises:
        DataError: when a folder cannot be read.
        RunError: when a folder does not exist.
    """
    found: dict[str, None] = {}
    for folder in folders:
        if not folder.is_dir():
            raise RunError(f"{folder} is no folder; name folders that hold run directories.")
        found |= dict.fromkeys(sorted(_below(os.path.realpath(folder))))
    return [Path(path) for path in found]


def _below(folder: str) -> Iterator[str]:
    """Run directories below a folder; nothing is looked for in their folds, and links are not followed."""
    with reading(Path(folder)), os.scandir(folder) as entries:
        inner = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    is_run = "run.json" in inner or any(name.startswith("fold_") and is_dir for name, is_dir in inner.items())
    if is_run:
        yield folder
    for name, is_dir in inner.items():
        if is_dir and (name == "detections" if is_run else not name.startswith(".")):
            yield from _below(os.path.join(folder, name))  # noqa: PTH118 - a Path for each of many folders is slow


def read(directory: Path) -> tuple[Run | None, list[Problem]]:
    """Read one run directory: its results, if it has any, and what is missing."""
    try:
        facts = json.loads((directory / "run.json").read_bytes())
        status = str(facts["status"])
        if status not in ("finished", "incomplete"):
            return None, [Problem(directory, status, _unfinished(status, facts))]
        folds = facts.get("folds", {}).items()
        failed = [
            Problem(directory, status, f"{name} failed: {entry.get('error', '')}")
            for name, entry in folds
            if entry.get("status") == FAILED
        ]
        return _run(directory, facts), failed
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        return None, [Problem(directory, "damaged", f"{missing} is missing")]
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RunError) as error:
        return None, [Problem(directory, "damaged", f"{type(error).__name__}: {error}")]


def _unfinished(status: str, facts: dict[str, Any]) -> str:
    return str(facts.get("error") or ("still running, or killed" if status == "running" else "no results"))


def _run(directory: Path, facts: dict[str, Any]) -> Run:
    parts = sections((directory / ".hydra" / "config.yaml").read_text(encoding="utf-8"))
    rules = rule_texts(parts.get("detector", ""), parts.get("threshold", ""))
    values = read_values(directory / "results.csv")
    first = min(fold for metrics in values.values() for folds in metrics.values() for fold in folds)
    detection = directory / f"fold_{first}" / "detection"
    supervision = {
        name: str(json.loads((detection / name / "threshold.json").read_bytes())["supervision"])
        for name in values
        if name != MODEL
    }
    rules = {name: rules[name] for name in supervision} | {MODEL: parts.get("generation", "")}
    return Run(
        directory,
        seed=int(facts["seed"]),
        protocol=_protocol(facts),
        model=model_name(parts["model"]),
        method=method_text(parts),
        rules=rules,
        supervision=supervision,
        split_settings=parts.get("split", "").replace("${seed}", str(facts["seed"])),
        values=values,
    )


def _protocol(facts: dict[str, Any]) -> Protocol:
    dataset = facts["dataset"]
    known = dataset | facts.get("protocol", {})
    apart = known.get("groups_kept_apart", False)
    groups = "unknown" if not known["groups_known"] else "kept apart" if apart else "mixed"
    return Protocol(
        dataset=str(dataset["name"]),
        data=str(dataset["hash"]),
        splits=str(facts["splits"]),
        description=str(known.get("description", "")),
        groups=groups,
        mixed_between=tuple(known.get("groups_mixed_between", ())),
        grouping=str(known.get("grouping") or "patient"),
        shared=bool(dataset.get("test_shared_by_folds", False)),
        note=str(dataset.get("note", "")),
    )


def read_values(file: Path) -> Values:
    """Read the test metrics of a ``results.csv``.

    No name in it holds a comma, so that lines need no more than be split; pandas takes longer to begin with a file.

    Raises:
        RunError: when it is damaged, or holds a value twice.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != HEADER:
        raise RunError(f"results.csv does not begin with {HEADER}")
    values: Values = {}
    for line in lines[1:]:
        fold, detector, split, metric, value = line.split(",")
        if split != "test":
            continue
        folds = values.setdefault(detector, {}).setdefault(metric, {})
        number = int(fold)
        if number in folds:
            raise RunError(f"results.csv holds {metric} of {detector} in fold {number} twice")
        folds[number] = float(value) if value else math.nan
    if not values:
        raise RunError("results.csv holds no result of the test part")
    return values
