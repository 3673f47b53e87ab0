"""The dense networks of PyOD's autoencoder and AnoGAN, for the training rules of this suite: the same work."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ecgan.types import DataSpec


class DenseAutoencoder(nn.Module):
    """Layers of a linear map, ReLU, batch normalization and dropout down to the last size and back."""

    def __init__(self, spec: DataSpec, hidden: Sequence[int], dropout: float, n_classes: int = 0) -> None:
        super().__init__()
        self.latent, self.shape = hidden[-1], (spec.channels, spec.seq_len)
        ends = spec.channels * spec.seq_len
        back = list(hidden[::-1])
        self.encoder = nn.Sequential(*(self._block(a, b, dropout) for a, b in pairwise([ends, *hidden])))
        self.decoder = nn.Sequential(
            *(self._block(a, b, dropout) for a, b in pairwise(back)), nn.Linear(back[-1], ends)
        )

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        z: Tensor = self.encoder(x.flatten(1))
        return z

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        x: Tensor = self.decoder(z)
        return x.unflatten(1, self.shape)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Reconstruct (B, C, T)."""
        return self.decode(self.encode(x))

    @staticmethod
    def _block(n_in: int, n_out: int, dropout: float) -> nn.Sequential:
        return nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU(), nn.BatchNorm1d(n_out), nn.Dropout(dropout))


class DenseGenerator(nn.Module):
    """Linear maps with tanh between them, from a latent vector to a series."""

    def __init__(self, spec: DataSpec, latent: int, hidden: Sequence[int], n_classes: int = 0) -> None:
        super().__init__()
        self.latent, self.shape = latent, (spec.channels, spec.seq_len)
        self.layers = _tanh_layers([latent, *hidden])
        self.output = nn.Linear(hidden[-1], spec.channels * spec.seq_len)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        x: Tensor = self.output(self.layers(z))
        return x.unflatten(1, self.shape)


class DenseCritic(nn.Module):
    """Linear maps with tanh between them, from a series to one number."""

    def __init__(self, spec: DataSpec, hidden: Sequence[int], n_classes: int = 0) -> None:
        super().__init__()
        self.layers = _tanh_layers([spec.channels * spec.seq_len, *hidden])
        self.output = nn.Linear(hidden[-1], 1)

    def features(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to the last hidden layer (B, F)."""
        found: Tensor = self.layers(x.flatten(1))
        return found

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to (B,) outputs."""
        logit: Tensor = self.output(self.features(x))
        return logit.squeeze(1)


def _tanh_layers(sizes: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.Tanh())))
