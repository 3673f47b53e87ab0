"""Figures of a finished fold, drawn from the files of its run directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ecgan.capabilities import Reconstructs
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import read_predictions
from ecgan.files import replacing
from ecgan.types import IntArray, Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PER_KIND = 4


class OriginalSeries(Series, Protocol):
    """Series of one part of a fold that can be shown in their original unit."""

    def original(self, index: Tensor) -> Tensor:
        """Series (B, C, T) as they were before the transform."""

    def inverse(self, x: Tensor, index: Tensor) -> Tensor:
        """Undo the transform of reconstructions x of these series."""


def draw_fold(fold: Path, classes: Sequence[str]) -> None:
    """Draw loss curves, and per detector scores, ROC, precision-recall and recall per class.

    Args:
        fold: directory of the fold.
        classes: names of the classes.
    """
    from ecgan.evaluate import plots

    log = fold / "lightning" / "metrics.csv"
    if log.is_file():
        _save(plots.loss_curves(pd.read_csv(log)), fold / "figures" / "loss.png")
    for file in sorted((fold / "detection").glob("*/predictions.csv")):
        name = file.parent.name
        table = read_predictions(file)
        metrics = detection_metrics(table)
        _save(plots.score_histogram(table, classes, name), fold / "figures" / f"{name}_scores.png")
        _save(plots.class_recall_bars(table, classes, name), fold / "figures" / f"{name}_recall.png")
        if table["abnormal"].nunique() > 1:
            curves = plots.ranking_curves(table, metrics["auroc"], metrics["average_precision"], name)
            _save(curves, fold / "figures" / f"{name}_curves.png")


def draw_reconstructions(
    model: torch.nn.Module, test: OriginalSeries, label: IntArray, fold: Path, classes: Sequence[str]
) -> None:
    """Draw the first normal and abnormal test series with their reconstructions, in the original unit.

    Args:
        model: the fitted model; nothing is drawn when it does not reconstruct.
        test: the test part.
        label: class of each series of the test part.
        fold: directory of the fold.
        classes: names of the classes.
    """
    from ecgan.evaluate import plots

    if not isinstance(model, Reconstructs):
        return
    abnormal = label != 0
    chosen = [*np.flatnonzero(~abnormal)[:PER_KIND], *np.flatnonzero(abnormal)[:PER_KIND]]
    batch = test.__getitems__([int(position) for position in chosen])
    model.eval()
    with torch.no_grad():
        x_hat = test.inverse(model.reconstruct(batch.x.to(next(model.parameters()).device)), batch.index)
    x = test.original(batch.index)
    figure = plots.reconstructions(x.numpy(), x_hat.numpy(), batch.y.numpy(), classes)
    _save(figure, fold / "figures" / "reconstruction.png")


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
