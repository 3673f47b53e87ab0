"""Figures of one fold: pure functions from arrays to matplotlib figures, made to be read in a paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import precision_recall_curve, roc_curve

from ecgan.types import FloatArray, IntArray

NORMAL, ABNORMAL = "#1f77b4", "#d62728"
PALETTE = (NORMAL, ABNORMAL, "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")


def loss_curves(metrics: pd.DataFrame, validation: str = "validation normals") -> Figure:
    """Losses over epochs, one panel for each name that was logged while fitting.

    Args:
        metrics: Lightning's ``metrics.csv``: a column ``epoch`` and one per logged value.
        validation: the series that the validation values are of.
    """
    names = sorted({name.partition("/")[2] for name in metrics.columns if name.startswith("train/")})
    figure, axes = _panels(len(names))
    for axis, name in zip(axes, names, strict=True):
        # the best weights are validated once more after fitting; that row belongs to no epoch of the curve
        trained = metrics["epoch"] <= metrics.loc[metrics[f"train/{name}"].notna(), "epoch"].max()
        for part, color in (("train", NORMAL), ("val", ABNORMAL)):
            column = f"{part}/{name}"
            if column in metrics:
                curve = metrics.loc[trained, ["epoch", column]].dropna().drop_duplicates("epoch", keep="first")
                label = {"train": "training", "val": validation}[part]
                axis.plot(curve["epoch"] + 1, curve[column], color=color, label=label, marker=".")
        axis.set(title=name.replace("_", " "), xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(frameon=False)
    return figure


def score_histogram(predictions: pd.DataFrame, classes: Sequence[str], detector: str) -> Figure:
    """Histogram of test scores by class, with the threshold.

    Args:
        predictions: a table of ``predictions.csv``.
        classes: names of the classes.
        detector: title.
    """
    figure, (axis,) = _panels(1)
    scores = predictions["score"].to_numpy()
    positive = scores[scores > 0]
    logarithmic = len(positive) == len(scores) and scores.max() > 20 * np.median(scores)
    low, high = scores.min(), max(scores.max(), np.nextafter(scores.min(), np.inf))
    bins = np.geomspace(low, high, 60) if logarithmic else np.linspace(low, high, 60)
    for c in sorted(predictions["label"].unique()):
        of_class = predictions.loc[predictions["label"] == c, "score"]
        label = f"{classes[c]} ({len(of_class):,})"
        counts, color = np.histogram(of_class, bins)[0], PALETTE[c % len(PALETTE)]
        # one outline for each class: sixty bars take several times as long to draw
        axis.stairs(counts, bins, fill=True, label=label, color=color, alpha=0.6)
    axis.set_yscale("log")
    threshold = float(predictions["threshold"].iloc[0])
    axis.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.4g}")
    if logarithmic:
        axis.set_xscale("log")
    axis.set(title=f"{detector}: scores of the test part", xlabel="anomaly score", ylabel="series")
    axis.legend(frameon=False, fontsize=8)
    return figure


def ranking_curves(predictions: pd.DataFrame, auroc: float, average_precision: float, detector: str) -> Figure:
    """ROC and precision-recall curve of the test scores, with the chosen threshold as a point."""
    abnormal = predictions["abnormal"].to_numpy()
    score = predictions["score"].to_numpy()
    chosen = predictions["predicted"].to_numpy() == 1
    figure, (roc, pr) = _panels(2)
    false_alarms, hits, _ = roc_curve(abnormal, score)
    roc.plot(false_alarms, hits, color=NORMAL)
    roc.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    sensitivity = chosen[abnormal == 1].mean()
    roc.plot(chosen[abnormal == 0].mean(), sensitivity, "o", color=ABNORMAL, label="threshold")
    roc.set(title=f"{detector}: ROC, area {auroc:.4f}", xlabel="1 - specificity", ylabel="sensitivity")
    precision, recall, _ = precision_recall_curve(abnormal, score)
    pr.plot(recall, precision, color=NORMAL)
    if chosen.any():
        pr.plot(sensitivity, abnormal[chosen].mean(), "o", color=ABNORMAL, label="threshold")
    pr.axhline(abnormal.mean(), color="grey", linewidth=0.8, linestyle=":", label="guessing")
    title = f"{detector}: precision-recall, average precision {average_precision:.4f}"
    pr.set(title=title, xlabel="sensitivity (recall)", ylabel="precision", ylim=(0, 1.03))
    for axis in (roc, pr):
        axis.title.set_fontsize(10)
        axis.legend(frameon=False, loc="lower right" if axis is roc else "lower left")
    return figure


def class_recall_bars(predictions: pd.DataFrame, classes: Sequence[str], detector: str) -> Figure:
    """Share of each class that is predicted as it should be, with counts."""
    figure, (axis,) = _panels(1)
    present = sorted(predictions["label"].unique())
    for row, c in enumerate(present):
        of_class = predictions[predictions["label"] == c]
        right = int((of_class["predicted"] == of_class["abnormal"]).sum())
        share = right / len(of_class)
        axis.barh(row, share, color=PALETTE[c % len(PALETTE)], alpha=0.8)
        axis.text(1.02, row, f"{right:,} of {len(of_class):,}", va="center")
    axis.set_yticks(range(len(present)), [classes[c] for c in present])
    axis.invert_yaxis()
    axis.set(title=f"{detector}: series predicted as they should be", xlim=(0, 1.3), xlabel="recall of the class")
    axis.set_xticks(np.linspace(0, 1, 6))
    return figure


def reconstructions(x: FloatArray, x_hat: FloatArray, label: IntArray, classes: Sequence[str]) -> Figure:
    """Reconstructions over their originals, one column of panels for normal and one for abnormal series.

    Args:
        x: (N, C, T) originals; the first channel is drawn.
        x_hat: (N, C, T) reconstructions.
        label: (N,) classes.
        classes: names of the classes.
    """
    columns = [np.flatnonzero(label == 0)[:4], np.flatnonzero(label != 0)[:4]]
    rows = max(1, *(len(column) for column in columns))
    figure = Figure(figsize=(9, 1.8 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, 2, sharex=True, squeeze=False)
    for which, column in enumerate(columns):
        for row in range(rows):
            axis: Axes = grid[row, which]
            if row >= len(column):
                axis.set_visible(False)
                continue
            series = column[row]
            axis.plot(x[series, 0], color="black", linewidth=1, label="original")
            axis.plot(x_hat[series, 0], color=ABNORMAL if which else NORMAL, linewidth=1, label="reconstruction")
            axis.fill_between(range(x.shape[-1]), x[series, 0], x_hat[series, 0], color="grey", alpha=0.3, linewidth=0)
            axis.set_title(classes[label[series]], fontsize=9)
            if row == 0:
                axis.legend(frameon=False, fontsize=8)
    for axis in grid[-1]:
        axis.set_xlabel("sample")
    return figure


def _panels(n: int) -> tuple[Figure, list[Axes]]:
    n = max(n, 1)
    figure = Figure(figsize=(5.2 * n if n > 1 else 7, 3.6), layout="constrained")
    axes = [figure.add_subplot(1, n, i + 1) for i in range(n)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes
