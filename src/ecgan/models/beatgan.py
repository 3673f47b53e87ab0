"""BeatGAN."""

from __future__ import annotations

from torch import Tensor, nn

from ecgan.losses import ErrorName, critic_bce, feature_matching, reconstruction_error
from ecgan.models.autoencoder import ConvAutoencoderNet
from ecgan.models.base import AdversarialModel, OptimizerFactory
from ecgan.networks.conv import ConvEncoder, Norm
from ecgan.types import Batch, DataSpec


class Critic(nn.Module):
    """Convolutional critic with spectral normalization and no batch statistics.

    Args:
        spec: sizes of the series.
        width: channels of the first layer.
        depth: layers at most.
    """

    def __init__(self, spec: DataSpec, width: int, depth: int) -> None:
        super().__init__()
        self.network = ConvEncoder(spec.channels, spec.seq_len, 1, width, depth, norm="none", spectral_norm=True)

    def features(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to the last hidden layer (B, F)."""
        return self.network.features(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,) logits."""
        logit: Tensor = self.network(x)
        return logit.squeeze(1)


class BeatGAN(AdversarialModel):
    """An autoencoder regularized by a critic: reconstructs, encodes and discriminates.

    The critic minimizes the cross entropy of telling series from reconstructions; the autoencoder minimizes
    reconstruction error + ``adversarial_weight`` x feature matching.

    Args:
        spec: what may be known about the data.
        optimizer: makes the autoencoder's optimizer.
        critic_optimizer: makes the critic's optimizer.
        latent: size of the latent vector.
        width: channels of the first layer; each further layer doubles them.
        depth: layers at most; short series get fewer.
        norm: normalization of encoder and decoder.
        error: ``l1`` or ``l2``.
        adversarial_weight: weight of the feature matching loss.
        n_critic: critic steps per step of the autoencoder.
        clip_norm: largest gradient norm, None for no clipping.

    Source: Zhou et al. (2019), BeatGAN: Anomalous Rhythm Detection using Adversarially Generated Time Series,
    IJCAI, doi:10.24963/ijcai.2019/616.
    """

    def __init__(
        self,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        critic_optimizer: OptimizerFactory,
        latent: int = 50,
        width: int = 32,
        depth: int = 5,
        norm: Norm = "batch",
        error: ErrorName = "l2",
        adversarial_weight: float = 1.0,
        n_critic: int = 1,
        clip_norm: float | None = None,
    ) -> None:
        autoencoder = ConvAutoencoderNet(spec, latent, width, depth, norm)
        critic = Critic(spec, width, depth)
        super().__init__(autoencoder, critic, optimizer, critic_optimizer, n_critic, clip_norm)
        self.error, self.adversarial_weight = error, adversarial_weight

    def reconstruct(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        x_hat: Tensor = self.generator(x)
        return x_hat

    def encode(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        z: Tensor = self.generator.encode(x)  # type: ignore[operator]
        return z

    def discriminate(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,) logits, larger = more like a real series."""
        logit: Tensor = self.critic(x)
        return logit

    def features(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, F), the critic's last hidden layer."""
        hidden: Tensor = self.critic.features(x)  # type: ignore[operator]
        return hidden

    def generate(self, batch: Batch) -> Tensor:
        """Reconstruct the batch."""
        return self.reconstruct(batch.x)

    def critic_loss(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Cross entropy."""
        return {"bce": critic_bce(self.discriminate(real), self.discriminate(fake))}

    def generator_loss(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Reconstruction error and feature matching."""
        matching = feature_matching(self.features(real), self.features(fake))
        return {
            "reconstruction": reconstruction_error(real, fake, self.error).mean(),
            "feature_matching": self.adversarial_weight * matching,
        }

    def loss(self, batch: Batch) -> Tensor:
        """Mean reconstruction error: the adversarial part has no scale that is comparable between epochs."""
        return reconstruction_error(batch.x, self.reconstruct(batch.x), self.error).mean()
