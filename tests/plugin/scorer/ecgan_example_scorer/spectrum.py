"""The power spectrum of a series against those of normal ones."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ecgan.detect.scorers import flattened
from ecgan.types import Series

SMALLEST = 1e-6


class Spectrum:
    """Mean squared distance of the logarithm of the power spectrum to its mean over the training normals.

    Each frequency counts in units of its standard deviation over the training normals. Where in time something
    happens makes no difference.

    Args:
        max_train: training normals used at most.
    """

    requires: ClassVar[tuple[type, ...]] = ()  # it needs no model; (Reconstructs,) if it did

    def __init__(self, max_train: int = 10_000) -> None:
        self.max_train = max_train
        self.mean = self.deviation = torch.empty(0)

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Take mean and standard deviation of each frequency. ``train`` holds training normals only."""
        shape = train.__getitems__([0]).x.shape[1:]
        spectra = log_power(flattened(train, self.max_train).unflatten(1, shape).to(device))
        self.mean = spectra.mean(0)
        self.deviation = spectra.std(0, correction=0).clamp_min(SMALLEST)

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,), larger = more abnormal."""
        return ((log_power(x) - self.mean) / self.deviation).square().mean(1)

    def state(self) -> dict[str, Tensor]:
        """What was learned, so that ``ecgan-detect`` and bundles need not fit again."""
        return {"mean": self.mean, "deviation": self.deviation}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take it back."""
        self.mean, self.deviation = state["mean"].to(device), state["deviation"].to(device)


def log_power(x: Tensor) -> Tensor:
    """Logarithm of the power at each frequency, channels side by side: (B, C, T) to (B, C (T // 2 + 1))."""
    return (torch.fft.rfft(x).abs().square() + SMALLEST).log().flatten(1)
