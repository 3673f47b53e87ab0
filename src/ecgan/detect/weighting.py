"""From the scores of several scorers to one, with weights that were chosen on a validation part."""

from __future__ import annotations

from itertools import product
from typing import ClassVar

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.types import BoolArray, FloatArray, IntArray, Supervision

GRID_STEPS = 21
CONSTANT = 1e-6
"""Share of its mean below which the spread of a part is rounding: it is the same for all normals."""
MAX_TRAINED = 5_000
"""Validation series that a machine is trained on at most: its time grows with their square."""


class Standardized:
    """The sum of the parts, each in units of its standard deviation over normals."""

    supervision: ClassVar[Supervision] = "normal_only"

    def __init__(self, n_parts: int) -> None:
        self.center: FloatArray = np.zeros(n_parts)
        self.scale: FloatArray = np.ones(n_parts)
        self.weights: FloatArray = np.ones(n_parts)

    def fit(self, parts: FloatArray, abnormal: BoolArray) -> None:
        """Measure the parts (N, P) of validation normals.

        Raises:
            DataError: with fewer than two normals.
        """
        normal = parts[~abnormal]
        if len(normal) < 2:  # noqa: PLR2004 - a standard deviation needs two
            raise DataError("combined needs two validation normals or more; enlarge split.val_size.")
        self.center, scale = normal.mean(0), normal.std(0, ddof=1)
        self.scale = np.where(scale > CONSTANT * np.abs(self.center), scale, 1.0)

    def __call__(self, parts: FloatArray) -> FloatArray:
        """Map (N, P) to (N,)."""
        combined: FloatArray = self.standardized(parts) @ self.weights
        return combined

    def standardized(self, parts: FloatArray) -> FloatArray:
        """The parts (N, P) in units of their spread over normals."""
        return (parts - self.center) / self.scale

    def state(self) -> dict[str, FloatArray]:
        """What was learned."""
        return {"center": self.center, "scale": self.scale, "weights": self.weights}

    def load_state(self, state: dict[str, FloatArray]) -> None:
        """Take it back."""
        self.center, self.scale, self.weights = state["center"], state["scale"], state["weights"]


class Grid(Standardized):
    """The weighted sum with the best F1 on labelled series, among lambda, 1 - lambda and gamma for the third part.

    Of weights that are equally good those nearest to equal ones are taken.
    """

    supervision: ClassVar[Supervision] = "val_labelled"

    def __init__(self, n_parts: int) -> None:
        if n_parts not in (2, 3):
            raise ConfigError(f"combined.weights=grid needs two or three parts, not {n_parts}; use standardized.")
        super().__init__(n_parts)

    def fit(self, parts: FloatArray, abnormal: BoolArray) -> None:
        """Try all weights.

        Raises:
            DataError: when either class is missing.
        """
        super().fit(parts, abnormal)
        steps = np.linspace(0, 1, GRID_STEPS)
        tried = [(share, 1 - share, *rest) for share, *rest in product(steps, repeat=len(self.center) - 1)]
        tried.sort(key=lambda weights: float(np.var(weights)))
        standardized = self.standardized(parts)
        best = max(tried, key=lambda weights: best_f1(standardized @ np.array(weights), abnormal))
        self.weights = np.array(best)


class Machine(Standardized):
    """The decision function of a support vector machine with a Gaussian kernel on labelled series.

    Standardized parts are compressed like a logarithm where they are large, and those of new series are cut off at the
    largest and smallest that were learned from: far from all of them a Gaussian kernel says nothing.
    """

    supervision: ClassVar[Supervision] = "val_labelled"

    def __init__(self, n_parts: int) -> None:
        super().__init__(n_parts)
        self.bounds: FloatArray = np.zeros((2, n_parts))
        self.vectors: FloatArray = np.zeros((0, n_parts))
        self.dual: FloatArray = np.zeros(0)
        self.numbers: FloatArray = np.array([0.0, 1.0])

    def fit(self, parts: FloatArray, abnormal: BoolArray) -> None:
        """Train the machine.

        Raises:
            DataError: when either class is missing.
        """
        from sklearn.svm import SVC

        super().fit(parts, abnormal)
        if abnormal.all() or not abnormal.any():
            raise DataError("combined.weights=svm needs normal and abnormal validation series; use standardized.")
        chosen = _some_of_both(abnormal)
        compressed = np.arcsinh(self.standardized(parts))
        self.bounds = np.stack([compressed.min(0), compressed.max(0)])
        gamma = 1.0 / (compressed.shape[1] * float(compressed.var()) or 1.0)
        machine = SVC(C=1.0, gamma=gamma).fit(compressed[chosen], abnormal[chosen])
        self.vectors, self.dual = machine.support_vectors_, machine.dual_coef_[0].copy()
        self.numbers = np.array([float(machine.intercept_[0]), gamma])

    def __call__(self, parts: FloatArray) -> FloatArray:
        """Map (N, P) to (N,): above zero where the machine says abnormal."""
        from sklearn.metrics.pairwise import rbf_kernel

        offset, gamma = self.numbers
        inside = np.clip(np.arcsinh(self.standardized(parts)), *self.bounds)
        decision: FloatArray = rbf_kernel(inside, self.vectors, gamma=gamma) @ self.dual + offset
        return decision

    def state(self) -> dict[str, FloatArray]:
        """What was learned."""
        own = {"bounds": self.bounds, "vectors": self.vectors, "dual": self.dual, "numbers": self.numbers}
        return super().state() | own

    def load_state(self, state: dict[str, FloatArray]) -> None:
        """Take it back."""
        super().load_state(state)
        self.bounds, self.vectors, self.dual, self.numbers = (
            state[key] for key in ("bounds", "vectors", "dual", "numbers")
        )


def _some_of_both(abnormal: BoolArray) -> IntArray:
    """Positions to train on, drawn at random: all, or of too many as many of the rarer class as half of them."""
    shuffled = np.random.default_rng(0).permutation(len(abnormal))
    if len(shuffled) <= MAX_TRAINED:
        return shuffled
    few, many = sorted((shuffled[abnormal[shuffled]], shuffled[~abnormal[shuffled]]), key=len)
    few = few[: MAX_TRAINED // 2]
    return np.concatenate([few, many[: MAX_TRAINED - len(few)]])


def best_f1(scores: FloatArray, abnormal: BoolArray) -> float:
    """F1 of abnormal series at the best cut through scores (N,).

    Raises:
        DataError: when either class is missing.
    """
    from sklearn.metrics import precision_recall_curve

    if abnormal.all() or not abnormal.any():
        raise DataError("combined.weights=grid needs normal and abnormal validation series; use standardized.")
    precision, recall, _ = precision_recall_curve(abnormal, scores)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-300)).max())
