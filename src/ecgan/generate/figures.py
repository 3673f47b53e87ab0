"""Figures of what a model generates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ecgan.capabilities import Samples
from ecgan.files import write_figure
from ecgan.types import Batch

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule

WALKED, STEPS = 8, 9
"""Latent variables that are walked along, and steps of a walk or of the way between two series."""


def draw_generation(
    held_out: Batch,
    fake: Batch,
    classes: Sequence[str],
    folder: Path,
    name: str,
    labelled: bool,
    model: LightningModule | None = None,
    train: Batch | None = None,
) -> None:
    """Draw real and generated series side by side; with a model, everything else that is worth seeing.

    Args:
        held_out: real series that the model has not seen.
        fake: generated ones.
        classes: names of the classes.
        folder: where the figures go.
        name: what their names begin with.
        labelled: whether the classes of the generated series mean something.
        model: the model, for what its latent variables do, or None.
        train: training series, for the plane in which all are shown; needed with a model.
    """
    from ecgan.evaluate import generation_plots as plots

    label = fake.y.numpy() if labelled else None
    real = (held_out.x.numpy(), held_out.y.numpy())
    figure = plots.side_by_side(real[0], fake.x.numpy(), real[1], label, classes)
    write_figure(folder / f"{name}.png", figure)
    if model is None or train is None:
        return
    write_figure(
        folder / f"{name}_spread.png",
        plots.spread_bands(*real, fake.x.numpy(), label, classes),
    )
    walk, values, dims = latent_walk(model)
    write_figure(folder / f"{name}_latent_walk.png", plots.latent_walk(walk.numpy(), values.numpy(), dims))
    write_figure(folder / f"{name}_interpolation.png", plots.interpolation(between_two(model).numpy()))
    _draw_plane(train, held_out, fake, folder / f"{name}_embedding.png")


@torch.no_grad()
def latent_walk(model: LightningModule) -> tuple[Tensor, Tensor, list[int]]:
    """Series (D, S, C, T) along the latent variables that vary most, values in deviations (S,), numbers of these."""
    assert isinstance(model, Samples)  # noqa: S101 - callers look
    z = model.draw(1000, torch.Generator().manual_seed(0))
    spread = z.std(0)
    dims = spread.argsort(descending=True)[:WALKED].tolist()
    values = torch.linspace(-2, 2, STEPS)
    vectors = z.mean(0).repeat(len(dims), STEPS, 1)
    for row, dim in enumerate(dims):
        vectors[row, :, dim] += values.to(z) * spread[dim]
    series = model.decode(vectors.flatten(0, 1)).float().cpu()
    return series.reshape(len(dims), STEPS, *series.shape[1:]), values, dims


@torch.no_grad()
def between_two(model: LightningModule) -> Tensor:
    """Series (S, C, T) decoded at equal steps between two latent vectors."""
    assert isinstance(model, Samples)  # noqa: S101 - callers look
    first, last = model.draw(2, torch.Generator().manual_seed(0))
    share = torch.linspace(0, 1, STEPS, device=first.device).unsqueeze(1)
    series: Tensor = model.decode(torch.lerp(first, last, share)).float().cpu()
    return series


def _draw_plane(train: Batch, held_out: Batch, fake: Batch, path: Path) -> None:
    from ecgan.evaluate import generation_plots as plots
    from ecgan.evaluate.embed import project

    sets = [np.asarray(part.x) for part in (train, held_out, fake)]
    if min(len(x) for x in sets) < 3 or sets[0][0].size < 2:  # noqa: PLR2004 - they span no plane
        return
    points, others = project(sets[0], sets[1:], "pca")
    write_figure(path, plots.embedding_scatter(points, others[0], others[1], "pca"))
