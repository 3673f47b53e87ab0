"""A detector is a scorer and a threshold rule."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from ecgan.errors import DivergedError, RunError
from ecgan.files import read_json, write_json
from ecgan.types import BoolArray, FloatArray, Scorer, Supervision, ThresholdRule


@dataclass(frozen=True)
class Threshold:
    """A fitted threshold and what it has seen; the content of ``threshold.json``."""

    value: float
    rule: str
    supervision: Supervision
    n_normal: int
    n_abnormal: int

    def write(self, path: Path) -> None:
        """Write ``threshold.json``."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Threshold:
        """Read ``threshold.json``.

        Raises:
            RunError: when it is damaged.
        """
        try:
            return cls(**read_json(path))
        except TypeError as error:
            raise RunError(f"{path} is no threshold file ({error}); run ecgan-detect again.") from error


@dataclass
class Detector:
    """Scorer plus threshold rule, and the threshold once it is chosen."""

    name: str
    scorer: Scorer
    rule: ThresholdRule
    threshold: Threshold | None = None
    model: Supervision = "normal_only"
    """What the fitted model has seen, which counts for scorers that use it."""

    @property
    def supervision(self) -> Supervision:
        """What has been seen by the model, the scorer or the rule, whichever has seen most."""
        model: Supervision = self.model if uses_model(self.scorer) else "normal_only"
        return most(model, getattr(self.scorer, "supervision", "normal_only"), self.rule.supervision)

    @property
    def on_test(self) -> bool:
        """Whether the rule chooses from the test part: an upper bound."""
        return bool(getattr(self.rule, "on_test", False))

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> Threshold:
        """Choose the threshold from validation scores, or from those of the test part where the rule is an oracle.

        The rule of a ``normal_only`` threshold is never handed anything but normals.

        Raises:
            RunError: when a score is not finite.
        """
        if not np.isfinite(scores).all():
            raise DivergedError(f"The detector {self.name!r} gave a score that is not finite; lower the learning rate.")
        if self.rule.supervision == "normal_only":
            scores, abnormal = scores[~abnormal], abnormal[~abnormal]
        value = self.rule.choose(scores, abnormal)
        n_abnormal = int(abnormal.sum())
        self.threshold = Threshold(
            value, type(self.rule).__name__, self.supervision, len(scores) - n_abnormal, n_abnormal
        )
        return self.threshold


def most(*seen: Supervision) -> Supervision:
    """The supervision that has seen most."""
    return max(seen, key=get_args(Supervision).index)


def uses_model(scorer: Scorer) -> bool:
    """Tell whether a scorer, or one inside it, asks the fitted model."""
    return bool(scorer.requires) or any(uses_model(part) for part in getattr(scorer, "parts", {}).values())
