"""Several scores of a series combined into one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ecgan.detect.detector import most
from ecgan.detect.weighting import Grid, Machine, Standardized
from ecgan.errors import ConfigError
from ecgan.types import Batch, BoolArray, Calibrates, FloatArray, IntArray, Scorer, Series, Supervision

CHUNK = 512
WEIGHTINGS = {"standardized": Standardized, "grid": Grid, "svm": Machine}


class Combined:
    """A weighted sum, or another function, of the scores of its parts.

    Args:
        parts: scorers by name; the original has reconstruction error, the critic's features and the latent norm.
        weights: ``standardized`` adds the parts in units of their standard deviation over validation normals, and sees
            nothing else (supervision: normal_only). ``grid`` looks for the weights with the best F1 on the labelled
            validation part, ``svm`` trains a machine with a Gaussian kernel there (both val_labelled).

    The threshold is chosen on the same validation part, whose scores are therefore a little better than those of new
    series where the weights have seen labels; the test part stays untouched.

    Source: Zhou et al. (2019), doi:10.24963/ijcai.2019/616 (sum); Lüer et al. (2023), arXiv:2310.18091 (machine).
    """

    requires: ClassVar[tuple[type, ...]] = ()  # besides what its parts require, which is checked part by part

    def __init__(
        self, parts: Mapping[str, Scorer], weights: Literal["standardized", "grid", "svm"] = "standardized"
    ) -> None:
        if not parts:
            raise ConfigError("combined.parts is empty; name the scorers to combine.")
        for name, part in parts.items():
            if not hasattr(part, "score"):
                raise ConfigError(f"combined.parts.{name} is no scorer; compare conf/detector/combined.yaml.")
        self.parts = dict(parts)
        self.weighting = WEIGHTINGS[weights](len(self.parts))

    @property
    def supervision(self) -> Supervision:
        """What the weights or the parts have seen, whichever have seen more."""
        parts: list[Supervision] = [getattr(part, "supervision", "normal_only") for part in self.parts.values()]
        return most(self.weighting.supervision, *parts)

    @property
    def workspace(self) -> Path | None:
        """Where slow parts keep what they have done."""
        return next((part.workspace for part in self.parts.values() if hasattr(part, "workspace")), None)

    @workspace.setter
    def workspace(self, folder: Path | None) -> None:
        for part in self.parts.values():
            if hasattr(part, "workspace"):
                part.workspace = folder

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Fit the parts."""
        for part in self.parts.values():
            part.fit(model, train, device)

    def calibrate(self, model: nn.Module, val: Series, abnormal: BoolArray, device: torch.device) -> None:
        """Calibrate the parts that ask for it, then choose the weights."""
        for part in self.parts.values():
            if isinstance(part, Calibrates):
                seen = np.flatnonzero(~abnormal if part.supervision == "normal_only" else np.ones_like(abnormal))
                part.calibrate(model, Some(val, seen), abnormal[seen], device)
        positions = torch.split(torch.arange(len(val)), CHUNK)
        with torch.no_grad():
            scores = [self._scores(model, val.__getitems__(piece.tolist()).x.to(device)) for piece in positions]
        self.weighting.fit(np.concatenate(scores), abnormal)

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        return torch.from_numpy(self.weighting(self._scores(model, x)))

    def state(self) -> dict[str, Tensor]:
        """States of the parts and of the weighting, their names behind each other."""
        own = {f"weights.{key}": torch.from_numpy(value) for key, value in self.weighting.state().items()}
        return own | {
            f"parts.{name}.{key}": value for name, part in self.parts.items() for key, value in part.state().items()
        }

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take them back."""
        for name, part in self.parts.items():
            part.load_state(_below(state, f"parts.{name}."), model, device)
        self.weighting.load_state({key: value.numpy() for key, value in _below(state, "weights.").items()})

    def _scores(self, model: nn.Module, x: Tensor) -> FloatArray:
        """Scores of the parts (B, parts)."""
        scores = [part.score(model, x).detach().cpu().double() for part in self.parts.values()]
        stacked: FloatArray = torch.stack(scores, 1).numpy()
        return stacked


class Some:
    """Some series of a part."""

    def __init__(self, series: Series, positions: IntArray) -> None:
        self.series, self.positions = series, positions

    def __len__(self) -> int:
        return len(self.positions)

    def __getitems__(self, positions: list[int]) -> Batch:
        """The series at these positions."""
        return self.series.__getitems__(self.positions[positions].tolist())


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
