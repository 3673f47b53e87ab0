"""Convolutions over time that run on a processor's fastest kernels: 2-d, one row high, channels last in memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.errors import DataError
from ecgan.networks.conv import MIN_LENGTH
from ecgan.networks.layers import Layers


def as_rows(x: Tensor) -> Tensor:
    """Map (B, C, T) to (B, C, 1, T) with the channels next to each other in memory.

    oneDNN, the library behind torch's convolutions on a CPU, has no channels-last kernels for 1-d convolutions, and
    those that it has are about twice as slow with long kernels.

    Raises:
        DataError: when the series are shorter than 16 samples.
    """
    if x.shape[-1] < MIN_LENGTH:
        raise DataError(f"Convolutional models need series of {MIN_LENGTH} samples or more; these have {x.shape[-1]}.")
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)


class Conv(nn.Conv2d):
    """Convolution over time of (B, n_in, 1, T) that keeps the length, to be followed by a batch normalization.

    Args:
        n_in: channels that come in.
        n_out: channels that go out.
        kernel: samples; where they are even, one more zero is put behind a series than before it.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int) -> None:
        super().__init__(n_in, n_out, (1, kernel), padding=(0, (kernel - 1) // 2), bias=False)
        self.missing = 1 - kernel % 2

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_in, 1, T) to (B, n_out, 1, T)."""
        out = super().forward(F.pad(x, (0, 1)) if self.missing else x)
        return out.contiguous(memory_format=torch.channels_last)  # of one channel, torch cannot tell which is last


def conv_norm(n_in: int, n_out: int, kernel: int) -> Layers:
    """Convolution and batch normalization, of (B, n_in, 1, T)."""
    return Layers(Conv(n_in, n_out, kernel), nn.BatchNorm2d(n_out))


class Head(nn.Linear):
    """Linear layer to the logits in full precision: half of it has too few digits to rank probabilities."""

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, F) to (B, n_classes) float32."""
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())
