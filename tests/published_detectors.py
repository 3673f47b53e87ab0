"""A detector made by hand, and what a run says of its test part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ecgan.data.transforms.scaling import Identity
from ecgan.detect.detector import Threshold
from ecgan.publish.detector import Judge, Parts, PublishedDetector
from ecgan.publish.manifest import MANIFEST, write_manifest

Execute = Callable[..., Path]
"""Runs with some settings and returns the run directory."""


class Mean:
    """Scores a series by its mean."""

    requires: ClassVar[tuple[type, ...]] = ()

    def fit(self, model: nn.Module, train: Any, device: torch.device) -> None: ...

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        return x.mean((1, 2))

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None: ...


def by_hand(
    channels: int = 2, seq_len: int = 8, fs_hz: float | None = None, names: tuple[str, ...] = ("mean",)
) -> PublishedDetector:
    """Detectors that score by the mean, with a threshold of 0.5 and the normals 0, 0.1, … 0.9."""
    normals = np.arange(10) / 10
    judges = {name: Judge(Mean(), Threshold(0.5, "Fixed", "normal_only", 10, 0), normals) for name in names}
    parts = Parts(nn.Identity(), Identity(), channels, seq_len, "mV", fs_hz, 4, 1, judges)
    return PublishedDetector(parts, names[0])


def of_test_part(run: Path, detector: str) -> tuple[np.ndarray, pd.DataFrame]:
    """The series of a run's test part in their own unit, and what the run says of them."""
    table = pd.read_csv(run / "fold_0" / "detection" / detector / "predictions.csv", float_precision="round_trip")
    (data,) = run.parent.rglob("processed/*/data.npy")
    return np.load(data)[table["index"].to_numpy()], table


def change(bundle: Path, file: str, **values: Any) -> None:
    """Change the content of a JSON file, and make the manifest say that it is as it was published."""
    path = bundle / file
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")
    (bundle / MANIFEST).unlink()
    write_manifest(bundle)
