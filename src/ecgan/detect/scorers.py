"""Scorers that need no training loop: the model's own reconstruction, and the trivial baselines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ecgan.capabilities import Reconstructs
from ecgan.errors import ConfigError
from ecgan.evaluate.generation.dtw import dtw
from ecgan.losses import ErrorName, pointwise_error, reconstruction_error
from ecgan.types import FloatArray, Series

CHUNK = 4096
SMALLEST_SHARE = 0.01


class Reconstruction:
    """Mean error of the model's own reconstruction.

    Args:
        error: ``l1`` for mean absolute, ``l2`` for mean squared differences, ``dtw`` for the smallest root of the sum
            of squared ones along an alignment in time, divided by that of C T (Sakoe and Chiba 1978,
            doi:10.1109/TASSP.1978.1163055), which forgives waves that come a little early or late.
        scaled: count the error of each sample in units of its mean error over the training normals, so that steep
            waves, which no model hits exactly, do not drown small errors where normal series are all alike.
        band: share of the length by which ``dtw`` may shift samples.

    Raises:
        ConfigError: for ``dtw`` that is scaled, or a band outside of [0, 1].
    """

    requires: ClassVar[tuple[type, ...]] = (Reconstructs,)

    def __init__(self, error: ErrorName | Literal["dtw"] = "l1", scaled: bool = False, band: float = 0.05) -> None:
        if scaled and error == "dtw":
            raise ConfigError("reconstruction.scaled has no meaning for error=dtw, which aligns samples; set it false.")
        if not 0 <= band <= 1:
            raise ConfigError(f"reconstruction.band is {band} but is a share of the length, between 0 and 1.")
        self.error, self.scaled, self.band = error, scaled, band
        self.usual: Tensor | None = None

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Measure the usual error of each sample, if scaled; the model itself has been trained."""
        assert isinstance(model, Reconstructs)  # noqa: S101 - checked when the config was composed
        self.usual = None
        if self.scaled and self.error != "dtw":
            self.usual = usual_error(model.reconstruct, train, self.error, device)

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        assert isinstance(model, Reconstructs)  # noqa: S101 - checked when the config was composed
        if self.error == "dtw":
            original, x_hat = (part.detach().cpu().float().numpy() for part in (x, model.reconstruct(x)))
            distance = torch.from_numpy(dtw(original, x_hat, math.ceil(self.band * x.shape[2])))
            return distance / math.sqrt(x[0].numel())
        return reconstruction_error(x, model.reconstruct(x), self.error, self.usual)

    def state(self) -> dict[str, Tensor]:
        """The usual error, if scaled."""
        return {} if self.usual is None else {"usual": self.usual}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take the usual error back."""
        self.usual = state["usual"].to(device) if "usual" in state else None


class KNearest:
    """Mean Euclidean distance to the k nearest training normals: the trivial baseline of every table.

    Args:
        k: number of neighbors.
        max_train: training normals kept at most, drawn at random; bounds time and memory.

    Source: Angiulli and Pizzuti (2002), Fast Outlier Detection in High Dimensional Spaces,
    doi:10.1007/3-540-45681-3_2.
    """

    requires: ClassVar[tuple[type, ...]] = ()

    def __init__(self, k: int = 5, max_train: int = 10_000) -> None:
        if k < 1 or max_train < k:
            raise ConfigError(f"Neighbors need 1 <= k <= max_train, not k={k} and max_train={max_train}.")
        self.k, self.max_train = k, max_train

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Keep the training normals, flattened.

        Raises:
            ConfigError: when there are fewer than k of them.
        """
        self.keep(flattened(train, self.max_train).numpy())

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        distance, _ = self.neighbors.kneighbors(x.flatten(1).cpu().numpy())
        return torch.from_numpy(distance.mean(1))

    def state(self) -> dict[str, Tensor]:
        """The kept training normals."""
        return {"train": torch.from_numpy(self.train)}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take the training normals back."""
        self.keep(state["train"].numpy())

    def keep(self, train: FloatArray) -> None:
        """Keep points (n, values) to find neighbors among.

        Raises:
            ConfigError: when there are fewer than k of them.
        """
        from sklearn.neighbors import NearestNeighbors

        if len(train) < self.k:
            raise ConfigError(f"{self.k} neighbors are asked for of {len(train)} training normals; lower scorer.k.")
        self.train = train
        # trees do not help in a hundred dimensions
        self.neighbors = NearestNeighbors(n_neighbors=self.k, algorithm="brute").fit(train)


class PCAResidual:
    """Squared residual after projection on the principal components of the training normals.

    Args:
        components: number of components, or (below 1) the share of variance that they explain.
        max_train: training normals used at most, drawn at random; bounds time and memory.

    Source: Jackson and Mudholkar (1979), Control Procedures for Residuals Associated With Principal Component
    Analysis, doi:10.1080/00401706.1979.10489779.
    """

    requires: ClassVar[tuple[type, ...]] = ()

    def __init__(self, components: int | float = 0.9, max_train: int = 10_000) -> None:
        if components <= 0:
            raise ConfigError(f"pca.components is {components} but must be a count or a share of variance above 0.")
        self.components, self.max_train = components, max_train
        self.mean = self.axes = torch.empty(0)

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Find the components.

        Raises:
            ConfigError: when more components are asked for than the series allow.
        """
        from sklearn.decomposition import PCA

        x = flattened(train, self.max_train).numpy().astype(np.float64)
        wanted = int(self.components) if self.components >= 1 else float(self.components)
        if wanted >= min(x.shape):
            raise ConfigError(
                f"pca asks for {wanted} components of {x.shape[0]} normals with {x.shape[1]} values; lower "
                "detector.pca.scorer.components."
            )
        pca = PCA(wanted, svd_solver="full").fit(x)
        # copied into rows, the layout that a saved state has: another one would round differently
        self.mean = torch.tensor(pca.mean_)
        self.axes = torch.tensor(np.ascontiguousarray(pca.components_))

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        centred = x.flatten(1).cpu().double() - self.mean
        return (centred - centred @ self.axes.T @ self.axes).square().mean(1)

    def state(self) -> dict[str, Tensor]:
        """Mean and components."""
        return {"mean": self.mean, "axes": self.axes}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take mean and components back."""
        self.mean, self.axes = state["mean"], state["axes"]


def usual_error(
    reconstruct: Callable[[Tensor], Tensor], train: Series, error: ErrorName, device: torch.device
) -> Tensor:
    """Mean reconstruction error of each sample (C, T) over the training normals; never quite zero."""
    total = torch.zeros(())
    with torch.no_grad():
        for piece in torch.split(torch.arange(len(train)), CHUNK):
            x = train.__getitems__(piece.tolist()).x.to(device)
            total = total + pointwise_error(x, reconstruct(x), error).sum(0).cpu().double()
    usual = total / len(train)
    return usual.clamp_min(float(usual.mean()) * SMALLEST_SHARE).float().to(device)


def drawn(n: int, at_most: int) -> Tensor:
    """Positions of n series in order, or a random draw of ``at_most`` of them, also in order."""
    return torch.arange(n) if n <= at_most else torch.randperm(n)[:at_most].sort().values


def flattened(train: Series, at_most: int) -> Tensor:
    """Load series as (n, C * T) float32; where there are more than ``at_most``, a random draw of them."""
    pieces = torch.split(drawn(len(train), at_most), CHUNK)
    return torch.cat([train.__getitems__(piece.tolist()).x.flatten(1) for piece in pieces])
