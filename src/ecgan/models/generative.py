"""What models share that generate series from latent vectors."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ecgan.capabilities import Encodes
from ecgan.errors import ConfigError
from ecgan.models.base import Model, NetworkFactory
from ecgan.networks.initialization import Init, initialize
from ecgan.networks.latent import Distribution, Latent
from ecgan.types import DataSpec, Series

CHUNK = 1024
ENCODED = 10_000
"""Training series at most to which a latent distribution is fitted."""


class GenerativeModel(Model):
    """Base of the models that generate; a subclass implements ``decode``.

    Args:
        spec: what may be known about the data.
        network: makes the network that decodes, and has a ``latent`` size.
        distribution: where latent vectors are drawn from.
        init: first weights.
        conditional: whether the networks are told the class.

    Attributes:
        conditional: the same.
        n_classes: number of classes that the networks are told, 0 for none.
        latents: the distribution.
    """

    def __init__(
        self, spec: DataSpec, network: NetworkFactory, distribution: Distribution, init: Init, conditional: bool
    ) -> None:
        super().__init__()
        if distribution == "encoder" and not isinstance(self, Encodes):
            raise ConfigError(
                f"{type(self).__name__} has no encoder; set model.distribution to normal, truncated_normal or uniform."
            )
        self.conditional = self.learns_classes = conditional
        self.n_classes = spec.n_classes if conditional else 0
        self.spec, self.init = spec, init
        self.generator = self.made(network)
        if isinstance(self, Encodes) and not hasattr(self.generator, "encode"):
            given = type(self.generator).__name__
            raise ConfigError(f"{type(self).__name__} needs a network that encodes, not {given}; compare conf/model.")
        self.latents = Latent(cast(int, self.generator.latent), distribution, max(1, self.n_classes))

    def made(self, network: NetworkFactory) -> nn.Module:
        """Make a network and draw its first weights."""
        made = network(spec=self.spec, n_classes=self.n_classes)
        initialize(made, self.init)
        return made

    @property
    def player(self) -> nn.Module:
        """The network that decodes, with the weights to use."""
        return self.generator

    def draw(self, n: int, generator: torch.Generator | None, y: Tensor | None = None) -> Tensor:
        """Draw latent vectors (n, latent); of the classes ``y`` (n,) where the model is conditional."""
        return self.latents.draw(n, generator, self.device, y if self.conditional else None)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map latent vectors (n, latent) to series (n, C, T)."""
        raise NotImplementedError("a model that generates must define decode")

    def sample(self, n: int, generator: torch.Generator | None, y: Tensor | None = None) -> Tensor:
        """Draw series (n, C, T); ``y`` (n,) is the class of each, normal where it is None."""
        return self.decode(self.draw(n, generator, y), y if self.conditional else None)


class EncodingModel(GenerativeModel):
    """A model whose network encodes and decodes: reconstructs, encodes and samples.

    A conditional one reconstructs as if every series were normal, since nobody knows the class of a new one.
    """

    def reconstruct(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        x_hat: Tensor = self.player(x)
        return x_hat

    def encode(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        return self.code(x, None)

    def code(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Encode series (B, C, T) whose classes are known to (B, latent)."""
        z: Tensor = self.player.encode(x, y)  # type: ignore[operator]
        return z

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        x: Tensor = self.player.decode(z, y)  # type: ignore[operator]
        return x

    @torch.no_grad()
    def fit_latents(self, train: Series) -> None:
        """Fit the latent distribution to the encodings of training series, if it is one that is fitted.

        Args:
            train: training series; evenly spread ones are taken where there are very many.
        """
        if not self.latents.fitted:
            return
        self.eval()
        taken = np.linspace(0, len(train) - 1, min(len(train), ENCODED)).astype(np.int64)
        codes, labels = [], []
        for start in range(0, len(taken), CHUNK):
            batch = train.__getitems__(taken[start : start + CHUNK].tolist())
            codes.append(self.code(batch.x.to(self.device), batch.y.to(self.device)).float().cpu())
            labels.append(batch.y if self.conditional else torch.zeros_like(batch.y))
        self.latents.fit(torch.cat(codes).numpy(), torch.cat(labels).numpy())
