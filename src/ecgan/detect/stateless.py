"""What scorers share that have nothing to fit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgan.types import Series


class Stateless:
    """Base of scorers that use the model as it is."""

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Do nothing."""

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Do nothing."""
