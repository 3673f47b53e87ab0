"""Series as points of a plane, to be looked at: never a measure of anything."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ecgan.errors import DataError
from ecgan.types import FloatArray

Method = Literal["pca", "umap"]
METHODS: tuple[Method, ...] = ("pca", "umap")
NEIGHBORS = 15
"""Of UMAP: how many neighbors of each training series decide where it comes to lie."""


def project(
    train: FloatArray, others: Sequence[FloatArray], method: Method = "pca", seed: int = 0
) -> tuple[FloatArray, list[FloatArray]]:
    """Map series to a plane that the training series alone define.

    * ``pca``: the two directions in which the training series vary most (Pearson 1901, doi:10.1080/14786440109462720).
    * ``umap``: a plane in which the nearest training series stay near (McInnes et al. 2018, arXiv:1802.03426).

    t-SNE is not among them: it places all points together and has no way to project new ones, so generated series
    would have a say in where the training series lie.

    Args:
        train: (N, C, T), or (N, F) features of them.
        others: (n, C, T) or (n, F) each, such as held-out and generated series.
        method: how.
        seed: of the random numbers, which PCA of many values and UMAP need.

    Returns:
        (N, 2) of the training series, and (n, 2) of each of the others.

    Raises:
        DataError: when there are fewer than three training series, or they have only one value each.
    """
    flat = [np.asarray(x, np.float32).reshape(len(x), math.prod(x.shape[1:])) for x in (train, *others)]
    if min(flat[0].shape) < 2 or len(flat[0]) < 3:  # noqa: PLR2004 - two axes through three points
        raise DataError(f"{flat[0].shape[0]} training series of {flat[0].shape[1]} values span no plane; use more.")
    first, *rest = _pca(flat, seed) if method == "pca" else _umap(flat, seed)
    return first, rest


def _pca(flat: Sequence[FloatArray], seed: int) -> list[FloatArray]:
    from sklearn.decomposition import PCA

    fitted = PCA(2, random_state=seed).fit(flat[0])
    return [fitted.transform(x) if len(x) else np.zeros((0, 2), np.float32) for x in flat]


def _umap(flat: Sequence[FloatArray], seed: int) -> list[FloatArray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # that it could do more with TensorFlow
        from umap import UMAP  # compiles for many seconds
    neighbors = min(NEIGHBORS, len(flat[0]) - 1)
    fitted = UMAP(n_neighbors=neighbors, random_state=seed, transform_seed=seed, n_jobs=1).fit(flat[0])
    projected = [fitted.transform(x) if len(x) else np.zeros((0, 2), np.float32) for x in flat[1:]]
    return [fitted.embedding_, *projected]
