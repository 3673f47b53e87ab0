"""Figures of a classifier: pure functions from arrays to matplotlib figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ecgan.types import IntArray

DARK = 0.5
"""Share above which a cell is so dark that its text must be white."""


def confusion(counts: IntArray, classes: Sequence[str]) -> Figure:
    """Confusion matrix: a row per true class, colored by the share of the row, with the counts.

    Args:
        counts: (K, K) series of each true class, a row each, by predicted class, a column each.
        classes: K names.
    """
    size = counts.sum(1, keepdims=True)
    share = np.divide(counts, size, out=np.zeros(counts.shape), where=size > 0)
    side = 2.2 + 0.75 * len(classes)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axis = figure.add_subplot()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        color = "white" if share[row, column] > DARK else "black"
        axis.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=color, fontsize=9)
    axis.set_xticks(range(len(classes)), list(classes), rotation=45, ha="right")
    axis.set_yticks(range(len(classes)), list(classes))
    axis.set(title="series of the test part by class", xlabel="predicted", ylabel="true")
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
    return figure
