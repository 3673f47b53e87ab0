"""A scorer that trains its own LSTM autoencoder after the fit, whatever the fitted model was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ecgan.capabilities import Samples
from ecgan.detect.scorers import usual_error
from ecgan.errors import ConfigError, DivergedError
from ecgan.losses import ErrorName, reconstruction_error
from ecgan.networks.recurrent import LSTMAutoencoderNet
from ecgan.types import DataSpec, Series

SIZES, USUAL = "sizes", "usual"


class LSTMAutoencoderScorer:
    """Reconstruction error of an LSTM autoencoder trained on the fold's training normals.

    Args:
        latent: size of the latent vector.
        patch: samples folded into one LSTM step.
        epochs: passes over the training normals; long training learns to reconstruct abnormal series too.
        batch_size: series per step.
        lr: first learning rate of Adam; it falls to zero along a half cosine.
        error: ``l1`` or ``l2``, for training and score alike.
        scaled: count errors in units of the usual one, as in ``Reconstruction``.
        generated: normal series that the fitted model draws for each training normal, anew in every epoch; 0 for none.
    """

    requires: tuple[type, ...] = ()

    @staticmethod
    def requires_for(settings: Mapping[str, Any]) -> tuple[type, ...]:
        """What a node with these settings requires of the model."""
        return (Samples,) if settings.get("generated") else ()

    def __init__(
        self,
        latent: int = 64,
        patch: int = 10,
        epochs: int = 20,
        batch_size: int = 64,
        lr: float = 5e-3,
        error: ErrorName = "l1",
        scaled: bool = False,
        generated: float = 0.0,
    ) -> None:
        if generated < 0:
            raise ConfigError(f"lstm_autoencoder.generated is {generated} but must be at least 0.")
        self.generated = generated
        self.requires = self.requires_for({"generated": generated})
        self.latent, self.patch, self.epochs = latent, patch, epochs
        self.batch_size, self.lr = batch_size, lr
        self.error: ErrorName = error
        self.scaled = scaled
        self.usual: Tensor | None = None
        self.network: LSTMAutoencoderNet | None = None

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Train on normals, and on generated ones where that was asked for.

        Raises:
            RunError: when the training diverges.
        """
        # drawn only where it is used, so that it changes nothing elsewhere
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ()).item())) if self.generated else None
        network = self._network(train.__getitems__([0]).x.shape).to(device).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=self.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs)
        for epoch in range(self.epochs):
            for positions in torch.split(torch.randperm(len(train)), self.batch_size):
                x = train.__getitems__(positions.tolist()).x.to(device)
                if generator is not None:
                    x = torch.cat([x, self._made(model, len(x), generator).to(device)])
                loss = reconstruction_error(x, network(x), self.error).mean()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            schedule.step()
            if not torch.isfinite(loss):
                raise DivergedError(f"The LSTM autoencoder's loss is {loss.item()} in epoch {epoch}; lower scorer.lr.")
        self.network = network.eval()
        self.usual = usual_error(network, train, self.error, device) if self.scaled else None

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        if self.network is None:
            raise RuntimeError("the LSTM autoencoder scores before it was fitted")
        return reconstruction_error(x, self.network(x), self.error, self.usual)

    def state(self) -> dict[str, Tensor]:
        """Weights, and the sizes that they were made for."""
        if self.network is None:
            return {}
        patches = self.network.patches
        scale = {} if self.usual is None else {USUAL: self.usual}
        return {SIZES: torch.tensor([patches.channels, patches.seq_len]), **scale, **self.network.state_dict()}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take the weights back."""
        weights = dict(state)
        channels, seq_len = weights.pop(SIZES).tolist()
        self.usual = weights.pop(USUAL).to(device) if USUAL in weights else None
        network = self._network(torch.Size([1, channels, seq_len]))
        network.load_state_dict(weights)
        self.network = network.to(device).eval()

    def _made(self, model: nn.Module, n: int, generator: torch.Generator) -> Tensor:
        """Generated normals for so many training normals."""
        assert isinstance(model, Samples)  # noqa: S101 - checked when the config was composed
        with torch.no_grad():
            return model.sample(math.ceil(n * self.generated), generator)

    def _network(self, shape: torch.Size) -> LSTMAutoencoderNet:
        return LSTMAutoencoderNet(DataSpec(shape[2], shape[1], 1), self.latent, self.patch)
