"""What a critic and a generator play for: one object holds both sides of the game.

With D(x) the critic's output without any squashing, r a real series and f a generated one:

============ ============================================== =========================
object       the critic minimizes                           the generator minimizes
============ ============================================== =========================
``BCE``      softplus(-D(r)) + softplus(D(f))               softplus(-D(f))
``LSGAN``    (D(r) - 1)² / 2 + D(f)² / 2                    (D(f) - 1)² / 2
``Hinge``    max(0, 1 - D(r)) + max(0, 1 + D(f))            -D(f)
``WGANGP``   D(f) - D(r) + penalty (|grad D(i)| - 1)²       -D(f)
``WGANClip`` D(f) - D(r), all weights in [-clip, clip]      -D(f)
============ ============================================== =========================

i lies at random between r and f; all terms are means over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.errors import ConfigError

Judge = Callable[[Tensor], Tensor]
"""A critic: (B, C, T) to (B,) outputs."""


class AdversarialLoss(Protocol):
    """Both sides of one game."""

    double_backward: bool
    """Whether it differentiates the critic's gradient, which a compiled network cannot do."""

    def critic(self, judge: Judge, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Named parts of the critic's loss for (B, C, T) real and generated series; their sum is minimized."""

    def generator(self, fake_logit: Tensor) -> Tensor:
        """The generator's loss from the critic's outputs (B,) for its series."""

    def bound(self, critic: nn.Module) -> None:
        """Keep the critic within bounds after each of its steps."""


class _OfLogits:
    """A game that needs no more than the critic's outputs."""

    double_backward: ClassVar[bool] = False
    name: ClassVar[str]

    def critic(self, judge: Judge, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Judge both in one pass; critics hold no batch statistics, so that is the same as one after the other."""
        real_logit, fake_logit = judge(torch.cat([real, fake])).float().chunk(2)
        return {self.name: self.tell_apart(real_logit, fake_logit)}

    def tell_apart(self, real_logit: Tensor, fake_logit: Tensor) -> Tensor:
        """The critic's loss from (B,) outputs."""
        raise NotImplementedError("a game must define what its critic minimizes")

    def generator(self, fake_logit: Tensor) -> Tensor:
        """Raise the critic's mean output."""
        return -fake_logit.float().mean()

    def bound(self, critic: nn.Module) -> None:
        """Nothing to do."""


class BCE(_OfLogits):
    """Cross entropy, with the generator's loss that does not saturate.

    Source: Goodfellow et al. (2014), Generative Adversarial Nets, arXiv:1406.2661.
    """

    name = "bce"

    def tell_apart(self, real_logit: Tensor, fake_logit: Tensor) -> Tensor:
        """Call real series 1 and generated ones 0."""
        return F.softplus(-real_logit).mean() + F.softplus(fake_logit).mean()

    def generator(self, fake_logit: Tensor) -> Tensor:
        """Be called 1."""
        return F.softplus(-fake_logit.float()).mean()


class LSGAN(_OfLogits):
    """Least squares.

    Source: Mao et al. (2017), Least Squares Generative Adversarial Networks, arXiv:1611.04076.
    """

    name = "lsgan"

    def tell_apart(self, real_logit: Tensor, fake_logit: Tensor) -> Tensor:
        """Give real series 1 and generated ones 0."""
        return ((real_logit - 1).square().mean() + fake_logit.square().mean()) / 2

    def generator(self, fake_logit: Tensor) -> Tensor:
        """Be given 1."""
        return (fake_logit.float() - 1).square().mean() / 2


class Hinge(_OfLogits):
    """Hinge.

    Source: Lim and Ye (2017), Geometric GAN, arXiv:1705.02894.
    """

    name = "hinge"

    def tell_apart(self, real_logit: Tensor, fake_logit: Tensor) -> Tensor:
        """Keep a margin of 1 on both sides."""
        return F.relu(1 - real_logit).mean() + F.relu(1 + fake_logit).mean()


class WGANClip(_OfLogits):
    """Wasserstein distance with weights clipped after each of the critic's steps.

    Args:
        clip: largest absolute weight.

    Source: Arjovsky et al. (2017), Wasserstein GAN, arXiv:1701.07875.
    """

    name = "wasserstein"

    def __init__(self, clip: float = 0.01) -> None:
        if clip <= 0:
            raise ConfigError(f"adversarial.clip is {clip} but must be above 0.")
        self.clip = clip

    def tell_apart(self, real_logit: Tensor, fake_logit: Tensor) -> Tensor:
        """Pull the mean outputs apart."""
        return fake_logit.mean() - real_logit.mean()

    def bound(self, critic: nn.Module) -> None:
        """Clip all weights."""
        with torch.no_grad():
            for parameter in critic.parameters():
                parameter.clamp_(-self.clip, self.clip)


class WGANGP(_OfLogits):
    """Wasserstein distance with a penalty on the critic's gradient.

    Args:
        penalty: weight of the penalty.

    Source: Gulrajani et al. (2017), Improved Training of Wasserstein GANs, arXiv:1704.00028.
    """

    name = "wasserstein"
    double_backward = True

    def __init__(self, penalty: float = 10.0) -> None:
        if penalty < 0:
            raise ConfigError(f"adversarial.penalty is {penalty} but must not be negative.")
        self.penalty = penalty

    def tell_apart(self, real_logit: Tensor, fake_logit: Tensor) -> Tensor:
        """Pull the mean outputs apart."""
        return fake_logit.mean() - real_logit.mean()

    def critic(self, judge: Judge, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Wasserstein distance, and the penalty at random places between real and generated series."""
        parts = super().critic(judge, real, fake)
        if self.penalty:
            share = torch.rand(len(real), 1, 1, device=real.device)
            between = torch.lerp(fake.detach().float(), real.float(), share).requires_grad_()
            (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
            parts["penalty"] = self.penalty * (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return parts
