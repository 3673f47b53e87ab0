"""Scorers in the latent space of a model with an encoder."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ecgan.capabilities import Encodes
from ecgan.detect.scorers import CHUNK, KNearest, drawn
from ecgan.errors import ConfigError
from ecgan.types import FloatArray, Series


class LatentDensity:
    """How rare a series' latent vector is among those of training normals.

    Args:
        density: ``gaussian`` for the squared Mahalanobis distance from their mean, with a covariance that is shrunk
            towards a multiple of the identity as far as their number asks for; ``knn`` for the mean distance to the k
            nearest of them, each latent value divided by its standard deviation.
        k: number of neighbors of ``knn``.
        max_train: training normals encoded at most, drawn at random; bounds time and memory.

    Source: Lee et al. (2018), arXiv:1807.03888 (Gaussian); Ledoit and Wolf (2004),
    doi:10.1016/S0047-259X(03)00096-4 (shrinkage); Sun et al. (2022), arXiv:2204.06507 (neighbors).
    """

    requires: ClassVar[tuple[type, ...]] = (Encodes,)

    def __init__(self, density: Literal["gaussian", "knn"] = "gaussian", k: int = 5, max_train: int = 10_000) -> None:
        if max_train < 2:  # noqa: PLR2004 - a spread needs two
            raise ConfigError(f"latent_density.max_train is {max_train} but must be at least 2.")
        self.density, self.k, self.max_train = density, k, max_train
        self.neighbors = KNearest(k, max_train)
        self.mean = self.whiten = torch.empty(0)

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Encode training normals and measure their spread."""
        from sklearn.covariance import ledoit_wolf

        z = encodings(model, train, self.max_train, device)
        spread = np.diag(z.var(0)) if self.density == "knn" else ledoit_wolf(z)[0]
        values, axes = np.linalg.eigh(spread)
        floor = max(1e-6 * float(values.max()), 1e-12)  # a latent value that never changes says nothing
        self.mean = torch.from_numpy(z.mean(0))
        self.whiten = torch.from_numpy(axes / np.sqrt(values.clip(floor)))
        if self.density == "knn":
            self.neighbors.keep(((torch.from_numpy(z) - self.mean) @ self.whiten).numpy())

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        assert isinstance(model, Encodes)  # noqa: S101 - checked when the config was composed
        white = (model.encode(x).detach().cpu().double() - self.mean) @ self.whiten
        return white.square().sum(1) if self.density == "gaussian" else self.neighbors.score(model, white)

    def state(self) -> dict[str, Tensor]:
        """Mean, whitening, and the neighbors."""
        own = {"mean": self.mean, "whiten": self.whiten}
        return own | (self.neighbors.state() if self.density == "knn" else {})

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take them back."""
        self.mean, self.whiten = state["mean"], state["whiten"]
        if self.density == "knn":
            self.neighbors.load_state(state, model, device)


class LatentNorm:
    """How far the length of a series' latent vector lies from the usual length, the median over training normals.

    A part of ``combined``: Lüer et al. (2023), arXiv:2310.18091, who use the mode of a histogram.

    Args:
        max_train: training normals encoded at most, drawn at random.
    """

    requires: ClassVar[tuple[type, ...]] = (Encodes,)

    def __init__(self, max_train: int = 10_000) -> None:
        self.max_train = max_train
        self.usual = torch.zeros((), dtype=torch.float64)

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Measure the usual length."""
        z = encodings(model, train, self.max_train, device)
        self.usual = torch.tensor(np.median(np.linalg.norm(z, axis=1)))

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        assert isinstance(model, Encodes)  # noqa: S101 - checked when the config was composed
        length = torch.linalg.vector_norm(model.encode(x).cpu().double(), dim=1)
        far: Tensor = (length - self.usual).abs()
        return far

    def state(self) -> dict[str, Tensor]:
        """The usual length."""
        return {"usual": self.usual}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take it back."""
        self.usual = state["usual"]


@torch.no_grad()
def encodings(model: nn.Module, train: Series, at_most: int, device: torch.device) -> FloatArray:
    """Encode training series to (n, latent) float64; where there are more than ``at_most``, a random draw of them."""
    assert isinstance(model, Encodes)  # noqa: S101 - checked when the config was composed
    pieces = torch.split(drawn(len(train), at_most), CHUNK)
    codes = [model.encode(train.__getitems__(piece.tolist()).x.to(device)).float().cpu() for piece in pieces]
    return torch.cat(codes).double().numpy()
