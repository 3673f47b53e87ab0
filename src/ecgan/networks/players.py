"""Convolutional generator and critic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgan.errors import ConfigError
from ecgan.networks.conditioning import with_class
from ecgan.networks.conv import ConvEncoder, Norm, halvings, normalization
from ecgan.networks.layers import Layers
from ecgan.types import DataSpec

KERNEL = 5


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


class ConvGenerator(nn.Module):
    """A linear layer, then convolutions between doublings of the length, from a latent vector to a series.

    Args:
        spec: sizes of the series.
        latent: size of the latent vector.
        width: channels before the last layer.
        depth: layers at most; short series get fewer.
        norm: normalization between layers.
        n_classes: number of classes that it is told, 0 for none.
    """

    def __init__(
        self,
        spec: DataSpec,
        latent: int = 32,
        width: int = 32,
        depth: int = 4,
        norm: Norm = "batch",
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        self.latent, self.n_classes = latent, n_classes
        lengths = halvings(spec.seq_len, depth)[::-1]
        widths = [width * 2**i for i in range(len(lengths) - 1)][::-1]
        self.bottom = (widths[0], lengths[0])
        self.head = nn.Linear(latent + n_classes, widths[0] * lengths[0])
        layers: list[nn.Module] = [normalization(norm, widths[0]), nn.ReLU(inplace=True)]
        for length, n_in, n_out in zip(lengths[1:], widths, [*widths[1:], widths[-1]], strict=True):
            layers += [Doubled(length), nn.Conv1d(n_in, n_out, KERNEL, padding="same", bias=norm == "none")]
            layers += [normalization(norm, n_out), nn.ReLU(inplace=True)]
        self.layers = Layers(*layers, nn.Conv1d(widths[-1], spec.channels, KERNEL, padding="same"))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        hidden = self.head(with_class(z, y, self.n_classes))
        x: Tensor = self.layers(hidden.view(-1, *self.bottom))
        return x


class ConvCritic(nn.Module):
    """Convolutions from a series to one number, without squashing.

    It has no batch statistics: each series is judged on its own, as a gradient penalty supposes.

    Args:
        spec: sizes of the series.
        width: channels of the first layer; each further layer doubles them.
        depth: layers at most; short series get fewer.
        norm: ``group``, ``layer`` or ``none``.
        spectral_norm: bound each convolution's Lipschitz constant.
        n_classes: number of classes that it is told, 0 for none.

    Raises:
        ConfigError: for ``batch``.
    """

    def __init__(
        self,
        spec: DataSpec,
        width: int = 32,
        depth: int = 4,
        norm: Norm = "none",
        spectral_norm: bool = False,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        if norm == "batch":
            raise ConfigError("A critic judges each series on its own; use group, layer or none for its norm.")
        self.n_classes = n_classes
        self.network = ConvEncoder(spec.channels + n_classes, spec.seq_len, 1, width, depth, norm, spectral_norm)

    def features(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to the last hidden layer (B, F)."""
        return self.network.features(with_class(x, y, self.n_classes))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to (B,) outputs."""
        logit: Tensor = self.network(with_class(x, y, self.n_classes))
        return logit.squeeze(1)
