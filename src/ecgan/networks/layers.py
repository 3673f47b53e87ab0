"""A chain of layers that can be compiled in place."""

from __future__ import annotations

from torch import Tensor, nn


class Layers(nn.Sequential):
    """Layers one after the other; ``trainer.compile=true`` compiles each such chain.

    The same as ``nn.Sequential``, whose own ``forward`` torch.compile passes over when it is asked to compile in place.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply all layers."""
        for layer in self:
            x = layer(x)
        return x
