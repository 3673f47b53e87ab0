"""Convolutional networks for any length of 16 or more and any number of channels."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

from ecgan.errors import ConfigError, DataError
from ecgan.networks.layers import Layers

Norm = Literal["batch", "group", "layer", "none"]
MIN_LENGTH = 16


def halvings(seq_len: int, depth: int) -> list[int]:
    """Lengths after each stride-2 layer, from ``seq_len`` down to four samples or ``depth`` layers.

    Raises:
        ConfigError: when no layer is asked for.
        DataError: when the series are shorter than 16 samples.
    """
    if depth < 1:
        raise ConfigError(f"model.depth is {depth} but a convolutional model needs one layer or more.")
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


class ConvDecoder(nn.Module):
    """The mirror image of ``ConvEncoder``: a linear layer, then transposed convolutions back to the exact length.

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
        lengths = halvings(seq_len, depth)[::-1]
        widths = [width * 2**i for i in range(len(lengths) - 1)][::-1]
        self.bottom = (widths[0], lengths[0])
        self.head = nn.Linear(in_features, widths[0] * lengths[0])
        layers: list[nn.Module] = [normalization(norm, widths[0]), nn.ReLU(inplace=True)]
        for i, (n_in, n_out) in enumerate(zip(widths, [*widths[1:], channels], strict=True)):
            odd = lengths[i + 1] - 2 * lengths[i]
            last = i == len(widths) - 1
            used: Norm = "none" if last else norm
            layers.append(
                nn.ConvTranspose1d(n_in, n_out, 4, stride=2, padding=1, output_padding=odd, bias=used == "none")
            )
            if not last:
                layers += [normalization(used, n_out), nn.ReLU(inplace=True)]
        self.layers = Layers(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, in_features) to (B, C, T)."""
        x: Tensor = self.layers(self.head(z).view(-1, *self.bottom))
        return x
