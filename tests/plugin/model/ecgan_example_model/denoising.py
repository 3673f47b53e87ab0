"""An autoencoder of dense layers that is trained to remove noise: a network, and the rule by which it is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ecgan.errors import ConfigError
from ecgan.models.autoencoder import Autoencoder
from ecgan.networks.conditioning import with_class
from ecgan.types import Batch, DataSpec


class DenseNet(nn.Module):
    """One hidden layer to the latent vector, one back.

    Args:
        spec: sizes of the series.
        latent: size of the latent vector.
        hidden: size of the hidden layers.
        n_classes: number of classes that encoder and decoder are told, 0 for none.
    """

    def __init__(self, spec: DataSpec, latent: int = 8, hidden: int = 64, n_classes: int = 0) -> None:
        super().__init__()
        self.latent, self.n_classes = latent, n_classes
        self.shape = (spec.channels, spec.seq_len)
        size = spec.channels * spec.seq_len
        self.down = nn.Sequential(nn.Linear(size + n_classes, hidden), nn.ReLU(), nn.Linear(hidden, latent))
        self.up = nn.Sequential(nn.Linear(latent + n_classes, hidden), nn.ReLU(), nn.Linear(hidden, size))

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        z: Tensor = self.down(with_class(x.flatten(1), y, self.n_classes))
        return z

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        x_hat: Tensor = self.up(with_class(z, y, self.n_classes))
        return x_hat.unflatten(1, self.shape)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Reconstruct (B, C, T)."""
        return self.decode(self.encode(x, y), y)


class Denoising(Autoencoder):
    """An autoencoder that sees noisy series in training and has to give back clean ones.

    Args:
        noise: standard deviation of what is added to each sample; afterwards nothing is added.
        settings: those of ``Autoencoder``, which ecgan checks too.

    Raises:
        ConfigError: when the noise is negative.

    Source: Vincent et al. (2008), Extracting and Composing Robust Features with Denoising Autoencoders,
    doi:10.1145/1390156.1390294.
    """

    def __init__(self, noise: float = 0.1, **settings: Any) -> None:
        if noise < 0:
            raise ConfigError(f"model.noise is {noise} but must be 0 or more.")
        super().__init__(**settings)
        self.noise = noise

    def parts(self, batch: Batch) -> dict[str, Tensor]:
        """The training loss: error of what is made of a noisy series, against the clean one."""
        noisy = batch.x + self.noise * torch.randn_like(batch.x)
        return {"reconstruction": self.reconstruction(batch.x, self.generator(noisy, batch.y))}
