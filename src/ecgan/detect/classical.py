"""Classical outlier detectors of scikit-learn, on the same folds as everything else."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ecgan.detect.scorers import flattened
from ecgan.errors import ConfigError, RunError
from ecgan.types import FloatArray, Series

PROBES = 16
"""Series whose scores are stored, to see that a forest that is grown again is the same one."""


class IsolationForest:
    """How few random cuts it takes to isolate a series, with scikit-learn's forest.

    Trees have no safe file format, so the training normals are stored instead and the forest is grown again from them
    with the same seed; stored scores of some of them tell whether it came out the same.

    Args:
        trees: number of trees.
        max_train: training normals used at most, drawn at random; they are stored. A tree is grown from 256 of them.

    Source: Liu, Ting and Zhou (2008), Isolation Forest, doi:10.1109/ICDM.2008.17.
    """

    requires: ClassVar[tuple[type, ...]] = ()

    def __init__(self, trees: int = 200, max_train: int = 2_000) -> None:
        if trees < 1:
            raise ConfigError(f"isolation_forest.trees is {trees} but a forest needs one tree or more.")
        self.trees, self.max_train = trees, max_train

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Grow the forest."""
        self._grow(flattened(train, self.max_train), int(torch.randint(2**31, ()).item()))

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        return self._score(x.flatten(1).cpu())

    def state(self) -> dict[str, Tensor]:
        """Training normals, seed, and the scores of the first of them."""
        return {"train": self.train, "seed": torch.tensor(self.seed), "probe": self._score(self.train[:PROBES])}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Grow the same forest again.

        Raises:
            RunError: when another one grows, as another version of scikit-learn may do.
        """
        self._grow(state["train"], int(state["seed"].item()))
        if not torch.allclose(self._score(self.train[:PROBES]), state["probe"], rtol=0, atol=1e-9):
            raise RunError(
                "The isolation forest grows otherwise than when it was fitted; install the version of scikit-learn "
                "that the run names, or fit it again."
            )

    def _grow(self, train: Tensor, seed: int) -> None:
        from sklearn.ensemble import IsolationForest as Forest

        self.train, self.seed = train, seed
        self.forest = Forest(n_estimators=self.trees, random_state=seed).fit(train.numpy())

    def _score(self, x: Tensor) -> Tensor:
        return torch.from_numpy(-self.forest.score_samples(x.numpy()))


class OneClassSVM:
    """Distance to the wrong side of a boundary around the training normals, with scikit-learn's one-class SVM.

    Args:
        nu: share of training normals that may lie outside.
        gamma: width of the Gaussian kernel: ``scale`` for 1 / (values x variance), or a number.
        max_train: training normals used at most, drawn at random: time grows with their square.

    Source: Schölkopf et al. (2001), Estimating the Support of a High-Dimensional Distribution,
    doi:10.1162/089976601750264965.
    """

    requires: ClassVar[tuple[type, ...]] = ()

    def __init__(self, nu: float = 0.05, gamma: float | Literal["scale"] = "scale", max_train: int = 5_000) -> None:
        if not 0 < nu <= 1:
            raise ConfigError(f"ocsvm.nu is {nu} but must lie above 0 and at most at 1.")
        if gamma != "scale" and gamma <= 0:
            raise ConfigError(f"ocsvm.gamma is {gamma} but must be above 0, or scale.")
        self.nu, self.gamma, self.max_train = nu, gamma, max_train

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Find the support vectors."""
        from sklearn.svm import OneClassSVM as Machine

        x = flattened(train, self.max_train).numpy().astype(np.float64)
        variance = float(x.var())
        gamma = (1 / (x.shape[1] * variance) if variance else 1.0) if self.gamma == "scale" else float(self.gamma)
        machine = Machine(nu=self.nu, gamma=gamma).fit(x)
        self._take(machine.support_vectors_, machine.dual_coef_[0], float(machine.intercept_[0]), gamma)

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        from sklearn.metrics.pairwise import rbf_kernel

        kernel = rbf_kernel(x.flatten(1).cpu().double().numpy(), self.vectors, gamma=self.width)
        return torch.from_numpy(-(kernel @ self.weights + self.offset))

    def state(self) -> dict[str, Tensor]:
        """Support vectors, their weights, offset and width of the kernel."""
        numbers = torch.tensor([self.offset, self.width], dtype=torch.float64)
        return {
            "vectors": torch.from_numpy(self.vectors),
            "weights": torch.from_numpy(self.weights),
            "numbers": numbers,
        }

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take them back."""
        offset, width = state["numbers"].tolist()
        self._take(state["vectors"].numpy(), state["weights"].numpy(), offset, width)

    def _take(self, vectors: FloatArray, weights: FloatArray, offset: float, width: float) -> None:
        self.vectors, self.weights = np.ascontiguousarray(vectors), np.ascontiguousarray(weights)
        self.offset, self.width = offset, width
