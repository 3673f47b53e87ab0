"""LSTM autoencoder."""

from __future__ import annotations

from ecgan.losses import ErrorName
from ecgan.models.base import OptimizerFactory, ReconstructionModel
from ecgan.networks.recurrent import LSTMAutoencoderNet
from ecgan.types import DataSpec


class LSTMAutoencoder(ReconstructionModel):
    """Two-layer LSTM encoder and decoder over patches of samples: reconstructs and encodes.

    Args:
        spec: what may be known about the data.
        optimizer: makes the optimizer from the parameters.
        latent: size of the latent vector; the wide layers have twice as many units.
        patch: samples folded into one LSTM step.
        error: ``l1`` or ``l2``.

    Source: see ``LSTMAutoencoderNet``.
    """

    def __init__(
        self,
        spec: DataSpec,
        optimizer: OptimizerFactory,
        latent: int = 64,
        patch: int = 10,
        error: ErrorName = "l1",
    ) -> None:
        super().__init__(LSTMAutoencoderNet(spec.channels, spec.seq_len, latent, patch), error, optimizer)
