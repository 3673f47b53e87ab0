"""What networks are made of."""

from __future__ import annotations

from torch import Tensor, nn

from ecgan.errors import ConfigError


class Layers(nn.Sequential):
    """Layers one after the other; ``trainer.compile=true`` compiles each such chain.

    The same as ``nn.Sequential``, whose own ``forward`` torch.compile passes over when it is asked to compile in place.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply all layers."""
        for layer in self:
            x = layer(x)
        return x


def at_least_one(**sizes: int) -> None:
    """Refuse a network without layers or units.

    Raises:
        ConfigError: naming the first size below 1.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ConfigError(f"The network's {name} is {size} but must be at least 1.")
