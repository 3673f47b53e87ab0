"""What a search makes better: a value of the validation part, never of the test part."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

from ecgan.errors import ConfigError, RunError

PART = "val"
OF_DETECTORS = ("auroc", "average_precision")
"""Metrics of scores alone. Those of verdicts depend on a threshold that was chosen on the same series."""
Direction = Literal["minimize", "maximize"]
DIRECTIONS: tuple[Direction, ...] = ("minimize", "maximize")
BETTER_LARGE = (*OF_DETECTORS, "accuracy")
EXAMPLES = "val/loss or val/<detector>/auroc"


@dataclass(frozen=True)
class Objective:
    """A metric of the validation part, averaged over folds.

    Attributes:
        metric: its name.
        detector: whose scores are judged; None for what the model itself logs.
        direction: whether small or large values are better.
    """

    metric: str
    detector: str | None
    direction: Direction

    @property
    def name(self) -> str:
        """As it stands in the config."""
        return "/".join([PART, *([self.detector] if self.detector else []), self.metric])

    def of(self, directory: Path) -> float:
        """The value that a finished run has.

        Raises:
            RunError: when the run has no such value, or it is defined in no fold.
        """
        from ecgan.report import fold_directories

        values = [value for fold in fold_directories(directory) for value in self._of_fold(fold)]
        defined = [value for value in values if math.isfinite(value)]
        if not defined:
            raise RunError(f"{directory} has no value of {self.name}; name {EXAMPLES} as hydra.sweeper.objective.")
        return fmean(defined)

    def _of_fold(self, fold: Path) -> Iterator[float]:
        import pandas as pd

        if self.detector is None:
            log = pd.read_csv(fold / "lightning" / "metrics.csv", float_precision="round_trip")
            logged = log[self.name].dropna() if self.name in log else pd.Series(dtype=float)
            yield from logged.tail(1)  # of the best weights, which are validated once more after the fit
            return
        from sklearn.metrics import average_precision_score, roc_auc_score

        from ecgan.evaluate.predictions import read_scores

        file = fold / "detection" / self.detector / "validation.csv"
        table = read_scores(file) if file.is_file() else None
        if table is not None and table["abnormal"].nunique() > 1:
            judge = roc_auc_score if self.metric == "auroc" else average_precision_score
            yield float(judge(table["abnormal"], table["score"]))


def objective(name: str, direction: str | None, detectors: Collection[str]) -> Objective:
    """Read ``hydra.sweeper.objective``.

    Args:
        name: ``val/<metric>`` as the model logs it, or ``val/<detector>/<metric>``.
        direction: ``minimize``, ``maximize``, or None for what fits the metric.
        detectors: of the config.

    Raises:
        ConfigError: when it is no value of the validation part.
    """
    part, _, rest = str(name).partition("/")
    *between, metric = rest.split("/")
    if part != PART or len(between) > 1 or not metric:
        raise ConfigError(
            f"hydra.sweeper.objective is {name!r}, but a search may see the validation part only; name {EXAMPLES}."
        )
    if direction is not None and direction not in DIRECTIONS:
        raise ConfigError(f"hydra.sweeper.direction is {direction!r} but must be one of {', '.join(DIRECTIONS)}.")
    if between and between[0] not in detectors:
        raise ConfigError(
            f"hydra.sweeper.objective is {name!r}, but the detectors are {', '.join(detectors) or 'none'}; name one."
        )
    if between and metric not in OF_DETECTORS:
        raise ConfigError(
            f"hydra.sweeper.objective is {name!r}, but of a detector's scores only {' and '.join(OF_DETECTORS)} "
            "can be searched for; name one."
        )
    natural: Direction = "maximize" if metric in BETTER_LARGE else "minimize"
    found = next((each for each in DIRECTIONS if each == direction), natural)
    return Objective(metric, between[0] if between else None, found)
