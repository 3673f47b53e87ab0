"""Convolutional networks for any length of 16 or more and any number of channels."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ecgan.errors import DataError
from ecgan.networks.layers import Layers, at_least_one

Norm = Literal["batch", "group", "layer", "none"]
MIN_LENGTH = 16
KERNEL = 5
"""Of the convolutions between doublings of the length."""


def halvings(seq_len: int, depth: int) -> list[int]:
    """Lengths after each stride-2 layer, from ``seq_len`` down to four samples or ``depth`` layers.

    Raises:
        ConfigError: when no layer is asked for.
        DataError: when the series are shorter than 16 samples.
    """
    at_least_one(depth=depth)
    if seq_len < MIN_LENGTH:
        raise DataError(f"Convolutional models need series of {MIN_LENGTH} samples or more; these have {seq_len}.")
    lengths = [seq_len]
    while len(lengths) <= depth and lengths[-1] >= 8:  # noqa: PLR2004 - a further layer would leave fewer than four
        lengths.append(lengths[-1] // 2)
    return lengths


def normalization(norm: Norm, channels: int) -> nn.Module:
    """Build the normalization layer called ``norm`` over ``channels``."""
    if norm == "batch":
        return nn.BatchNorm1d(channels)
    if norm == "none":
        return nn.Identity()
    return nn.GroupNorm(math.gcd(8, channels) if norm == "group" else 1, channels)


class ConvEncoder(nn.Module):
    """Stride-2 convolutions (kernel 4) with doubling width, then a linear layer.

    Args:
        channels: channels of a series.
        seq_len: samples of a series.
        out_features: size of the result.
        width: channels after the first layer; each further layer doubles them.
        depth: number of layers at most; short series get fewer.
        norm: normalization between layers; the first layer has none.
        spectral_norm: bound each convolution's Lipschitz constant (Miyato et al. 2018, arXiv:1802.05957).
    """

    def __init__(
        self,
        channels: int,
        seq_len: int,
        out_features: int,
        width: int = 32,
        depth: int = 5,
        norm: Norm = "batch",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        at_least_one(width=width)
        lengths = halvings(seq_len, depth)
        widths = [channels, *(width * 2**i for i in range(len(lengths) - 1))]
        layers: list[nn.Module] = []
        for i in range(1, len(widths)):
            used: Norm = norm if i > 1 else "none"
            conv: nn.Module = nn.Conv1d(widths[i - 1], widths[i], 4, stride=2, padding=1, bias=used == "none")
            if spectral_norm:
                conv = nn.utils.parametrizations.spectral_norm(conv)
            layers += [conv, normalization(used, widths[i]), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = Layers(*layers)
        self.n_features = widths[-1] * lengths[-1]
        self.head = nn.Linear(self.n_features, out_features)

    def features(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to the flattened last hidden layer (B, n_features)."""
        hidden: Tensor = self.layers(x)
        return hidden.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, out_features)."""
        out: Tensor = self.head(self.features(x))
        return out


class Doubled(nn.Module):
    """Every sample twice, and the last one once more where the length wanted is odd.

    A convolution after it draws no pattern of period two into the series, as transposed ones do.

    Args:
        seq_len: samples afterwards.

    Source: Odena et al. (2016), Deconvolution and Checkerboard Artifacts, doi:10.23915/distill.00003.
    """

    def __init__(self, seq_len: int) -> None:
        super().__init__()
        self.odd = seq_len % 2

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T // 2) to (B, C, T)."""
        doubled = x.repeat_interleave(2, dim=2)
        return torch.cat([doubled, doubled[..., -1:]], 2) if self.odd else doubled


class ConvDecoder(nn.Module):
    """A linear layer, then convolutions between doublings of the length, back to the exact length.

    Transposed convolutions would draw a pattern of period two into every series: with them the error on unseen series
    was twice as large.

    The output is linear: a tanh that saturates at one sample early on gets no gradient there and stays wrong.

    Args:
        channels: channels of a series.
        seq_len: samples of a series.
        in_features: size of the latent vector.
        width: channels before the last layer.
        depth: number of layers at most; short series get fewer.
        norm: normalization between layers.
    """

    def __init__(
        self,
        channels: int,
        seq_len: int,
        in_features: int,
        width: int = 32,
        depth: int = 5,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        at_least_one(width=width)
        lengths = halvings(seq_len, depth)[::-1]
        widths = [width * 2**i for i in range(len(lengths) - 1)][::-1]
        self.bottom = (widths[0], lengths[0])
        self.head = nn.Linear(in_features, widths[0] * lengths[0])
        layers: list[nn.Module] = [normalization(norm, widths[0]), nn.ReLU(inplace=True)]
        for length, n_in, n_out in zip(lengths[1:], widths, [*widths[1:], channels], strict=True):
            last = length == seq_len
            layers += [Doubled(length), nn.Conv1d(n_in, n_out, KERNEL, padding="same", bias=last or norm == "none")]
            if not last:
                layers += [normalization(norm, n_out), nn.ReLU(inplace=True)]
        self.layers = Layers(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, in_features) to (B, C, T)."""
        x: Tensor = self.layers(self.head(z).view(-1, *self.bottom))
        return x
