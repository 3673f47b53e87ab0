"""Convolutional autoencoders: deterministic and variational, with or without the class."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ecgan.networks.conditioning import with_class
from ecgan.networks.conv import ConvDecoder, ConvEncoder, Norm
from ecgan.networks.layers import at_least_one
from ecgan.types import DataSpec

LOWEST, HIGHEST = -12.0, 12.0
"""Bounds of the logarithm of a latent variance: far outside of what training reaches, inside of what exp can take."""


class ConvAutoencoderNet(nn.Module):
    """Encoder and decoder that mirror each other.

    Args:
        spec: sizes of the series.
        latent: size of the latent vector.
        width: channels of the first layer; each further layer doubles them.
        depth: layers at most; short series get fewer.
        norm: normalization between layers.
        n_classes: number of classes that encoder and decoder are told, 0 for none.
    """

    codes: ClassVar[int] = 1
    """Values that the encoder gives for each latent value."""

    def __init__(
        self,
        spec: DataSpec,
        latent: int = 5,
        width: int = 16,
        depth: int = 4,
        norm: Norm = "batch",
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        at_least_one(latent=latent)
        self.latent, self.n_classes = latent, n_classes
        sizes = (width, depth, norm)
        self.encoder = ConvEncoder(spec.channels + n_classes, spec.seq_len, self.codes * latent, *sizes)
        self.decoder = ConvDecoder(spec.channels, spec.seq_len, latent + n_classes, *sizes)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        z: Tensor = self.encoder(with_class(x, y, self.n_classes))
        return z

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        x_hat: Tensor = self.decoder(with_class(z, y, self.n_classes))
        return x_hat

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Reconstruct (B, C, T)."""
        return self.decode(self.encode(x, y), y)


class VariationalNet(ConvAutoencoderNet):
    """The same with a normal distribution in place of each latent value.

    In evaluation the mean stands for the distribution, so that two passes give the same.

    Source: Kingma and Welling (2014), Auto-Encoding Variational Bayes, arXiv:1312.6114.
    """

    codes: ClassVar[int] = 2

    def moments(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, both (B, latent), for (B, C, T)."""
        mean, log_variance = super().encode(x, y).chunk(2, dim=1)
        return mean, log_variance.clamp(LOWEST, HIGHEST)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to the mean (B, latent)."""
        return self.moments(x, y)[0]

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Reconstruct (B, C, T) from the mean."""
        return self.decode(self.encode(x, y), y)

    def through_noise(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruct (B, C, T) from a draw of the distribution; with its mean and log variance."""
        mean, log_variance = self.moments(x, y)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decode(z, y), mean, log_variance
