"""Plain recurrent and convolutional classifiers for series of any length of 16 or more."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.errors import ConfigError
from ecgan.networks.flat import Head, as_rows, conv_norm
from ecgan.networks.recurrent import Patches

Cell = Literal["lstm", "gru"]


class RecurrentClassifierNet(nn.Module):
    """LSTM or GRU over patches of samples, the mean of its outputs over time, a linear layer.

    Args:
        channels: channels of a series.
        seq_len: samples of a series.
        n_classes: number of logits.
        cell: ``lstm`` or ``gru``.
        hidden: units of each layer and direction.
        layers: layers on top of each other.
        bidirectional: whether a second network reads the series backwards.
        patch: samples folded into one step.
        dropout: share of the outputs set to zero between layers and before the last one.
    """

    def __init__(
        self,
        channels: int,
        seq_len: int,
        n_classes: int,
        cell: Cell = "lstm",
        hidden: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        patch: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.patches = Patches(channels, seq_len, patch)
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        between = dropout if layers > 1 else 0.0  # torch warns of dropout behind the only layer
        self.recurrent = kind(
            self.patches.features, hidden, layers, batch_first=True, dropout=between, bidirectional=bidirectional
        )
        self.dropout = nn.Dropout(dropout)
        self.head = Head(2 * hidden if bidirectional else hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, n_classes) logits."""
        outputs, _ = self.recurrent(self.patches.fold(x))
        logits: Tensor = self.head(self.dropout(outputs.mean(1)))
        return logits


class ConvClassifierNet(nn.Module):
    """Convolutions with doubling width, each behind the maximum of two neighbors, the mean over time, a linear layer.

    Args:
        channels: channels of a series.
        n_classes: number of logits.
        width: channels of the first layer; each further layer doubles them.
        depth: number of layers.
        kernel: samples of each convolution.
        dropout: share of the features set to zero before the last layer.

    Raises:
        ConfigError: when there is no layer.
    """

    def __init__(
        self, channels: int, n_classes: int, width: int = 32, depth: int = 3, kernel: int = 7, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if depth < 1:
            raise ConfigError(f"model.depth is {depth} but a convolutional model needs one layer or more.")
        widths = [channels, *(width * 2**i for i in range(depth))]
        self.layers = nn.ModuleList(conv_norm(widths[i], widths[i + 1], kernel) for i in range(depth))
        self.dropout = nn.Dropout(dropout)
        self.head = Head(widths[-1], n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, n_classes) logits."""
        hidden = as_rows(x)
        for i, layer in enumerate(self.layers):
            if i:
                hidden = F.max_pool2d(hidden, (1, 2), ceil_mode=True)
            hidden = F.relu(layer(hidden), inplace=True)
        logits: Tensor = self.head(self.dropout(hidden.mean((2, 3))))
        return logits
