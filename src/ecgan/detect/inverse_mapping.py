"""An encoder that is trained after the fit for models that only generate."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ecgan.capabilities import Samples
from ecgan.detect.anogan import weights_left_alone
from ecgan.errors import ConfigError, DivergedError
from ecgan.losses import ErrorName, reconstruction_error
from ecgan.networks.conv import ConvEncoder
from ecgan.types import Series

SIZES = "sizes"


class InverseMapping:
    """Error of the generator's series for the latent vector that an encoder gives a series.

    The generator stays as it is. The encoder learns two things at once: which latent vector a generated series was
    made from, and which one gives a training normal back.

    Args:
        epochs: passes over the training normals.
        batch_size: series per step.
        lr: first learning rate of Adam; it falls to zero along a half cosine.
        width: channels of the encoder's first layer.
        depth: layers of the encoder at most.
        latent_weight: what the error of latent vectors counts beside that of series.
        error: ``l1`` or ``l2``, of series, for training and score alike.

    Source: Schlegl et al. (2019), f-AnoGAN, doi:10.1016/j.media.2019.01.010 (both losses, there one or the other);
    Zenati et al. (2018), ALAD, arXiv:1812.02288.
    """

    requires: ClassVar[tuple[type, ...]] = (Samples,)

    def __init__(
        self,
        epochs: int = 40,
        batch_size: int = 64,
        lr: float = 1e-3,
        width: int = 32,
        depth: int = 4,
        latent_weight: float = 0.1,
        error: ErrorName = "l1",
    ) -> None:
        for name, value in {"epochs": epochs, "batch_size": batch_size, "width": width, "depth": depth}.items():
            if value < 1:
                raise ConfigError(f"inverse_mapping.{name} is {value} but must be at least 1.")
        self.epochs, self.batch_size, self.lr = epochs, batch_size, lr
        self.width, self.depth, self.latent_weight = width, depth, latent_weight
        self.error: ErrorName = error
        self.encoder: ConvEncoder | None = None

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Train the encoder.

        Raises:
            DivergedError: when its loss is not finite.
        """
        assert isinstance(model, Samples)  # noqa: S101 - checked when the config was composed
        _, channels, seq_len = train.__getitems__([0]).x.shape
        latent = model.draw(1, torch.Generator()).shape[1]
        encoder = self._encoder(channels, seq_len, latent).to(device).train()
        optimizer = torch.optim.Adam(encoder.parameters(), lr=self.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs)
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ()).item()))
        with weights_left_alone(model):
            for epoch in range(self.epochs):
                for positions in torch.split(torch.randperm(len(train)), self.batch_size):
                    x = train.__getitems__(positions.tolist()).x.to(device)
                    loss = self._loss(model, encoder, x, generator)
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                schedule.step()
                if not torch.isfinite(loss):
                    raise DivergedError(
                        f"The loss of the inverse mapping is {loss.item()} in epoch {epoch}; lower scorer.lr."
                    )
        self.encoder = encoder.eval()

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        assert isinstance(model, Samples)  # noqa: S101 - checked when the config was composed
        if self.encoder is None:
            raise RuntimeError("the inverse mapping scores before it was fitted")
        return reconstruction_error(x, model.decode(self.encoder(x)), self.error)

    def state(self) -> dict[str, Tensor]:
        """Weights, and the sizes that they were made for."""
        return {} if self.encoder is None else {SIZES: torch.tensor(self.sizes), **self.encoder.state_dict()}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take the weights back."""
        weights = dict(state)
        encoder = self._encoder(*weights.pop(SIZES).tolist())
        encoder.load_state_dict(weights)
        self.encoder = encoder.to(device).eval()

    def _loss(self, model: Samples, encoder: ConvEncoder, x: Tensor, generator: torch.Generator) -> Tensor:
        z = model.draw(len(x), generator)
        with torch.no_grad():
            made = model.decode(z)
        of_made, of_real = encoder(torch.cat([made, x])).split(len(x))
        of_series = reconstruction_error(x, model.decode(of_real), self.error).mean()
        loss: Tensor = of_series + self.latent_weight * (of_made - z).square().mean()
        return loss

    def _encoder(self, channels: int, seq_len: int, latent: int) -> ConvEncoder:
        self.sizes = [channels, seq_len, latent]
        return ConvEncoder(channels, seq_len, latent, self.width, self.depth, "layer")
