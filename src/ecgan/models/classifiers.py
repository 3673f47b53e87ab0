"""Classifiers: recurrent, convolutional, residual, and an ensemble of inception networks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ecgan.errors import ConfigError
from ecgan.models.base import OptimizerFactory, SchedulerFactory
from ecgan.models.classification import ClassificationModel, ClassWeights
from ecgan.networks.classifiers import Cell, ConvClassifierNet, RecurrentClassifierNet
from ecgan.networks.inception import InceptionNet
from ecgan.networks.residual import ResNet1dNet
from ecgan.types import Batch, DataSpec


class RNNClassifier(ClassificationModel):
    """Recurrent classifier.

    Args:
        spec: what may be known about the data.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes the learning rate schedule, None for a constant rate.
        cell: ``lstm`` or ``gru``.
        hidden: units of each layer and direction.
        layers: layers on top of each other.
        bidirectional: whether a second network reads the series backwards.
        patch: samples folded into one step.
        dropout: share of the outputs set to zero between layers and before the last one.
        class_weights: ``none`` or ``balanced``.
        label_smoothing: share of the target that is spread over all classes.
    """

    def __init__(
        self,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        cell: Cell = "lstm",
        hidden: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        patch: int = 4,
        dropout: float = 0.0,
        class_weights: ClassWeights = "none",
        label_smoothing: float = 0.0,
    ) -> None:
        network = RecurrentClassifierNet(
            spec.channels, spec.seq_len, spec.n_classes, cell, hidden, layers, bidirectional, patch, dropout
        )
        super().__init__(network, spec, optimizer, scheduler, class_weights, label_smoothing)


class CNNClassifier(ClassificationModel):
    """Plain convolutional classifier.

    Args:
        spec: what may be known about the data.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes the learning rate schedule, None for a constant rate.
        width: channels of the first layer; each further layer doubles them.
        depth: number of layers.
        kernel: samples of each convolution.
        dropout: share of the features set to zero before the last layer.
        class_weights: ``none`` or ``balanced``.
        label_smoothing: share of the target that is spread over all classes.
    """

    def __init__(
        self,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        width: int = 32,
        depth: int = 3,
        kernel: int = 7,
        dropout: float = 0.0,
        class_weights: ClassWeights = "none",
        label_smoothing: float = 0.0,
    ) -> None:
        network = ConvClassifierNet(spec.channels, spec.n_classes, width, depth, kernel, dropout)
        super().__init__(network, spec, optimizer, scheduler, class_weights, label_smoothing)


class ResNet1d(ClassificationModel):
    """Residual network of Wang, Yan and Oates (2017, arXiv:1611.06455).

    Args:
        spec: what may be known about the data.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes the learning rate schedule, None for a constant rate.
        width: channels of the first block; the others have twice as many.
        class_weights: ``none`` or ``balanced``.
        label_smoothing: share of the target that is spread over all classes.
    """

    def __init__(
        self,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        width: int = 64,
        class_weights: ClassWeights = "none",
        label_smoothing: float = 0.0,
    ) -> None:
        network = ResNet1dNet(spec.channels, spec.n_classes, width)
        super().__init__(network, spec, optimizer, scheduler, class_weights, label_smoothing)


class InceptionTime(ClassificationModel):
    """Ensemble of inception networks (Ismail Fawaz et al. 2020, doi:10.1007/s10618-020-00710-y).

    The members differ by their first weights alone. Each is trained by its own loss, on the same batches, and their
    probabilities are averaged.

    Args:
        spec: what may be known about the data.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes the learning rate schedule, None for a constant rate.
        members: number of networks.
        width: channels of each of the four branches of a module.
        depth: modules of a network.
        kernel: samples of the longest convolution.
        class_weights: ``none`` or ``balanced``.
        label_smoothing: share of the target that is spread over all classes.

    Raises:
        ConfigError: when there is no member or no module.
    """

    def __init__(
        self,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        members: int = 5,
        width: int = 32,
        depth: int = 6,
        kernel: int = 40,
        class_weights: ClassWeights = "none",
        label_smoothing: float = 0.0,
    ) -> None:
        for name, value in (("members", members), ("depth", depth)):
            if value < 1:
                raise ConfigError(f"model.{name} is {value} but must be at least 1.")
        network = nn.ModuleList(
            InceptionNet(spec.channels, spec.n_classes, width, depth, kernel) for _ in range(members)
        )
        super().__init__(network, spec, optimizer, scheduler, class_weights, label_smoothing)
        self.members = members

    def logits_of_members(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (members, B, n_classes)."""
        assert isinstance(self.network, nn.ModuleList)  # noqa: S101 - made here
        return torch.stack([member(x) for member in self.network])

    def classify(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, n_classes): the logarithm of the members' mean probability."""
        return self.logits_of_members(x).log_softmax(2).logsumexp(0) - math.log(self.members)

    def training_step(self, batch: Batch) -> Tensor:
        """Sum of the members' losses, so that each is trained as if it were alone."""
        losses = torch.stack([self.cross_entropy(logits, batch.y) for logits in self.logits_of_members(batch.x)])
        self.log_epoch({"train/loss": losses.detach().mean()}, batch)
        return losses.sum()
