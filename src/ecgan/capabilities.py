"""What a model may be able to do; a detector names what it requires, and a model that has the methods has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@runtime_checkable
class Reconstructs(Protocol):
    """A model that maps series to their reconstruction."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""


@runtime_checkable
class Encodes(Protocol):
    """A model that maps series to latent vectors."""

    def encode(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, latent)."""


@runtime_checkable
class Samples(Protocol):
    """A model that generates series from latent vectors."""

    conditional: bool
    """Whether it generates a series of a class that it is told; one that is not ignores ``y``."""

    def draw(self, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
        """Draw latent vectors (n, latent), where the classes (n,) ask for it those of each class."""

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map latent vectors (n, latent) to series (n, C, T)."""

    def sample(self, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
        """Draw series (n, C, T); ``y`` (n,) is the class of each, normal where it is None."""


@runtime_checkable
class FitsLatents(Protocol):
    """A model whose distribution of latent vectors is fitted to encodings, once its weights are known."""

    latents: torch.nn.Module
    """What is fitted; it changes nothing else."""

    def fit_latents(self, train: Any) -> None:
        """Fit it to the encodings of training series, a ``Series``."""


@runtime_checkable
class Discriminates(Protocol):
    """A model with a critic."""

    def discriminate(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,) logits, larger = more like training data."""

    def features(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, F): the critic's last hidden layer."""


@runtime_checkable
class Classifies(Protocol):
    """A model that gives a score per class."""

    def classify(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, n_classes) logits."""
