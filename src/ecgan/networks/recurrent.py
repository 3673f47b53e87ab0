"""Recurrent networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgan.errors import ConfigError
from ecgan.networks.conditioning import with_class
from ecgan.networks.layers import at_least_one
from ecgan.types import DataSpec


class Patches(nn.Module):
    """Folds ``patch`` neighboring samples of all channels into one step of a recurrent network.

    An LSTM's time is its number of steps, so ten samples a step make it about ten times faster. Lengths that
    are no multiple of ``patch`` are padded with the last sample and cut again afterwards.

    Args:
        channels: channels of a series.
        seq_len: samples of a series.
        patch: samples per step.
    """

    def __init__(self, channels: int, seq_len: int, patch: int) -> None:
        super().__init__()
        if not 1 <= patch <= seq_len:
            raise ConfigError(f"patch is {patch} but must lie between 1 and the length of the series, {seq_len}.")
        self.channels, self.seq_len, self.patch = channels, seq_len, patch
        self.steps = -(-seq_len // patch)
        self.features = channels * patch

    def fold(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, steps, C * patch)."""
        return fold(x, self.patch)

    def unfold(self, steps: Tensor) -> Tensor:
        """Map (B, steps, C * patch) back to (B, C, T)."""
        x = steps.reshape(steps.shape[0], self.steps, self.channels, self.patch)
        x = x.transpose(1, 2).reshape(steps.shape[0], self.channels, self.steps * self.patch)
        return x[..., : self.seq_len]


def fold(x: Tensor, patch: int) -> Tensor:
    """Map (B, C, T) to (B, steps, C * patch), the last sample repeated where T is no multiple of ``patch``."""
    missing = -x.shape[2] % patch
    if missing:  # not by padding, whose gradient is not deterministic on a GPU
        x = torch.cat([x, x[..., -1:].expand(-1, -1, missing)], 2)
    x = x.reshape(x.shape[0], x.shape[1], -1, patch)
    return x.transpose(1, 2).flatten(2)


class LSTMAutoencoderNet(nn.Module):
    """Two LSTM layers compress a series to one vector, two unroll it again.

    The encoder's layers have ``2 * latent`` and ``latent`` units and hand over the last hidden state; the
    decoder reads that state at every step with ``latent`` and ``2 * latent`` units and a linear output.

    Args:
        spec: sizes of the series.
        latent: size of the latent vector.
        patch: samples folded into one LSTM step.
        n_classes: number of classes that encoder and decoder are told, 0 for none.

    Source: Malhotra et al. (2016), LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection,
    arXiv:1607.00148; layer sizes as in Valkov's tutorial on ECG5000.
    """

    def __init__(self, spec: DataSpec, latent: int = 64, patch: int = 10, n_classes: int = 0) -> None:
        super().__init__()
        at_least_one(latent=latent)
        self.latent, self.n_classes = latent, n_classes
        self.patches = Patches(spec.channels, spec.seq_len, patch)
        features = self.patches.features
        self.encode_wide = nn.LSTM(features + n_classes * patch, 2 * latent, batch_first=True)
        self.encode_narrow = nn.LSTM(2 * latent, latent, batch_first=True)
        self.decode_narrow = nn.LSTM(latent + n_classes, latent, batch_first=True)
        self.decode_wide = nn.LSTM(latent, 2 * latent, batch_first=True)
        self.output = nn.Linear(2 * latent, features)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        wide, _ = self.encode_wide(fold(with_class(x, y, self.n_classes), self.patches.patch))
        _, (hidden, _) = self.encode_narrow(wide)
        last: Tensor = hidden[-1]
        return last

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        repeated = with_class(z, y, self.n_classes).unsqueeze(1).expand(-1, self.patches.steps, -1)
        narrow, _ = self.decode_narrow(repeated)
        wide, _ = self.decode_wide(narrow)
        return self.patches.unfold(self.output(wide))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Reconstruct (B, C, T)."""
        return self.decode(self.encode(x, y), y)


class RecurrentGenerator(nn.Module):
    """An LSTM that is given the latent vector and a learned code of the step, and writes ``patch`` samples a step.

    Without the code it would have to count the steps before it could draw anything at a certain time.

    Args:
        spec: sizes of the series.
        latent: size of the latent vector.
        units: units of each LSTM layer.
        layers: LSTM layers.
        patch: samples per LSTM step.
        n_classes: number of classes that it is told, 0 for none.

    Source: Esteban et al. (2017), arXiv:1706.02633; there a new latent vector at every step, here the same.
    """

    def __init__(
        self,
        spec: DataSpec,
        latent: int = 32,
        units: int = 128,
        layers: int = 2,
        patch: int = 5,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        at_least_one(latent=latent)
        self.latent, self.n_classes = latent, n_classes
        self.patches = Patches(spec.channels, spec.seq_len, patch)
        self.head = nn.Linear(latent + n_classes, units)
        self.step = nn.Parameter(0.1 * torch.randn(self.patches.steps, units))
        self.recurrent = nn.LSTM(units, units, layers, batch_first=True)
        self.output = nn.Linear(units, self.patches.features)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        told = self.head(with_class(z, y, self.n_classes)).unsqueeze(1) + self.step
        hidden, _ = self.recurrent(told)
        return self.patches.unfold(self.output(hidden))


class RecurrentCritic(nn.Module):
    """An LSTM that judges a series after every step; its output is the mean of these judgments.

    A layer before the LSTM and one behind it see more in a step than its gates alone: without them the generator was
    told little, and drew the mean beat.

    Args:
        spec: sizes of the series.
        units: units of each LSTM layer.
        layers: LSTM layers.
        patch: samples per LSTM step.
        n_classes: number of classes that it is told, 0 for none.
        bidirectional: read the series from its end too.
        spectral_norm: bound the output layer's Lipschitz constant (Miyato et al. 2018, arXiv:1802.05957).

    Source: Esteban et al. (2017), arXiv:1706.02633.
    """

    def __init__(
        self,
        spec: DataSpec,
        units: int = 128,
        layers: int = 1,
        patch: int = 5,
        n_classes: int = 0,
        bidirectional: bool = True,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.patches = Patches(spec.channels, spec.seq_len, patch)
        features = self.patches.features + n_classes * patch
        self.embed = nn.Sequential(nn.Linear(features, units), nn.LeakyReLU(0.2))
        self.recurrent = nn.LSTM(units, units, layers, batch_first=True, bidirectional=bidirectional)
        n_hidden = units * (2 if bidirectional else 1)
        self.judge = nn.Sequential(nn.LayerNorm(n_hidden), nn.Linear(n_hidden, units), nn.LeakyReLU(0.2))
        output: nn.Module = nn.Linear(units, 1)
        self.output = nn.utils.parametrizations.spectral_norm(output) if spectral_norm else output

    def features(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to the hidden state averaged over the steps (B, F)."""
        # cuDNN cannot differentiate a gradient through its LSTM, which a gradient penalty asks for at leaves
        cudnn = torch.backends.cudnn
        penalized = x.requires_grad and x.is_leaf
        with cudnn.flags(enabled=not penalized, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic):
            hidden, _ = self.recurrent(self.embed(fold(with_class(x, y, self.n_classes), self.patches.patch)))
        averaged: Tensor = self.judge(hidden).mean(1)
        return averaged

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, C, T) to (B,) outputs; the mean over steps of a linear layer is that layer of the mean."""
        logit: Tensor = self.output(self.features(x, y))
        return logit.squeeze(1)
