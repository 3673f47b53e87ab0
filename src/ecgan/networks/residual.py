"""Residual network for series of any length of 16 or more."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.networks.flat import Head, as_rows, conv_norm

KERNELS = (8, 5, 3)


class ResidualBlock(nn.Module):
    """Three convolutions with kernels 8, 5 and 3 and a shortcut around them.

    The shortcut is batch normalization, behind a convolution of one sample where the number of channels changes.

    Args:
        n_in: channels that come in.
        n_out: channels of all three convolutions.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(conv_norm(n_out if i else n_in, n_out, kernel) for i, kernel in enumerate(KERNELS))
        self.shortcut = nn.BatchNorm2d(n_out) if n_in == n_out else conv_norm(n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_in, 1, T) to (B, n_out, 1, T)."""
        hidden = x
        for layer in self.layers[:-1]:
            hidden = F.relu(layer(hidden), inplace=True)
        out: Tensor = self.layers[-1](hidden)
        return F.relu(out + self.shortcut(x), inplace=True)


class ResNet1dNet(nn.Module):
    """Three residual blocks of ``width``, twice and twice as many channels, the mean over time, a linear layer.

    Source: Wang, Yan and Oates (2017), Time Series Classification from Scratch with Deep Neural Networks,
    arXiv:1611.06455; widths and shortcuts as in Ismail Fawaz et al. (2019), doi:10.1007/s10618-019-00619-1.

    Args:
        channels: channels of a series.
        n_classes: number of logits.
        width: channels of the first block.
    """

    def __init__(self, channels: int, n_classes: int, width: int = 64) -> None:
        super().__init__()
        widths = (width, 2 * width, 2 * width)
        self.blocks = nn.Sequential(*(ResidualBlock(*pair) for pair in zip((channels, *widths), widths, strict=False)))
        self.head = Head(widths[-1], n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, n_classes) logits."""
        logits: Tensor = self.head(self.blocks(as_rows(x)).mean((2, 3)))
        return logits
