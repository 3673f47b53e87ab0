"""What trackers are told, read from the files of the run directory and from nothing else."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf

from ecgan import provenance
from ecgan.checks import RESERVED
from ecgan.files import digest, read_json
from ecgan.report.collect import MODEL, of_fold

Status = Literal["finished", "failed", "interrupted"]
SUMMARY = "summary"
"""Name of what a tracker holds of the run as a whole."""
OWN = ("tensorboard", "wandb", "tracking.json")
"""What trackers write beside the files of a run, which is no part of it."""
DASH = "model"
"""What the model's own results are called, ``-`` in results.csv: W&B cannot sort by names that begin with a dash."""


@dataclass(frozen=True)
class Row:
    """One row of ``lightning/metrics.csv``: the training step, and what was logged there."""

    step: int
    values: dict[str, float]


@dataclass(frozen=True)
class Record:
    """One fold of a run, or the run as a whole, as its files hold it.

    Attributes:
        run: the run directory.
        fold: number of the fold, None for the run as a whole.
    """

    run: Path
    fold: int | None = None

    @property
    def name(self) -> str:
        """What it is called within the run."""
        return SUMMARY if self.fold is None else f"fold_{self.fold}"

    @cached_property
    def group(self) -> str:
        """What all folds of a run have in common: the run directory's name, after that of a sweep."""
        parts, above = self.run.resolve().parts, tuple(self.place.values())
        for i in range(len(parts) - len(above) - 1, -1, -1):
            if parts[i : i + len(above)] == above:
                return "/".join(parts[i + len(above) :])
        return parts[-1]

    @property
    def job_type(self) -> str:
        """What kind of thing it is."""
        return SUMMARY if self.fold is None else "fold"

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self.run if self.fold is None else self.run / self.name

    @cached_property
    def config(self) -> dict[str, Any]:
        """The run's resolved config."""
        found = OmegaConf.to_container(OmegaConf.load(self.run / ".hydra" / "config.yaml"), resolve=True)
        assert isinstance(found, dict)  # noqa: S101 - the run has written it
        return {str(key): value for key, value in found.items()}

    @cached_property
    def place(self) -> dict[str, str]:
        """Entity, project and experiment."""
        return {key: str(self.config["tracker"][key]) for key in ("entity", "project", "experiment")}

    @cached_property
    def started_ms(self) -> int:
        """When the run began, in milliseconds since 1970."""
        return int(datetime.fromisoformat(provenance.read_facts(self.run)["started"]).timestamp() * 1000)

    @cached_property
    def id(self) -> str:
        """The same for the same fold of the same run every time, so that nothing is ever sent as something new."""
        return digest([*self.place.values(), self.group, self.started_ms, self.name])[:24]

    def rows(self) -> list[Row]:
        """All complete rows of ``lightning/metrics.csv``."""
        file = self.directory / "lightning" / "metrics.csv"
        if self.fold is None or not file.is_file():
            return []
        return list(_rows(file.read_text(encoding="utf-8")))

    def results(self) -> dict[str, float]:
        """Metrics at the end, ``<detector>/<metric>``: of a fold as in ``results.csv``, of a run mean and deviation."""
        if self.fold is None:
            return self._summary()
        found = {}
        for detector, part, metric, value in of_fold(self.run, self.directory, intervals=False):
            name = metric if part == "test" else f"{part}/{metric}"
            found[f"{DASH if detector == MODEL else detector}/{name}"] = value
        return found

    def _summary(self) -> dict[str, float]:
        file = self.run / "summary.json"
        found: dict[str, float] = {}
        for detector, metrics in (read_json(file) if file.is_file() else {}).items():
            if detector == RESERVED:
                continue
            for metric, entry in metrics.items():
                name = f"{DASH if detector == MODEL else detector}/{metric}"
                found |= {name: _number(entry["mean"]), f"{name}_std": _number(entry["std"])}
        return found

    def figures(self) -> list[Path]:
        """Figures of a fold, the report of a run."""
        if self.fold is None:
            return [file for file in (self.run / "report.html",) if file.is_file()]
        return sorted((self.directory / "figures").glob("*.png"))

    def files(self) -> dict[str, Path]:
        """All files, by their paths in ``directory``: of a run those outside of its folds."""
        found = {}
        for file in sorted(path for path in self.directory.rglob("*") if path.is_file()):
            name = file.relative_to(self.directory)
            of_a_fold = self.fold is None and name.parts[0].startswith("fold_")
            if not of_a_fold and name.parts[0] not in OWN and not name.name.endswith(".part"):
                found[name.as_posix()] = file
        return found


def _rows(text: str) -> Iterator[Row]:
    """Rows of a CSV file that is perhaps being written: what has no end yet is left for the next time."""
    complete = text[: text.rfind("\n") + 1]
    for line in csv.DictReader(complete.splitlines()):
        values = {key: float(value) for key, value in line.items() if key and key != "step" and value}
        yield Row(int(line.get("step") or 0), values)


def _number(value: float | None) -> float:
    """Undefined is null in JSON and NaN everywhere else."""
    return math.nan if value is None else value
