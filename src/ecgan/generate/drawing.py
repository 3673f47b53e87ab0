"""Drawing any number of new series from a model, a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ecgan.capabilities import Samples
from ecgan.errors import RunError
from ecgan.generate.writing import Chunk
from ecgan.types import DataSpec, FloatArray

CHUNK_VALUES = 2**18
"""Values that are drawn at once: 1 MB, and what a network makes of it on its way."""
FEWEST, MOST = 16, 512
"""Series that are drawn at once, at least and at most."""


class Inverts(Protocol):
    """What a transform must be able to do here."""

    def inverse(self, x: FloatArray, like: FloatArray | None = None) -> FloatArray:
        """Bring transformed series (B, C, T) back to the original unit."""


def chunk_size(spec: DataSpec) -> int:
    """How many series are drawn at once; it depends on their size alone, so that the numbers drawn do not differ."""
    return max(FEWEST, min(MOST, CHUNK_VALUES // (spec.channels * spec.seq_len)))


def draw_series(
    model: Samples,
    transform: Inverts,
    spec: DataSpec,
    n: int,
    seed: Sequence[int],
    shares: FloatArray | None = None,
) -> Iterator[Chunk]:
    """Draw series in the original unit, in pieces of one size whatever ``n`` is.

    The same seed gives the same series, and the first of many are those of a few: only whole pieces are drawn, and
    what of the last one is too much is thrown away.

    Args:
        model: that draws; in the mode in which it shall draw.
        transform: as it was fitted for the model.
        spec: of the model's series.
        n: how many.
        seed: whole numbers of 0 or more.
        shares: (n_classes,) how frequent each class shall be, for a conditional model; None for another.

    Yields:
        Series (m, C, T) float32, and their classes (m,) int64 or None.

    Raises:
        RunError: when the model draws values that are not finite.
    """
    size = chunk_size(spec)
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
    for start in range(0, n, size):
        y = None if shares is None else torch.multinomial(torch.from_numpy(shares), size, True, generator=generator)
        x = _drawn(model, size, generator, y)[: n - start]
        if not torch.isfinite(x).all():
            raise RunError(
                f"{type(model).__name__} draws values that are not finite; train it again, with a lower "
                "model.optimizer.lr or another transform."
            )
        original = np.ascontiguousarray(transform.inverse(x.numpy()), np.float32)
        yield original, None if y is None else y[: n - start].numpy()


@torch.no_grad()
def _drawn(model: Samples, n: int, generator: torch.Generator, y: Tensor | None) -> Tensor:
    return model.sample(n, generator, y).float().cpu()
