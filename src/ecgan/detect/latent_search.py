"""Search for the latent vectors whose decoded series are closest to given ones: all series and restarts at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

FIRST, SECOND = 0.9, 0.999
"""Decays of Adam's moments (Kingma and Ba 2015, arXiv:1412.6980)."""
SMALL = 1e-8
COMPACTED = 0.125
"""Share of rows that have to be done before they are taken out, since that copies all others."""


@dataclass(frozen=True)
class Search:
    """How to search.

    Attributes:
        steps: gradient steps at most.
        lr: learning rate of Adam.
        tolerance: a series is done once its error is this small.
        patience: a restart is done after so many steps in a row without a gain of one percent.
    """

    steps: int
    lr: float
    tolerance: float
    patience: int


def search(error: Callable[[Tensor, Tensor], Tensor], start: Tensor, how: Search) -> tuple[Tensor, Tensor]:
    """Minimize each series' own error over its latent vector.

    Every row has its own moments and its own end, so that its result does not depend on the others beside it. Finished
    series leave the batch with all their restarts.

    Args:
        error: maps latent vectors (n, latent) and the numbers (n,) of the series that they are meant for to errors
            (n,), with gradient.
        start: (restarts, B, latent) first vectors.
        how: the settings.

    Returns:
        Best latent vector (B, latent) and error (B,) of each series over all steps and restarts.
    """
    restarts, n, size = start.shape
    z = start.reshape(restarts * n, size).detach()
    best_z, best = z[:n].clone(), torch.full((n,), torch.inf, device=z.device, dtype=z.dtype)
    series = torch.arange(n, device=z.device).repeat(restarts)
    first, second = torch.zeros_like(z), torch.zeros_like(z)
    mark, since = torch.full_like(z[:, 0], torch.inf), torch.zeros_like(series)
    alive = torch.ones_like(series, dtype=torch.bool)
    for step in range(1, how.steps + 1):
        leaf = z.requires_grad_()
        with torch.enable_grad():
            errors = error(leaf, series)
            (gradient,) = torch.autograd.grad(errors.sum(), leaf)
        z, errors = leaf.detach(), errors.detach().nan_to_num(nan=torch.inf, posinf=torch.inf)
        # what is done stays as it was, however long it waits for the others to leave
        _keep_best(best_z, best, z, torch.where(alive, errors, torch.inf), series)
        improved = errors < 0.99 * mark
        mark, since = torch.where(improved, errors, mark), torch.where(improved, 0, since + 1)
        alive &= (since < how.patience) & (best[series] > how.tolerance)
        if not alive.any():
            break
        first.lerp_(gradient, 1 - FIRST)
        second.lerp_(gradient.square(), 1 - SECOND)
        z = z - how.lr * (first / (1 - FIRST**step)) / ((second / (1 - SECOND**step)).sqrt() + SMALL)
        if (~alive).float().mean() >= COMPACTED:
            z, first, second, mark, since, series = (part[alive] for part in (z, first, second, mark, since, series))
            alive = alive[alive]
    return best_z, best


def _keep_best(best_z: Tensor, best: Tensor, z: Tensor, errors: Tensor, series: Tensor) -> None:
    """Write each series' smallest error so far, and its vector, in place."""
    smallest = torch.full_like(best, torch.inf).scatter_reduce_(0, series, errors, "amin")
    # of restarts that are equally good any will do, but the same one every time
    order = torch.arange(len(series), device=series.device)
    row = torch.full((len(best),), len(series), device=series.device)
    winner = torch.where(errors == smallest[series], order, len(series))
    row.scatter_reduce_(0, series, winner, "amin")
    better = (smallest < best).nonzero().squeeze(1)
    best[better] = smallest[better]
    best_z[better] = z[row[better]]
