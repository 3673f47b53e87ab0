"""The scorer passes the battery that every scorer of ecgan passes, and does what it says."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgan.config import build, compose
from ecgan.testing import check_scorer

MODEL = nn.Identity()  # it needs none


def waves(turns: int, n: int = 24) -> Tensor:
    """Noisy sine waves (n, 2, 64) that begin anywhere."""
    generator = torch.Generator().manual_seed(turns)
    phase = torch.rand(n, 2, 1, generator=generator) * 6
    x = torch.sin(torch.linspace(0, 6.28 * turns, 64) + phase)
    return x + 0.1 * torch.randn(x.shape, generator=generator)


def test_battery() -> None:
    node = compose(["detector=[spectrum]"]).detector.spectrum.scorer
    check_scorer(lambda: build(node), MODEL, waves(2), waves(5))
