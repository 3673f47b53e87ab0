"""The training rule of classifiers: cross entropy, weighted by class if asked for."""

from __future__ import annotations

from typing import Literal

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.errors import ConfigError
from ecgan.models.base import Model, OptimizerFactory, SchedulerFactory
from ecgan.networks.inception import InceptionModule
from ecgan.networks.residual import ResidualBlock
from ecgan.types import Batch, DataSpec

BLOCKS = (ResidualBlock, InceptionModule)
ClassWeights = Literal["none", "balanced"]


class ClassificationModel(Model):
    """A model that tells the classes of series apart. The best weights are those of the smallest validation loss.

    Unlike the loss of a model that learns normal series, that of a classifier is over all series of a part.

    Args:
        network: maps (B, C, T) to (B, n_classes) logits.
        spec: what may be known about the data.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes a learning rate schedule that steps once per epoch, None for a constant rate.
        class_weights: ``none``, or ``balanced`` to weight each series by the inverse frequency of its class.
        label_smoothing: share of the target that is spread evenly over all classes (Szegedy et al. 2016,
            arXiv:1512.00567).

    Raises:
        ConfigError: when ``label_smoothing`` is no share, or weights are asked for and nobody counted the classes.
    """

    learns_classes: bool = True

    def __init__(
        self,
        network: nn.Module,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        class_weights: ClassWeights = "none",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"model.label_smoothing is {label_smoothing} but must be at least 0 and below 1.")
        self.network = network
        self.optimizer, self.scheduler = optimizer, scheduler
        self.label_smoothing = label_smoothing
        weights = None if class_weights == "none" else balanced_weights(spec)
        # of the training data and not learned, so no part of a checkpoint
        self.register_buffer("weights", weights, persistent=False)
        self.weights: Tensor | None

    def compile_networks(self) -> None:
        """Compile the blocks in place, beside the chains of layers; recurrent layers have no use for it."""
        super().compile_networks()
        for module in self.network.modules():
            if isinstance(module, BLOCKS):
                module.compile()

    def forward(self, x: Tensor) -> Tensor:
        """Logits of (B, C, T)."""
        return self.classify(x)

    def classify(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, n_classes) logits."""
        logits: Tensor = self.network(x)
        return logits

    def cross_entropy(self, logits: Tensor, y: Tensor) -> Tensor:
        """Mean cross entropy of logits (B, n_classes) to classes (B,)."""
        # not torch's own weighted mean, which divides by the weights of the batch and so undoes them in part
        each = F.cross_entropy(logits, y, self.weights, reduction="none", label_smoothing=self.label_smoothing)
        return each.mean()

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross entropy of a batch."""
        return self.cross_entropy(self.classify(batch.x), batch.y)

    def training_step(self, batch: Batch) -> Tensor:
        """Mean cross entropy of a batch."""
        loss = self.loss(batch)
        self.log_epoch({"train/loss": loss.detach()}, batch)
        return loss

    def validation_step(self, batch: Batch) -> dict[str, Tensor]:  # type: ignore[override] # others return nothing
        """Log loss and accuracy of all series of the validation part."""
        return self._judge("val", batch)

    def test_step(self, batch: Batch) -> dict[str, Tensor]:  # type: ignore[override] # others return nothing
        """Log the same of the test part, and return the logits, so that nobody need compute them again."""
        return self._judge("test", batch)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer for all parameters, with its schedule."""
        return self.with_schedule(self.optimizer(self.parameters()), self.scheduler)

    def _judge(self, part: str, batch: Batch) -> dict[str, Tensor]:
        logits = self.classify(batch.x)
        right = (logits.argmax(1) == batch.y).float().mean()
        self.log_epoch({f"{part}/loss": self.cross_entropy(logits, batch.y), f"{part}/accuracy": right}, batch)
        return {"logits": logits}


def balanced_weights(spec: DataSpec) -> Tensor:
    """Weight of each class (n_classes,): all classes weigh the same together, and the mean over the series is 1.

    A class without training series weighs nothing.

    Raises:
        ConfigError: when nobody counted the training series of each class.
    """
    if spec.class_counts is None or not any(spec.class_counts):
        raise ConfigError(
            "model.class_weights=balanced needs the number of training series of each class, which nobody counted; "
            "use model.class_weights=none."
        )
    counts = torch.tensor(spec.class_counts, dtype=torch.float64)
    present = counts > 0
    return torch.where(present, counts.sum() / (present.sum() * counts.clamp(min=1)), 0.0).float()
