"""Recurrent networks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.errors import ConfigError


class Patches(nn.Module):
    """Folds ``patch`` neighbouring samples of all channels into one step of a recurrent network.

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
            raise ConfigError(f"model.patch is {patch} but must lie between 1 and the series' length, {seq_len}.")
        self.channels, self.seq_len, self.patch = channels, seq_len, patch
        self.steps = -(-seq_len // patch)
        self.features = channels * patch

    def fold(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, steps, C * patch)."""
        missing = self.steps * self.patch - self.seq_len
        if missing:
            x = F.pad(x, (0, missing), mode="replicate")
        x = x.reshape(x.shape[0], self.channels, self.steps, self.patch)
        return x.transpose(1, 2).reshape(x.shape[0], self.steps, self.features)

    def unfold(self, steps: Tensor) -> Tensor:
        """Map (B, steps, C * patch) back to (B, C, T)."""
        x = steps.reshape(steps.shape[0], self.steps, self.channels, self.patch)
        x = x.transpose(1, 2).reshape(steps.shape[0], self.channels, self.steps * self.patch)
        return x[..., : self.seq_len]


class LSTMAutoencoderNet(nn.Module):
    """Two LSTM layers compress a series to one vector, two unroll it again.

    The encoder's layers have ``2 * latent`` and ``latent`` units and hand over the last hidden state; the
    decoder reads that state at every step with ``latent`` and ``2 * latent`` units and a linear output.

    Args:
        channels: channels of a series.
        seq_len: samples of a series.
        latent: size of the latent vector.
        patch: samples folded into one LSTM step.

    Source: Malhotra et al. (2016), LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection,
    arXiv:1607.00148; layer sizes as in Valkov's tutorial on ECG5000.
    """

    def __init__(self, channels: int, seq_len: int, latent: int = 64, patch: int = 10) -> None:
        super().__init__()
        self.patches = Patches(channels, seq_len, patch)
        self.encode_wide = nn.LSTM(self.patches.features, 2 * latent, batch_first=True)
        self.encode_narrow = nn.LSTM(2 * latent, latent, batch_first=True)
        self.decode_narrow = nn.LSTM(latent, latent, batch_first=True)
        self.decode_wide = nn.LSTM(latent, 2 * latent, batch_first=True)
        self.output = nn.Linear(2 * latent, self.patches.features)

    def encode(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, latent)."""
        wide, _ = self.encode_wide(self.patches.fold(x))
        _, (hidden, _) = self.encode_narrow(wide)
        last: Tensor = hidden[-1]
        return last

    def decode(self, z: Tensor) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        repeated = z.unsqueeze(1).expand(-1, self.patches.steps, -1)
        narrow, _ = self.decode_narrow(repeated)
        wide, _ = self.decode_wide(narrow)
        return self.patches.unfold(self.output(wide))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct (B, C, T)."""
        return self.decode(self.encode(x))
