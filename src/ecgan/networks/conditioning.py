"""Telling a network the class of a series."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def with_class(x: Tensor, y: Tensor | None, n_classes: int) -> Tensor:
    """Append the class as a one-hot code, to each vector once or to a series as channels that are constant over time.

    Args:
        x: (B, F) vectors or (B, C, T) series.
        y: (B,) classes; None for the normal class. Fewer than B are repeated, so that real and generated series of
            the same classes can be judged in one batch.
        n_classes: number of classes, 0 for a network that is not told: ``x`` is returned as it is.

    Returns:
        (B, F + n_classes) or (B, C + n_classes, T).

    Source: Esteban et al. (2017), Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs,
    arXiv:1706.02633.
    """
    if not n_classes:
        return x
    y = torch.zeros(1, dtype=torch.int64, device=x.device) if y is None else y
    code = F.one_hot(y.repeat(len(x) // len(y)), n_classes).to(x.dtype)
    return torch.cat([x, code if x.ndim == 2 else code.unsqueeze(2).expand(-1, -1, x.shape[2])], 1)  # noqa: PLR2004
