"""Terms that compare two things: series and reconstruction, features, latent distribution and prior."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgan.errors import ConfigError

ErrorName = Literal["l1", "l2", "huber"]


def reconstruction_error(
    x: Tensor, x_hat: Tensor, error: ErrorName, usual: Tensor | None = None, delta: float = 1.0
) -> Tensor:
    """Mean error of each series.

    Args:
        x: (B, C, T) series.
        x_hat: (B, C, T) reconstructions.
        error: ``l1`` for mean absolute, ``l2`` for mean squared differences, ``huber`` for what lies between.
        usual: (C, T) error to divide by at each sample, None for 1 everywhere.
        delta: of ``huber``, the difference at which it turns from squared to absolute.

    Returns:
        (B,) one value per series.
    """
    pointwise = pointwise_error(x, x_hat, error, delta)
    return (pointwise if usual is None else pointwise / usual).flatten(1).mean(1)


def pointwise_error(x: Tensor, x_hat: Tensor, error: ErrorName, delta: float = 1.0) -> Tensor:
    """Error of each sample, (B, C, T).

    ``l1`` is |d|, ``l2`` is d², ``huber`` (Huber 1964, doi:10.1214/aoms/1177703732) is d² / 2 up to ``delta`` and
    ``delta`` (|d| - ``delta`` / 2) beyond.
    """
    if error == "huber":
        return F.huber_loss(x_hat.float(), x.float(), reduction="none", delta=delta)
    difference = x - x_hat
    return difference.abs() if error == "l1" else difference.square()


class Reconstruction:
    """Mean error of reconstructions over series, channels and time.

    Args:
        error: ``l1``, ``l2`` or ``huber``.
        weight: factor.
        delta: of ``huber``, the difference at which it turns from squared to absolute.
    """

    def __init__(self, error: ErrorName = "l2", weight: float = 1.0, delta: float = 1.0) -> None:
        if weight < 0 or delta <= 0:
            raise ConfigError("reconstruction.weight must not be negative, and reconstruction.delta must be above 0.")
        self.error: ErrorName = error
        self.weight, self.delta = weight, delta

    def __call__(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Weighted mean error of (B, C, T) reconstructions."""
        return self.weight * reconstruction_error(x, x_hat, self.error, delta=self.delta).mean()


class FeatureMatching:
    """Mean squared difference of a critic's hidden features, of real series and of their reconstructions.

    Args:
        weight: factor.

    Source: Salimans et al. (2016), arXiv:1606.03498; pairwise as in BeatGAN (Zhou et al. 2019).
    """

    def __init__(self, weight: float = 1.0) -> None:
        if weight < 0:
            raise ConfigError(f"feature_matching.weight is {weight} but must not be negative.")
        self.weight = weight

    def __call__(self, real: Tensor, fake: Tensor) -> Tensor:
        """Weighted mean over (B, F) features; those of real series are taken as constant."""
        return self.weight * F.mse_loss(fake.float(), real.detach().float())


class KL:
    """Divergence of the encoder's normal distributions from the standard normal, per value of the series.

    Summed over the latent vector and divided by channels x time, so that ``weight`` 1 is the evidence lower bound of
    a decoder with variance 1/2 (for the error ``l2``), whatever the length of the series.

    Args:
        weight: final factor, the beta of Higgins et al. (2017).
        warmup: epochs at the start with factor 0.
        annealing: epochs after those over which the factor rises to ``weight`` along a line.

    Source: Kingma and Welling (2014), arXiv:1312.6114; annealing: Bowman et al. (2016), arXiv:1511.06349.
    """

    def __init__(self, weight: float = 1.0, warmup: int = 0, annealing: int = 0) -> None:
        if weight < 0 or warmup < 0 or annealing < 0:
            raise ConfigError("kl.weight, kl.warmup and kl.annealing must not be negative.")
        self.weight, self.warmup, self.annealing = weight, warmup, annealing

    def factor(self, epoch: int | None) -> float:
        """Factor in an epoch, counted from 0; None for the final one, which validation uses throughout."""
        if epoch is None:
            return self.weight
        if epoch < self.warmup:
            return 0.0
        return self.weight * min(1.0, (epoch - self.warmup + 1) / (self.annealing + 1))

    def __call__(self, mean: Tensor, log_variance: Tensor, n_values: int, epoch: int | None = None) -> Tensor:
        """Weighted mean over the batch.

        Args:
            mean: (B, latent).
            log_variance: (B, latent).
            n_values: channels x time of a series.
            epoch: see ``factor``.
        """
        mean, log_variance = mean.float(), log_variance.float()
        divergence = 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum(1)
        return self.factor(epoch) * divergence.mean() / n_values
