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
from ecgan.evaluate.class_predictions import probabilities, read_class_predictions
from ecgan.evaluate.classification import confusion_matrix
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import read_predictions
from ecgan.files import write_figure
from ecgan.types import IntArray, Series

if TYPE_CHECKING:
    from ecgan.evaluate.gallery_plots import Shown

PER_KIND = 4
EXTREMES = 2
"""Series of each class that are drawn from either end of the scores."""


class OriginalSeries(Series, Protocol):
    """Series of one part of a fold that can be shown in their original unit."""

    def original(self, index: Tensor) -> Tensor:
        """Series (B, C, T) as they were before the transform."""

    def inverse(self, x: Tensor, index: Tensor) -> Tensor:
        """Undo the transform of reconstructions x of these series."""


def draw_fold(fold: Path, classes: Sequence[str]) -> None:
    """Draw loss curves, a classifier's confusions, and per detector scores, ROC, precision-recall, recall per class.

    Args:
        fold: directory of the fold.
        classes: names of the classes.
    """
    from ecgan.evaluate import plots

    log, classified = fold / "lightning" / "metrics.csv", fold / "classification" / "predictions.csv"
    if log.is_file():
        part = "validation" if classified.is_file() else "validation normals"
        write_figure(fold / "figures" / "loss.png", plots.loss_curves(pd.read_csv(log), part))
    if classified.is_file():
        _draw_confusion(classified, classes, fold / "figures" / "confusion.png")
    for file in sorted((fold / "detection").glob("*/predictions.csv")):
        name = file.parent.name
        table = read_predictions(file)
        metrics = detection_metrics(table)
        write_figure(fold / "figures" / f"{name}_scores.png", plots.score_histogram(table, classes, name))
        write_figure(fold / "figures" / f"{name}_recall.png", plots.class_recall_bars(table, classes, name))
        if table["abnormal"].nunique() > 1:
            curves = plots.ranking_curves(table, metrics["auroc"], metrics["average_precision"], name)
            write_figure(fold / "figures" / f"{name}_curves.png", curves)


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
    write_figure(fold / "figures" / "reconstruction.png", figure)


def draw_gallery(test: OriginalSeries, fold: Path, classes: Sequence[str]) -> None:
    """Draw, per detector, the least and the most anomalous test series of each class, misses and false alarms.

    Args:
        test: the test part, in the original unit.
        fold: directory of the fold.
        classes: names of the classes.
    """
    for file in sorted((fold / "detection").glob("*/predictions.csv")):
        name, table = file.parent.name, read_predictions(file).sort_values(["score", "index"])
        rows = []
        for c, of_class in table.groupby("label"):
            least, most = of_class.head(EXTREMES), of_class.iloc[EXTREMES:].tail(EXTREMES)
            empty = [None] * (EXTREMES - len(least))
            rows.append(
                (f"{classes[int(str(c))]}\n({len(of_class):,})", [*_shown(least, test), *empty, *_shown(most, test)])
            )
        title = f"{name}: test series by score (blue passes, red is called abnormal)"
        _draw_panels(fold / "figures" / f"{name}_gallery.png", rows, title, ("least anomalous", "most anomalous"))
        wrong = table[table["predicted"] != table["abnormal"]]
        misses, alarms = wrong[wrong["abnormal"] == 1], wrong[wrong["abnormal"] == 0].iloc[::-1]
        rows = [
            (f"{what}\n({len(found):,})", _shown(found.head(2 * EXTREMES), test, classes))
            for what, found in (("misses", misses), ("false alarms", alarms))
        ]
        _draw_panels(fold / "figures" / f"{name}_mistakes.png", rows, f"{name}: the worst misses and false alarms")


def _shown(chosen: pd.DataFrame, test: OriginalSeries, classes: Sequence[str] = ()) -> list[Shown | None]:
    """Series of some rows of predictions with their scores, and with their classes where these are given."""
    from ecgan.evaluate.gallery_plots import Shown

    if chosen.empty:
        return []
    x = test.original(torch.tensor(chosen["index"].tolist())).numpy()
    labels, scores, alarms = (chosen[key].tolist() for key in ("label", "score", "predicted"))
    names = [f"{classes[c]}, " if classes else "" for c in labels]
    return [Shown(x[i], f"{names[i]}{scores[i]:.3g}", bool(alarms[i])) for i in range(len(x))]


def _draw_panels(
    path: Path, rows: Sequence[tuple[str, list[Shown | None]]], title: str, groups: tuple[str, ...] = ()
) -> None:
    from ecgan.evaluate.gallery_plots import panels

    write_figure(path, panels(rows, 2 * EXTREMES, title, groups))


def _draw_confusion(file: Path, classes: Sequence[str], path: Path) -> None:
    from ecgan.evaluate import classification_plots

    table = read_class_predictions(file)
    n_classes = probabilities(table).shape[1]
    names = classes if len(classes) == n_classes else ("normal", "abnormal")  # data.labels=binary
    counts = confusion_matrix(table["label"].to_numpy(), table["predicted"].to_numpy(), n_classes)
    write_figure(path, classification_plots.confusion(counts, names))
