"""What all models share: how they are logged, judged in validation, and stopped when they diverge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
import torch._dynamo as dynamo
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ecgan.errors import DivergedError
from ecgan.networks.layers import Layers
from ecgan.types import Batch

NetworkFactory = Callable[..., nn.Module]
RECOMPILED = 128
"""Variants that are compiled of a chain of layers: for each chain, with and without gradient, full and last batch."""

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory = Callable[[Optimizer], LRScheduler]


class Model(LightningModule):
    """Base of all models.

    Attributes:
        monitor: the validation value that picks the best weights; smaller is better.
        learns_classes: whether it is trained on series of every class and told which; validation then looks at all
            series, and at the normal ones only otherwise.
    """

    monitor: ClassVar[str] = "val/loss"
    learns_classes: bool = False

    def __init__(self) -> None:
        super().__init__()
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._weight: Tensor | None = None

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Know how much of the batch is this device's, since the mean of gradients counts all devices alike."""
        if self.trainer.world_size > 1:
            share = torch.tensor(float(len(batch.x)), device=batch.x.device)
            self._weight = share * self.trainer.world_size / self._over_devices(share)

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Weigh a loss that is a mean over this device's share of the batch."""
        super().backward(loss if self._weight is None else loss * self._weight, *args, **kwargs)

    def compile_networks(self) -> None:
        """Compile the layers in place, which changes no name in a checkpoint; recurrent layers have no use for it."""
        dynamo.config.recompile_limit = RECOMPILED
        for network in self.compilable():
            for module in network.modules():
                if isinstance(module, Layers):
                    module.compile()

    def compilable(self) -> Iterable[nn.Module]:
        """Networks that may be compiled."""
        return self.children()

    def with_schedule(self, optimizer: Optimizer, scheduler: SchedulerFactory | None) -> OptimizerLRScheduler:
        """One optimizer with its schedule, which steps once per epoch and may wait for a better ``monitor``."""
        if scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler(optimizer), "monitor": self.monitor}}

    def log_epoch(self, values: dict[str, Tensor], batch: Batch) -> None:
        """Log means over the epoch, weighted by batch size.

        Summed up here and handed to Lightning once per epoch: its own logging costs as much as a small network's layer
        in every step.
        """
        n = len(batch.x)
        for name, value in values.items():
            weighted = value.detach() * n if n else torch.zeros_like(value)  # several devices may leave one without
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted
            self._counts[name] = self._counts.get(name, 0) + n

    def on_validation_start(self) -> None:
        """Look at the training losses before a checkpoint is written.

        Raises:
            DivergedError: when one of them is not finite.
        """
        for name, value in self._sums.items():
            self._refuse_divergence(name, self._over_devices(value))

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
            total = self._sums.pop(name)
            counted = self._over_devices(torch.tensor(float(self._counts.pop(name)), device=total.device))
            mean = self._over_devices(total) / counted
            if counted:
                self._refuse_divergence(name, mean)
                self.log(name, mean)

    def _over_devices(self, value: Tensor) -> Tensor:
        """The sum over all processes of a training; the value itself where there is one."""
        total: Tensor = self.trainer.strategy.reduce(
            value.clone(), reduce_op="sum"
        )  # which writes into what it is given
        return total

    def _refuse_divergence(self, name: str, value: Tensor) -> None:
        if not torch.isfinite(value):
            part, _, loss = name.partition("/")
            during = {"train": "training", "val": "validation"}.get(part, part)
            raise DivergedError(
                f"{type(self).__name__} diverged in epoch {self.current_epoch + 1}: the {during} value {loss!r} is "
                f"{float(value)}; lower the learning rate (model.optimizer.lr), clip gradients (model.clip_norm) where "
                "the model has that setting, or use another transform."
            )

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch of series, which ``monitor`` averages over the series that ``judged`` keeps."""
        raise NotImplementedError("a model must define loss")

    def judged(self, batch: Batch) -> Batch:
        """The series of a batch that validation looks at.

        A model that learned normal series is not judged by the others: unconditioned on the part's mixture,
        validation and test losses can be compared.
        """
        if self.learns_classes:
            return batch
        normal = batch.y == 0
        return batch if normal.all() else Batch(batch.x[normal], batch.y[normal], batch.index[normal])

    def validation_step(self, batch: Batch) -> None:
        """Log the validation loss."""
        self._log_judged("val/loss", batch)

    def test_step(self, batch: Batch) -> None:
        """Log the same loss for the test part."""
        self._log_judged("test/loss", batch)

    def _log_judged(self, name: str, batch: Batch) -> None:
        kept = self.judged(batch)
        if len(kept.x):
            self.log_epoch({name: self.loss(kept)}, kept)
        else:  # another device may have some, and asks this one for its part of the sum
            self.log_epoch({name: batch.x.new_zeros(())}, kept)
