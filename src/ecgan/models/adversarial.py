"""The training rule of all models with a critic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ecgan.errors import ConfigError
from ecgan.losses import BCE, AdversarialLoss
from ecgan.models.base import NetworkFactory, OptimizerFactory, SchedulerFactory
from ecgan.models.generative import GenerativeModel
from ecgan.networks.initialization import Init
from ecgan.networks.latent import Distribution
from ecgan.types import Batch, DataSpec


class AdversarialModel(GenerativeModel):
    """A generating network and a critic, trained in turn by hand.

    The rule, owned here once for all GANs: one generator pass per batch; ``n_critic`` steps of the critic on the
    detached fakes; then one step of the generator through a frozen critic. Each half leaves the other's weights,
    buffers and gradients alone. Subclasses supply ``generate``, ``generator_loss`` and ``decode``.

    Args:
        spec: what may be known about the data.
        generator: makes the network that the generator's optimizer trains; it has a ``latent`` size.
        critic: makes the network that maps (B, C, T) and classes to (B,) outputs and has ``features(x, y)``.
        optimizer: makes the generator's optimizer.
        critic_optimizer: makes the critic's optimizer.
        scheduler: makes the generator's learning rate schedule, which steps once per epoch; None for a constant rate.
        critic_scheduler: the same for the critic.
        adversarial: what the two play for.
        distribution: where latent vectors are drawn from.
        init: first weights of both.
        n_critic: critic steps per generator step.
        clip_norm: largest gradient norm of either player, None for no clipping.
        ema: decay of the moving average of the generator's weights, per step, which everything but the training then
            uses; None for the weights themselves.
        conditional: whether both players are told the class.
    """

    def __init__(
        self,
        spec: DataSpec,
        generator: NetworkFactory,
        critic: NetworkFactory,
        optimizer: OptimizerFactory,
        critic_optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        critic_scheduler: SchedulerFactory | None = None,
        adversarial: AdversarialLoss | None = None,
        distribution: Distribution = "normal",
        init: Init = "torch",
        n_critic: int = 1,
        clip_norm: float | None = None,
        ema: float | None = None,
        conditional: bool = False,
    ) -> None:
        super().__init__(spec, generator, distribution, init, conditional)
        if n_critic < 1:
            raise ConfigError(f"model.n_critic is {n_critic} but the critic needs at least one step per batch.")
        if ema is not None and not 0 < ema < 1:
            raise ConfigError(f"model.ema is {ema} but a decay lies between 0 and 1; null switches it off.")
        if clip_norm is not None and clip_norm <= 0:
            raise ConfigError(f"model.clip_norm is {clip_norm} but must be above 0; null switches it off.")
        self.automatic_optimization = False
        self.critic = self.made(critic)
        average = None if ema is None else get_ema_multi_avg_fn(ema)  # type: ignore[no-untyped-call]
        self.averaged = None if ema is None else AveragedModel(self.generator, multi_avg_fn=average, use_buffers=True)
        self.adversarial = adversarial or BCE()
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer
        self.scheduler, self.critic_scheduler = scheduler, critic_scheduler
        self.n_critic, self.clip_norm = n_critic, clip_norm

    @property
    def player(self) -> nn.Module:
        """The generator; outside of training its moving average, if there is one."""
        if self.training or self.averaged is None:
            return self.generator
        return self.averaged.module

    def compilable(self) -> Iterable[nn.Module]:
        """All networks, but no critic whose gradient is differentiated, which compiled code cannot do."""
        return [self.generator] if self.adversarial.double_backward else [self.generator, self.critic]

    def discriminate(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,) outputs, larger = more like a real series (a normal one, where it knows classes)."""
        logit: Tensor = self.critic(x)
        return logit

    def features(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, F), the critic's last hidden layer."""
        hidden: Tensor = self.critic.features(x)  # type: ignore[operator]
        return hidden

    def generate(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Make (B, C, T) fakes for a batch, with gradient, and the parts of the loss that need no critic."""
        raise NotImplementedError("a subclass of AdversarialModel must define generate")

    def generator_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """Named, weighted parts of the generator's loss that come from the critic."""
        raise NotImplementedError("a subclass of AdversarialModel must define generator_loss")

    def critic_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """Named parts of the critic's loss; their sum is minimized. ``fake`` carries no gradient."""
        return self.adversarial.critic(lambda x: self.critic(x, batch.y), batch.x, fake)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        """The generator's optimizer and the critic's, with their schedules."""
        optimizers = [self.optimizer(self.generator.parameters()), self.critic_optimizer(self.critic.parameters())]
        makers = (self.scheduler, self.critic_scheduler)
        pairs = zip(makers, optimizers, strict=True)
        return optimizers, [make(optimizer) for make, optimizer in pairs if make is not None]

    def training_step(self, batch: Batch) -> None:
        """Train both players on one batch."""
        generator_optimizer, critic_optimizer = cast(list[LightningOptimizer], self.optimizers())
        fake, own_parts = self.generate(batch)
        constant = fake.detach()
        for _ in range(self.n_critic):
            critic_parts = self.critic_loss(batch, constant)
            self._step(critic_optimizer, critic_parts)
            self.adversarial.bound(self.critic)
        with frozen(self.critic):
            parts = own_parts | self.generator_loss(batch, fake)
            self._step(generator_optimizer, parts)
        if self.averaged is not None:
            self.averaged.update_parameters(self.generator)
        logged = {f"train/{name}": value for name, value in parts.items()}
        logged |= {f"train/critic_{name}": value for name, value in critic_parts.items()}
        logged["train/loss"] = torch.stack(list(parts.values())).sum()
        self.log_epoch(logged, batch)

    def _step(self, optimizer: LightningOptimizer, parts: dict[str, Tensor]) -> None:
        optimizer.zero_grad()
        self.manual_backward(torch.stack(list(parts.values())).sum())
        optimizer.step()

    def on_train_epoch_end(self) -> None:
        """Log, and step the schedules."""
        super().on_train_epoch_end()
        schedulers = self.lr_schedulers()
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(self.trainer.callback_metrics[self.monitor])
            elif scheduler is not None:
                scheduler.step()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients of the player whose optimizer is about to step, after any loss scaling is undone."""
        if self.clip_norm is not None:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.clip_norm)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradient for the weights, no statistics and no power iteration inside of the block."""
    # cuDNN differentiates a recurrent layer in training mode only, and there is nothing in it to freeze
    modules = [module for module in network.modules() if module.training and not isinstance(module, nn.RNNBase)]
    network.requires_grad_(False)
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        network.requires_grad_(True)
        for module in modules:
            module.training = True
