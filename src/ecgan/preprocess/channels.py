"""Choosing channels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.series import mapped
from ecgan.types import Recordings


class Channels:
    """Keeps some channels by number, in the order given.

    Sources of ECG that name their leads choose them by name, which is safer: leads may change places from record to
    record.

    Args:
        keep: numbers of the channels from 0, each once.
    """

    version: ClassVar[str] = "1"

    def __init__(self, keep: list[int]) -> None:
        if not keep or min(keep) < 0 or len(set(keep)) < len(keep):
            raise ConfigError(f"Channels takes keep=[…], numbers from 0 without repetition, but got {keep}.")
        self.keep = list(keep)

    def __call__(self, recordings: Recordings) -> Recordings:
        """Select the channels.

        Raises:
            DataError: when a series has no such channel.
        """
        x = recordings.x
        fewest = x.shape[1] if isinstance(x, np.ndarray) else min((len(series) for series in x), default=None)
        if fewest is not None and max(self.keep) >= fewest:
            raise DataError(
                f"Channels shall keep number {max(self.keep)}, but a series has only {fewest} channels, counted from "
                "0; correct the numbers in keep."
            )
        return recordings.with_series(mapped(x, lambda stacked: np.take(stacked, self.keep, axis=1)), recordings.fs_hz)
