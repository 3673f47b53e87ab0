"""Convolutional generator and critic."""

from __future__ import annotations

from torch import Tensor, nn

from ecgan.errors import ConfigError
from ecgan.networks.conditioning import with_class
from ecgan.networks.conv import ConvDecoder, ConvEncoder, Norm
from ecgan.networks.layers import at_least_one
from ecgan.types import DataSpec


class ConvGenerator(nn.Module):
    """A convolutional decoder that is told the class.

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
        at_least_one(latent=latent)
        self.latent, self.n_classes = latent, n_classes
        self.decoder = ConvDecoder(spec.channels, spec.seq_len, latent + n_classes, width, depth, norm)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        x: Tensor = self.decoder(with_class(z, y, self.n_classes))
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
