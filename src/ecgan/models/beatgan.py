"""BeatGAN and its variational relative: autoencoders whose reconstructions a critic cannot tell from real series."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ecgan.losses import KL, FeatureMatching, Reconstruction
from ecgan.models.adversarial import AdversarialModel
from ecgan.models.generative import EncodingModel
from ecgan.networks.autoencoders import VariationalNet
from ecgan.types import Batch


class BeatGAN(EncodingModel, AdversarialModel):
    """An autoencoder regularized by a critic: reconstructs, encodes, samples and discriminates.

    The critic plays the game ``adversarial``; the autoencoder minimizes reconstruction error and feature matching.

    Args:
        reconstruction: the loss of the autoencoder on its own.
        feature_matching: what it learns from the critic.
        settings: those of ``AdversarialModel``; ``generator`` makes an autoencoder.

    Source: Zhou et al. (2019), BeatGAN: Anomalous Rhythm Detection using Adversarially Generated Time Series,
    IJCAI, doi:10.24963/ijcai.2019/616.
    """

    def __init__(
        self,
        reconstruction: Reconstruction | None = None,
        feature_matching: FeatureMatching | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.reconstruction = reconstruction or Reconstruction()
        self.feature_matching = feature_matching or FeatureMatching()

    def generate(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruct the batch."""
        fake: Tensor = self.generator(batch.x, batch.y)
        return fake, {"reconstruction": self.reconstruction(batch.x, fake)}

    def generator_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """Feature matching."""
        real, made = (self.critic.features(x, batch.y) for x in (batch.x, fake))  # type: ignore[operator]
        return {"feature_matching": self.feature_matching(real, made)}

    def loss(self, batch: Batch) -> Tensor:
        """Mean reconstruction error: the adversarial part has no scale that is comparable between epochs."""
        return self.reconstruction(batch.x, self.player(batch.x, batch.y))


class VAEGAN(BeatGAN):
    """The same with a variational autoencoder, whose latent vectors follow a known distribution.

    Args:
        kl: divergence from the standard normal, with its weight (beta) and the epochs over which it grows.
        settings: those of ``BeatGAN``; ``generator`` makes a ``VariationalNet``.

    Source: Larsen et al. (2016), Autoencoding beyond Pixels using a Learned Similarity Metric, arXiv:1512.09300; for
    heartbeats Lüer et al. (2023), arXiv:2310.18091.
    """

    generator: VariationalNet
    player: VariationalNet

    def __init__(self, kl: KL | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.kl = kl or KL()

    def generate(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruct the batch through noise."""
        fake, mean, log_variance = self.generator.through_noise(batch.x, batch.y)
        kl = self.kl(mean, log_variance, batch.x[0].numel(), self.current_epoch)
        return fake, {"reconstruction": self.reconstruction(batch.x, fake), "kl": kl}

    def loss(self, batch: Batch) -> Tensor:
        """Reconstruction error from the mean, and divergence with its final factor."""
        mean, log_variance = self.player.moments(batch.x, batch.y)
        x_hat = self.player.decode(mean, batch.y)
        return self.reconstruction(batch.x, x_hat) + self.kl(mean, log_variance, batch.x[0].numel())
