"""LSTM autoencoder."""

from __future__ import annotations

from ecgan.losses import ErrorName
from ecgan.models.base import OptimizerFactory, ReconstructionModel, SchedulerFactory
from ecgan.networks.recurrent import LSTMAutoencoderNet
from ecgan.types import DataSpec


class LSTMAutoencoder(ReconstructionModel):
    """Two-layer LSTM encoder and decoder over patches of samples: reconstructs and encodes.

    Args:
        spec: what may be known about the data.
        optimizer: makes the optimizer from the parameters.
        scheduler: makes the learning rate schedule, None for a constant rate.
        latent: size of the latent vector; the wide layers have twice as many units.
        patch: samples folded into one LSTM step.
        error: ``l1`` or ``l2``.

    Source: see ``LSTMAutoencoderNet``.
    """

    def __init__(
        self,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        latent: int = 64,
        patch: int = 10,
        error: ErrorName = "l1",
    ) -> None:
        network = LSTMAutoencoderNet(spec.channels, spec.seq_len, latent, patch)
        super().__init__(network, error, optimizer, scheduler)
