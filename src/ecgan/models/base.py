"""What all models share: how they are trained on series, logged and optimized."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, cast

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ecgan.errors import ConfigError
from ecgan.losses import ErrorName, reconstruction_error
from ecgan.types import Batch

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory = Callable[[Optimizer], LRScheduler]


class Model(LightningModule):
    """Base of all models.

    Attributes:
        monitor: the validation value that picks the best weights; smaller is better.
    """

    monitor: ClassVar[str] = "val/loss"

    def __init__(self) -> None:
        super().__init__()
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def log_epoch(self, values: dict[str, Tensor], batch: Batch) -> None:
        """Log means over the epoch, weighted by batch size.

        Summed up here and handed to Lightning once per epoch: its own logging costs as much as a small network's layer
        in every step.
        """
        n = len(batch.x)
        for name, value in values.items():
            weighted = value.detach() * n
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted
            self._counts[name] = self._counts.get(name, 0) + n

    def on_train_epoch_end(self) -> None:
        """Log the training values."""
        self._log_means("train/")

    def on_validation_epoch_end(self) -> None:
        """Log the validation values."""
        self._log_means("val/")

    def on_test_epoch_end(self) -> None:
        """Log the test values."""
        self._log_means("test/")

    def _log_means(self, part: str) -> None:
        for name in [name for name in self._sums if name.startswith(part)]:
            self.log(name, self._sums.pop(name) / self._counts.pop(name))

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch of series, which ``monitor`` averages over the validation normals."""
        raise NotImplementedError("a model must define loss")

    def validation_step(self, batch: Batch) -> None:
        """Log the validation loss of the normals, with or without abnormal series in the batch."""
        self._log_normals("val/loss", batch)

    def test_step(self, batch: Batch) -> None:
        """Log the same loss for the test part."""
        self._log_normals("test/loss", batch)

    def _log_normals(self, name: str, batch: Batch) -> None:
        # unconditioned on the part's mixture, so that validation and test losses can be compared
        normal = batch.y == 0
        if normal.any():
            kept = Batch(batch.x[normal], batch.y[normal], batch.index[normal])
            self.log_epoch({name: self.loss(kept)}, kept)


class ReconstructionModel(Model):
    """A model with one network that is trained to reproduce its input.

    Args:
        network: maps (B, C, T) to (B, C, T) and has an ``encode`` method.
        error: ``l1`` or ``l2``, averaged over channels, time and batch.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes a learning rate schedule that steps once per epoch, None for a constant rate.
    """

    def __init__(
        self,
        network: nn.Module,
        error: ErrorName,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
    ) -> None:
        super().__init__()
        self.network, self.error = network, error
        self.optimizer, self.scheduler = optimizer, scheduler

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct (B, C, T)."""
        return self.reconstruct(x)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        x_hat: Tensor = self.network(x)
        return x_hat

    def encode(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        z: Tensor = self.network.encode(x)  # type: ignore[operator]
        return z

    def training_step(self, batch: Batch) -> Tensor:
        """Mean reconstruction error."""
        loss = self.loss(batch)
        self.log_epoch({"train/loss": loss.detach()}, batch)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer for all parameters, with its schedule."""
        optimizer = self.optimizer(self.parameters())
        return optimizer if self.scheduler is None else ([optimizer], [self.scheduler(optimizer)])

    def loss(self, batch: Batch) -> Tensor:
        """Mean reconstruction error."""
        return reconstruction_error(batch.x, self.reconstruct(batch.x), self.error).mean()


class AdversarialModel(Model):
    """A generating network and a critic, trained in turn by hand.

    The rule, owned here once for all GANs: one generator pass per batch; ``n_critic`` steps of the critic on the
    detached fakes; then one step of the generator through a frozen critic. Each half leaves the other's weights,
    buffers and gradients alone. Subclasses supply ``generate`` and the two losses.

    Args:
        generator: the network (or networks) that the generator's optimizer trains.
        critic: tells real from generated.
        optimizer: makes the generator's optimizer.
        critic_optimizer: makes the critic's optimizer.
        n_critic: critic steps per generator step.
        clip_norm: largest gradient norm of either player, None for no clipping.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        optimizer: OptimizerFactory,
        critic_optimizer: OptimizerFactory,
        n_critic: int = 1,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__()
        if n_critic < 1:
            raise ConfigError(f"model.n_critic is {n_critic} but the critic needs at least one step per batch.")
        self.automatic_optimization = False
        self.generator, self.critic = generator, critic
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer
        self.n_critic, self.clip_norm = n_critic, clip_norm

    def generate(self, batch: Batch) -> Tensor:
        """Make (B, C, T) fakes for a batch, with gradient."""
        raise NotImplementedError("a subclass of AdversarialModel must define generate")

    def critic_loss(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Named parts of the critic's loss; their sum is minimized. ``fake`` carries no gradient."""
        raise NotImplementedError("a subclass of AdversarialModel must define critic_loss")

    def generator_loss(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Named, weighted parts of the generator's loss; their sum is minimized."""
        raise NotImplementedError("a subclass of AdversarialModel must define generator_loss")

    def configure_optimizers(self) -> list[Optimizer]:
        """The generator's optimizer and the critic's."""
        return [self.optimizer(self.generator.parameters()), self.critic_optimizer(self.critic.parameters())]

    def training_step(self, batch: Batch) -> None:
        """Train both players on one batch."""
        generator_optimizer, critic_optimizer = cast(list[LightningOptimizer], self.optimizers())
        fake = self.generate(batch)
        parts: dict[str, Tensor] = {}
        for _ in range(self.n_critic):
            critic_parts = self.critic_loss(batch.x, fake.detach())
            self._step(critic_optimizer, critic_parts)
        parts |= {f"train/critic_{name}": value.detach() for name, value in critic_parts.items()}
        self.critic.requires_grad_(False).eval()  # frozen: no gradient, no statistics, no power iteration
        generator_parts = self.generator_loss(batch.x, fake)
        self._step(generator_optimizer, generator_parts)
        self.critic.requires_grad_(True).train()
        parts |= {f"train/{name}": value.detach() for name, value in generator_parts.items()}
        parts["train/loss"] = torch.stack(list(generator_parts.values())).sum().detach()
        self.log_epoch(parts, batch)

    def _step(self, optimizer: LightningOptimizer, parts: dict[str, Tensor]) -> None:
        optimizer.zero_grad()
        self.manual_backward(torch.stack(list(parts.values())).sum())
        optimizer.step()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients of the player whose optimizer is about to step, after any loss scaling is undone."""
        if self.clip_norm is not None:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.clip_norm)
