"""Autoencoders: a network that learns to reproduce series, and nothing against it."""

from __future__ import annotations

from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor

from ecgan.losses import KL, Reconstruction
from ecgan.models.base import NetworkFactory, OptimizerFactory, SchedulerFactory
from ecgan.models.generative import EncodingModel
from ecgan.networks.autoencoders import VariationalNet
from ecgan.networks.initialization import Init
from ecgan.networks.latent import Distribution
from ecgan.types import Batch, DataSpec


class Autoencoder(EncodingModel):
    """A network that is trained to reproduce its input: reconstructs, encodes and samples.

    Args:
        spec: what may be known about the data.
        network: makes the network: ``encode(x, y)``, ``decode(z, y)``, ``forward(x, y)``, ``latent``.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes a learning rate schedule that steps once per epoch, None for a constant rate.
        reconstruction: the loss.
        distribution: where latent vectors of generated series are drawn from.
        init: first weights.
        conditional: whether encoder and decoder are told the class.
    """

    def __init__(
        self,
        spec: DataSpec,
        network: NetworkFactory,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        reconstruction: Reconstruction | None = None,
        distribution: Distribution = "encoder",
        init: Init = "torch",
        conditional: bool = False,
    ) -> None:
        super().__init__(spec, network, distribution, init, conditional)
        self.reconstruction = reconstruction or Reconstruction()
        self.optimizer, self.scheduler = optimizer, scheduler

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct (B, C, T)."""
        return self.reconstruct(x)

    def parts(self, batch: Batch) -> dict[str, Tensor]:
        """Named parts of the training loss; their sum is minimized."""
        return {"reconstruction": self.loss(batch)}

    def training_step(self, batch: Batch) -> Tensor:
        """Sum of the parts."""
        parts = self.parts(batch)
        loss = sum(parts.values(), start=batch.x.new_zeros(()))
        logged = {f"train/{name}": value for name, value in parts.items()} if len(parts) > 1 else {}
        self.log_epoch({"train/loss": loss} | logged, batch)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer for all parameters, with its schedule."""
        return self.with_schedule(self.optimizer(self.parameters()), self.scheduler)

    def loss(self, batch: Batch) -> Tensor:
        """Mean reconstruction error."""
        return self.reconstruction(batch.x, self.generator(batch.x, batch.y))


class VAE(Autoencoder):
    """A variational autoencoder with a weight on the divergence: reconstructs, encodes and samples.

    Training draws the latent vector; everything afterwards uses its mean, so that two passes give the same.

    Args:
        spec: what may be known about the data.
        network: makes the network, a ``VariationalNet``.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes a learning rate schedule that steps once per epoch, None for a constant rate.
        reconstruction: the loss.
        kl: divergence from the standard normal, with its weight (beta) and the epochs over which it grows.
        distribution: where latent vectors of generated series are drawn from.
        init: first weights.
        conditional: whether encoder and decoder are told the class.

    Source: Kingma and Welling (2014), arXiv:1312.6114; beta: Higgins et al. (2017), ICLR.
    """

    generator: VariationalNet

    def __init__(
        self,
        spec: DataSpec,
        network: NetworkFactory,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        reconstruction: Reconstruction | None = None,
        kl: KL | None = None,
        distribution: Distribution = "normal",
        init: Init = "torch",
        conditional: bool = False,
    ) -> None:
        super().__init__(spec, network, optimizer, scheduler, reconstruction, distribution, init, conditional)
        self.kl = kl or KL()

    def parts(self, batch: Batch) -> dict[str, Tensor]:
        """Reconstruction error through noise, and divergence with the factor of this epoch."""
        x_hat, mean, log_variance = self.generator.through_noise(batch.x, batch.y)
        kl = self.kl(mean, log_variance, batch.x[0].numel(), self.current_epoch)
        return {"reconstruction": self.reconstruction(batch.x, x_hat), "kl": kl}

    def loss(self, batch: Batch) -> Tensor:
        """The same from the mean and with the final factor, so that epochs can be compared."""
        mean, log_variance = self.generator.moments(batch.x, batch.y)
        x_hat = self.generator.decode(mean, batch.y)
        return self.reconstruction(batch.x, x_hat) + self.kl(mean, log_variance, batch.x[0].numel())
