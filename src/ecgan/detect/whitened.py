"""Nearest neighbors among a few uncorrelated values of each series."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ecgan.detect.scorers import KNearest, flattened
from ecgan.errors import ConfigError
from ecgan.types import Series


class WhitenedNeighbors:
    """Mean distance to the k nearest training normals in their first principal components, each of variance one.

    Plain distances add up noise over all samples and are ruled by the tallest wave. A few components leave most noise
    out, and equal variances let small waves count as much as tall ones.

    Args:
        components: number of principal components.
        k: number of neighbors.
        max_train: training normals kept at most, drawn at random; bounds time and memory.

    Source: Angiulli and Pizzuti (2002), doi:10.1007/3-540-45681-3_2 (neighbors); Kessy, Lewin and Strimmer (2018),
    doi:10.1080/00031305.2016.1277159 (whitening).
    """

    requires: ClassVar[tuple[type, ...]] = ()

    def __init__(self, components: int = 16, k: int = 1, max_train: int = 100_000) -> None:
        if components < 1:
            raise ConfigError(f"whitened_knn.components is {components} but must be 1 or more.")
        self.components = components
        self.neighbors = KNearest(k, max_train)
        self.mean = self.whiten = torch.empty(0)

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Find the components, and keep the training normals in them.

        Raises:
            ConfigError: when more components are asked for than the series have directions of any spread.
        """
        from sklearn.decomposition import PCA

        x = flattened(train, self.neighbors.max_train).numpy().astype(np.float64)
        pca = PCA(min(self.components, *x.shape), svd_solver="covariance_eigh").fit(x)
        spread = np.sqrt(pca.explained_variance_)
        usable = int((spread > spread[0] * 1e-6).sum())
        if usable < self.components:
            raise ConfigError(
                f"whitened_knn asks for {self.components} components, but {x.shape[0]} training normals have {usable}; "
                "lower scorer.components, or raise scorer.max_train where it is the limit."
            )
        self.mean = torch.tensor(pca.mean_)
        self.whiten = torch.tensor(np.ascontiguousarray(pca.components_.T / spread))
        self.neighbors.keep(self._white(torch.from_numpy(x)).numpy())

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        return self.neighbors.score(model, self._white(x.flatten(1).cpu()))

    def state(self) -> dict[str, Tensor]:
        """Mean, whitening, and the neighbors."""
        return {"mean": self.mean, "whiten": self.whiten} | self.neighbors.state()

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take them back."""
        self.mean, self.whiten = state["mean"], state["whiten"]
        self.neighbors.load_state(state, model, device)

    def _white(self, flat: Tensor) -> Tensor:
        return (flat.double() - self.mean) @ self.whiten
