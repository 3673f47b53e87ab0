"""Where latent vectors are drawn from."""

from __future__ import annotations

import math
import warnings
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ecgan.types import FloatArray, IntArray

Distribution = Literal["normal", "truncated_normal", "uniform", "encoder"]

BOUND = 2.0
"""Of the truncated normal."""
PER_VALUE = 4
"""Encodings per component and latent value, at least, so that a covariance can be told from noise."""


class Latent(nn.Module):
    """A distribution over latent vectors.

    ``normal`` is the standard normal, ``truncated_normal`` the same within [-2, 2], ``uniform`` lies in [-1, 1), and
    ``encoder`` is a mixture of normals that is fitted to the encodings of training series after the training (before
    that it is the standard normal). Its numbers are buffers, so they are stored with the weights.

    Args:
        size: values of a latent vector.
        distribution: which.
        groups: number of mixtures: one for each class of a conditional model.
        components: normals of a mixture, at most.

    Source of ``encoder``: Ghosh et al. (2020), From Variational to Deterministic Autoencoders, arXiv:1903.12436.
    """

    share: Tensor
    mean: Tensor
    factor: Tensor

    def __init__(self, size: int, distribution: Distribution, groups: int = 1, components: int = 10) -> None:
        super().__init__()
        self.size, self.distribution = size, distribution
        if distribution == "encoder":
            share = torch.zeros(groups, components)
            share[:, 0] = 1.0
            self.register_buffer("share", share)
            self.register_buffer("mean", torch.zeros(groups, components, size))
            self.register_buffer("factor", torch.eye(size).expand(groups, components, -1, -1).clone())

    @property
    def fitted(self) -> bool:
        """Whether the distribution has to be fitted to encodings."""
        return self.distribution == "encoder"

    def draw(self, n: int, generator: torch.Generator | None, device: torch.device, y: Tensor | None = None) -> Tensor:
        """Draw (n, size).

        Args:
            n: how many.
            generator: of random numbers, on the CPU, so that all devices get the same; None for torch's own.
            device: where the vectors are wanted.
            y: (n,) class of each; None for the first group throughout.
        """
        if self.distribution == "uniform":
            z = torch.rand(n, self.size, generator=generator) * 2 - 1
        elif self.distribution == "truncated_normal":
            outside = (1 - math.erf(BOUND / math.sqrt(2))) / 2  # on one side
            share = outside + torch.rand(n, self.size, generator=generator) * (1 - 2 * outside)
            z = torch.special.ndtri(share).clamp(-BOUND, BOUND)
        else:
            z = torch.randn(n, self.size, generator=generator)
        return self._of_mixture(z, generator, y).to(device) if self.fitted else z.to(device)

    def fit(self, z: FloatArray, y: IntArray) -> None:
        """Fit the mixtures.

        Args:
            z: (N, size) encodings of training series.
            y: (N,) group of each. A group with a single encoding, or none, keeps the standard normal.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        z = z.astype(np.float64)
        for group in np.unique(y):
            own = z[y == group]
            if len(own) < 2:  # noqa: PLR2004 - one point has no spread
                continue
            k = int(np.clip(len(own) // (PER_VALUE * self.size), 1, self.share.shape[1]))
            floor = max(1e-3 * float(own.var(0).mean()), 1e-12)
            with warnings.catch_warnings():
                # a rough fit will do, and of encodings that are all alike there are fewer clusters than asked for
                warnings.simplefilter("ignore", ConvergenceWarning)
                mixture = GaussianMixture(k, reg_covar=floor, random_state=0, max_iter=50, tol=1e-2).fit(own)
            factor = np.linalg.cholesky(mixture.covariances_)
            self.share[group] = 0.0
            for buffer, values in ((self.share, mixture.weights_), (self.mean, mixture.means_), (self.factor, factor)):
                buffer[group, :k] = torch.from_numpy(values).to(buffer)

    def _of_mixture(self, noise: Tensor, generator: torch.Generator | None, y: Tensor | None) -> Tensor:
        group = torch.zeros(len(noise), dtype=torch.int64) if y is None else y.cpu()
        share, mean, factor = self.share.cpu(), self.mean.cpu(), self.factor.cpu()
        cumulated = share.cumsum(1)[group]
        chosen = (torch.rand(len(noise), 1, generator=generator) * cumulated[:, -1:] > cumulated).sum(1)
        z = torch.empty_like(noise)
        for number in torch.unique(group * share.shape[1] + chosen).tolist():
            which = divmod(number, share.shape[1])
            rows = (group == which[0]) & (chosen == which[1])
            z[rows] = mean[which] + noise[rows] @ factor[which].T
        return z
