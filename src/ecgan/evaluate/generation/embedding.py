"""A fixed embedding of series: random convolutions, the same for every model and fold, and their leading components.

As in ROCKET, kernels have random weights, biases and dilations, and of each output the maximum and the proportion of
positive values are taken (Dempster et al., 2020, doi:10.1007/s10618-020-00701-z). Unlike there, kernels come in groups
that share dilation and channels, so that one convolution computes a group; all have nine weights and no padding; and
half of the groups keep the mean of their weights, because a generator may also miss the level.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv1d

from ecgan.errors import DataError
from ecgan.types import FloatArray

LENGTH = 9
GROUPS = 32
KERNELS_OF_GROUP = 8
CHANNELS_OF_GROUP = 3
CHUNK = 250_000
"""Values of one group's output at a time: small enough for the cache."""
STEP = 512
"""Series brought to unit deviation at a time."""
LEAST_DEVIATION = 0.02
"""A feature that hardly varies is not blown up; features are proportions, or maxima of series of unit deviation."""


class Group(NamedTuple):
    """Kernels that see the same channels at the same dilation."""

    channels: list[int]
    weight: Tensor
    bias: Tensor
    dilation: int


class RandomConvolutions:
    """Map series (N, C, T) of about unit deviation to features (N, F) float32 by kernels drawn from ``seed`` alone.

    Args:
        channels: channels C.
        seq_len: samples T, at least 9.
        seed: of kernels, dilations, channels and biases.
        groups: kernel groups of eight kernels; at least one for each channel.

    Raises:
        DataError: when the series are shorter than a kernel.
    """

    def __init__(self, channels: int, seq_len: int, seed: int = 0, groups: int = GROUPS) -> None:
        if seq_len < LENGTH:
            raise DataError(f"Series of {seq_len} samples are too short to be compared; {LENGTH} is the least.")
        rng = np.random.default_rng(seed)
        groups = max(groups, channels)
        widest = (seq_len - 1) // (LENGTH - 1)
        spread = (rng.permutation(groups) + rng.uniform(size=groups)) / groups
        self.shape = (channels, seq_len)
        self.groups = [_group(g, channels, int((widest + 1.0) ** spread[g]), rng) for g in range(groups)]

    def __call__(self, x: FloatArray) -> FloatArray:
        """Compute the features of series (N, C, T): (N, F)."""
        step = max(1, CHUNK // (self.shape[1] * KERNELS_OF_GROUP))
        parts = [self._features(torch.from_numpy(x[i : i + step].astype(np.float32))) for i in range(0, len(x), step)]
        features: FloatArray = torch.cat(parts).numpy()
        return features

    def _features(self, x: Tensor) -> Tensor:
        columns = []
        for group in self.groups:
            out = conv1d(x[:, group.channels], group.weight, group.bias, dilation=group.dilation)
            columns += [out.amax(-1), (out > 0).sum(-1, dtype=torch.int32) / out.shape[-1]]
        return torch.cat(columns, dim=1)


class Embedding:
    """Random convolutions, standardized and projected to the leading principal components of a reference.

    Each channel is brought to zero mean and unit deviation of the reference before the convolutions. The scale of the
    result is such that the features of the reference have a total variance of about 1. Only the reference is used to
    fit anything; all other series are projected.

    Args:
        reference: training series (N, C, T).
        dims: components at most; fewer where the reference has fewer.
        seed: of the convolutions.
    """

    def __init__(self, reference: FloatArray, dims: int = 32, seed: int = 0) -> None:
        self.center = reference.mean(axis=(0, 2), keepdims=True, dtype=np.float64).astype(np.float32)
        deviation = (reference - self.center).std(axis=(0, 2), keepdims=True)
        self.deviation = np.where(deviation > 0, deviation, 1).astype(np.float32)
        self.convolutions = RandomConvolutions(reference.shape[1], reference.shape[2], seed)
        self.reference_features = self.features(reference)
        self.standard = Standard(self.reference_features)
        self.components = _leading(self.standard(self.reference_features), dims)

    def features(self, x: FloatArray) -> FloatArray:
        """Compute the raw features (N, F) of series (N, C, T)."""
        steps = range(0, len(x), STEP)
        return np.concatenate([self.convolutions((x[i : i + STEP] - self.center) / self.deviation) for i in steps])

    def project(self, features: FloatArray) -> FloatArray:
        """Map raw features (N, F) to components (N, dims) float64."""
        projected: FloatArray = self.standard(features) @ self.components / np.sqrt(features.shape[1])
        return projected

    def __call__(self, x: FloatArray) -> FloatArray:
        """Embed series (N, C, T): (N, dims) float64."""
        return self.project(self.features(x))


class Standard:
    """Bring features (N, F) to zero mean and unit deviation of a reference; nearly constant ones stay small."""

    def __init__(self, features: FloatArray) -> None:
        self.mean = features.mean(0, dtype=np.float64)
        self.deviation = np.maximum(features.std(0, dtype=np.float64), LEAST_DEVIATION)

    def __call__(self, features: FloatArray) -> FloatArray:
        """Standardize (N, F), float64."""
        standardized: FloatArray = (features - self.mean) / self.deviation
        return standardized


def _group(number: int, channels: int, dilation: int, rng: np.random.Generator) -> Group:
    # the first channel goes round, so that none is left out by chance
    first = number % channels
    others = [int(c) for c in rng.permutation(channels) if c != first]
    chosen = [first, *others[: rng.integers(min(channels, CHANNELS_OF_GROUP))]]
    weight = rng.normal(size=(KERNELS_OF_GROUP, len(chosen), LENGTH))
    if number % 2:
        weight -= weight.mean(-1, keepdims=True)
    weight /= np.sqrt((weight**2).sum((1, 2), keepdims=True))
    bias = rng.uniform(-1, 1, KERNELS_OF_GROUP)
    tensor = partial(torch.tensor, dtype=torch.float32)
    return Group(chosen, tensor(weight), tensor(bias), dilation)


def _leading(standardized: FloatArray, dims: int) -> FloatArray:
    variances, directions = np.linalg.eigh(standardized.T @ standardized / len(standardized))
    kept = variances > variances[-1] * 1e-10
    leading: FloatArray = directions[:, kept][:, ::-1][:, :dims]
    return leading
