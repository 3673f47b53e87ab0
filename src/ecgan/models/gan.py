"""GANs that generate from noise, whatever their networks are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ecgan.errors import DataError
from ecgan.evaluate.generation.mmd import class_mmd
from ecgan.models.adversarial import AdversarialModel
from ecgan.types import Batch

COMPARED = 1024
"""Validation series that generated ones are compared with after an epoch; at most twice as many."""


class GAN(AdversarialModel):
    """A generator that maps noise to series, and a critic: samples and discriminates.

    What kind of GAN it is, the networks decide: convolutional (DCGAN, Radford et al. 2016, arXiv:1511.06434), recurrent
    (RGAN, Esteban et al. 2017, arXiv:1706.02633), or one of each. For the arguments see ``AdversarialModel``.

    Nothing is reconstructed, so the weights of the best epoch are those whose series are closest to the validation
    series by maximum mean discrepancy, by class where the model is told the classes.
    """

    _real: tuple[Batch, ...] = ()
    _passed, _stride = 0, 1

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (B, latent) to (B, C, T)."""
        x: Tensor = self.player(z, y)
        return x

    def generate(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Make series from noise, of the classes of the batch."""
        return self.sample(len(batch.x), None, batch.y), {}

    def generator_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """What the game gives the generator."""
        return {"adversarial": self.adversarial.generator(self.critic(fake, batch.y))}

    def validation_step(self, batch: Batch) -> None:
        """Keep real series to compare with."""
        self._keep(batch)

    def test_step(self, batch: Batch) -> None:
        """Keep real series to compare with."""
        self._keep(batch)

    def on_validation_epoch_end(self) -> None:
        """Log the discrepancy as the validation loss.

        Raises:
            DataError: when no class has two different series to compare with.
        """
        self._log_discrepancy("val/loss")
        super().on_validation_epoch_end()

    def on_test_epoch_end(self) -> None:
        """Log the discrepancy as the test loss."""
        self._log_discrepancy("test/loss")
        super().on_test_epoch_end()

    def judged(self, batch: Batch) -> Batch:
        """The series whose classes were trained on: a model that learned several is not judged by one of them."""
        counts = self.spec.class_counts
        if counts is None:
            return super().judged(batch)
        known = torch.tensor(counts, device=batch.y.device)[batch.y] > 0
        return Batch(batch.x[known], batch.y[known], batch.index[known])

    def _keep(self, batch: Batch) -> None:
        """Keep every n-th series of the part, and n grows with it: the first ones may be of one class or patient."""
        kept = self.judged(batch)
        first = -self._passed % self._stride
        self._passed += len(kept.x)
        self._real += (Batch(*(part[first :: self._stride].cpu() for part in kept)),)
        while sum(len(earlier.x) for earlier in self._real) > 2 * COMPARED:
            self._real = (Batch(*(torch.cat(parts)[::2] for parts in zip(*self._real, strict=True))),)
            self._stride *= 2

    def _log_discrepancy(self, name: str) -> None:
        if not self._passed:
            return
        real = Batch(*(torch.cat(parts) for parts in zip(*self._real, strict=True)))
        self._real, self._passed, self._stride = (), 0, 1
        fake = self.sample(len(real.x), torch.Generator().manual_seed(0), real.y.to(self.device))
        label = real.y.numpy() if self.conditional else np.zeros(len(real.y), np.int64)
        value = class_mmd(real.x.numpy(), fake.float().cpu().numpy(), label)
        if np.isnan(value) and torch.isfinite(fake).all():  # undefined, whatever is generated
            if name != self.monitor:
                return
            raise DataError(
                f"{type(self).__name__} is judged by held-out series and needs two different ones of a class; "
                f"there are {len(label)} series of {len(np.unique(label))} classes: use more series or another split."
            )
        self.log_epoch({name: torch.tensor(value, dtype=torch.float32)}, real)
