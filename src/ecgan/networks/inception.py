"""Inception network for series of any length of 16 or more."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.networks.flat import Conv, Head, as_rows, conv_norm


class InceptionModule(nn.Module):
    """Convolutions of three lengths side by side, and a fourth of one sample behind the maximum of three.

    Args:
        n_in: channels that come in; a bottleneck reduces them unless there is only one.
        width: channels of each of the four branches.
        kernel: samples of the longest convolution; the others have half and a quarter of it.
    """

    def __init__(self, n_in: int, width: int, kernel: int) -> None:
        super().__init__()
        self.bottleneck = Conv(n_in, width, 1) if n_in > 1 else nn.Identity()
        n_reduced = width if n_in > 1 else 1
        self.branches = nn.ModuleList(Conv(n_reduced, width, max(1, kernel // part)) for part in (1, 2, 4))
        self.pooled = Conv(n_in, width, 1)
        self.norm = nn.BatchNorm2d(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_in, 1, T) to (B, 4 * width, 1, T)."""
        reduced = self.bottleneck(x)
        branches = [branch(reduced) for branch in self.branches]
        branches.append(self.pooled(F.max_pool2d(x, (1, 3), stride=1, padding=(0, 1))))
        return F.relu(self.norm(torch.cat(branches, 1)), inplace=True)


class InceptionNet(nn.Module):
    """Inception modules with a shortcut around every three, the mean over time, a linear layer.

    One member of InceptionTime, which is an ensemble of them. Source: Ismail Fawaz et al. (2020), InceptionTime:
    Finding AlexNet for time series classification, doi:10.1007/s10618-020-00710-y.

    Args:
        channels: channels of a series.
        n_classes: number of logits.
        width: channels of each branch of a module, of which there are four.
        depth: number of modules.
        kernel: samples of the longest convolution.
    """

    def __init__(self, channels: int, n_classes: int, width: int = 32, depth: int = 6, kernel: int = 40) -> None:
        super().__init__()
        n_out = 4 * width
        self.stack = nn.ModuleList(InceptionModule(n_out if i else channels, width, kernel) for i in range(depth))
        self.shortcuts = nn.ModuleList(conv_norm(n_out if i else channels, n_out, 1) for i in range(depth // 3))
        self.head = Head(n_out, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, n_classes) logits."""
        x = before = as_rows(x)
        for i, module in enumerate(self.stack):
            x = module(x)
            if i % 3 == 2:  # noqa: PLR2004 - the third of three
                x = before = F.relu(x + self.shortcuts[i // 3](before), inplace=True)
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits
