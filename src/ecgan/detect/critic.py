"""Scorers that ask the critic of an adversarial model."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.capabilities import Discriminates, Reconstructs
from ecgan.detect.stateless import Stateless


class Critic(Stateless):
    """What the critic says of the series themselves: how little they look like training series to it.

    A critic learns to tell real from generated series, not normal from abnormal ones, so this is the weakest of the
    scores that it allows; see ``FeatureMatching``.

    Args:
        strategy: ``log`` for -log p, ``target`` for 1 - p, where p = sigmoid(D(x)); both rank series alike, but their
            thresholds and averages differ.

    Source: Schlegl et al. (2017), arXiv:1703.05921 (log); Zenati et al. (2018), arXiv:1802.06222.
    """

    requires: ClassVar[tuple[type, ...]] = (Discriminates,)

    def __init__(self, strategy: Literal["log", "target"] = "log") -> None:
        self.strategy = strategy

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        assert isinstance(model, Discriminates)  # noqa: S101 - checked when the config was composed
        logit = model.discriminate(x).cpu().double()  # 1 - p is 0 in single precision for a critic that is sure
        if self.strategy == "target":
            return torch.sigmoid(-logit)
        # F.softplus(-logit), which ONNX Runtime does not have in double precision
        return F.relu(-logit) + torch.log1p(torch.exp(-logit.abs()))


class FeatureMatching(Stateless):
    """Mean squared difference of the critic's hidden features between a series and its reconstruction.

    Source: Schlegl et al. (2017), arXiv:1703.05921; Zhou et al. (2019), doi:10.24963/ijcai.2019/616.
    """

    requires: ClassVar[tuple[type, ...]] = (Reconstructs, Discriminates)

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        assert isinstance(model, Reconstructs)  # noqa: S101 - checked when the config was composed
        assert isinstance(model, Discriminates)  # noqa: S101
        return (model.features(x) - model.features(model.reconstruct(x))).square().mean(1)
