"""Convolutional autoencoder."""

from __future__ import annotations

from torch import Tensor, nn

from ecgan.losses import ErrorName
from ecgan.models.base import OptimizerFactory, ReconstructionModel, SchedulerFactory
from ecgan.networks.conv import ConvDecoder, ConvEncoder, Norm
from ecgan.types import DataSpec


class ConvAutoencoderNet(nn.Module):
    """Encoder and decoder that mirror each other.

    Args:
        spec: sizes of the series.
        latent: size of the latent vector.
        width: channels of the first layer.
        depth: layers at most.
        norm: normalization between layers.
    """

    def __init__(self, spec: DataSpec, latent: int, width: int, depth: int, norm: Norm) -> None:
        super().__init__()
        self.encoder = ConvEncoder(spec.channels, spec.seq_len, latent, width, depth, norm)
        self.decoder = ConvDecoder(spec.channels, spec.seq_len, latent, width, depth, norm)

    def encode(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        z: Tensor = self.encoder(x)
        return z

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct (B, C, T)."""
        x_hat: Tensor = self.decoder(self.encoder(x))
        return x_hat


class Autoencoder(ReconstructionModel):
    """Convolutional autoencoder: reconstructs and encodes.

    Args:
        spec: what may be known about the data.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes the learning rate schedule, None for a constant rate.
        latent: size of the latent vector.
        width: channels of the first layer; each further layer doubles them.
        depth: layers at most; short series get fewer.
        norm: ``batch``, ``group`` or ``none``.
        error: ``l1`` or ``l2``.
    """

    def __init__(
        self,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        latent: int = 8,
        width: int = 16,
        depth: int = 4,
        norm: Norm = "batch",
        error: ErrorName = "l2",
    ) -> None:
        super().__init__(ConvAutoencoderNet(spec, latent, width, depth, norm), error, optimizer, scheduler)
