"""Loss functions: pure, on tensors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

ErrorName = Literal["l1", "l2"]


def reconstruction_error(x: Tensor, x_hat: Tensor, error: ErrorName, usual: Tensor | None = None) -> Tensor:
    """Mean error of each series.

    Args:
        x: (B, C, T) series.
        x_hat: (B, C, T) reconstructions.
        error: ``l1`` for mean absolute, ``l2`` for mean squared differences.
        usual: (C, T) error to divide by at each sample, None for 1 everywhere.

    Returns:
        (B,) one value per series.
    """
    pointwise = pointwise_error(x, x_hat, error)
    return (pointwise if usual is None else pointwise / usual).flatten(1).mean(1)


def pointwise_error(x: Tensor, x_hat: Tensor, error: ErrorName) -> Tensor:
    """Absolute (``l1``) or squared (``l2``) difference of each sample, (B, C, T)."""
    difference = x - x_hat
    return difference.abs() if error == "l1" else difference.square()


def critic_bce(real_logit: Tensor, fake_logit: Tensor) -> Tensor:
    """Cross entropy of a critic that should call real series 1 and fakes 0 (Goodfellow et al. 2014).

    Args:
        real_logit: (B,) logits of real series.
        fake_logit: (B,) logits of generated series.
    """
    real = F.binary_cross_entropy_with_logits(real_logit, torch.ones_like(real_logit))
    fake = F.binary_cross_entropy_with_logits(fake_logit, torch.zeros_like(fake_logit))
    return real + fake


def feature_matching(real_features: Tensor, fake_features: Tensor) -> Tensor:
    """Mean squared difference of a critic's hidden features (Salimans et al. 2016; BeatGAN, Zhou et al. 2019).

    Args:
        real_features: (B, F) of real series, taken as constant.
        fake_features: (B, F) of their reconstructions.
    """
    return F.mse_loss(fake_features, real_features.detach())
