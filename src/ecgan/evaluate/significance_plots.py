"""The critical-difference diagram: mean ranks on a line, bars over methods that cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgan.evaluate.significance import cliques
from ecgan.types import FloatArray

LONGEST = 46
"""Characters of a name that are shown."""
BAR, LINE = "#d62728", "#333333"


def critical_difference(
    names: Sequence[str], ranks: FloatArray, corrected: FloatArray, title: str, level: float = 0.05
) -> Figure:
    """Draw mean ranks, the best on the left.

    The layout is Demšar's (2006, figure 1); the bars join methods of which no pair differs by Wilcoxon's test with
    Holm's correction.

    Args:
        names: (M,) of the methods.
        ranks: (M,) mean ranks.
        corrected: (M, M) corrected probabilities.
        title: of the figure.
        level: below which two methods differ.
    """
    order = np.argsort(ranks, kind="stable")
    bars = cliques(ranks, corrected, level)
    per_side = -(-len(order) // 2)
    depth = 0.6 + 0.25 * len(bars)
    figure = Figure(figsize=(9, 1.2 + 0.3 * (per_side + depth)), layout="constrained")
    axis = figure.add_subplot()
    _scale(axis, len(order))
    for position, method in enumerate(order):
        left = position < per_side
        row = position if left else len(order) - 1 - position
        _label(axis, float(ranks[method]), depth + row, names[method], len(order), left)
    for row, (first, last) in enumerate(bars):
        ends = [ranks[order[first]] - 0.03, ranks[order[last]] + 0.03]
        axis.plot(ends, [0.45 + 0.25 * row] * 2, color=BAR, linewidth=3, solid_capstyle="round")
    axis.set_ylim(depth + per_side, -0.8)
    axis.set_title(title, fontsize=10, parse_math=False)
    return figure


def _scale(axis: Axes, n_methods: int) -> None:
    axis.axis("off")
    room = 0.75 * max(n_methods - 1, 1)
    axis.set_xlim(1 - room, n_methods + room)
    axis.plot([1, n_methods], [0, 0], color=LINE, linewidth=1)
    for rank in range(1, n_methods + 1):
        axis.plot([rank, rank], [-0.12, 0], color=LINE, linewidth=1)
        axis.text(rank, -0.2, str(rank), ha="center", va="bottom", fontsize=9)


def _label(axis: Axes, rank: float, depth: float, name: str, n_methods: int, left: bool) -> None:
    """A line from the rank down to the name beside the scale."""
    margin = 0.1 * max(n_methods - 1, 1)
    end = 1 - margin if left else n_methods + margin
    axis.plot([rank, rank, end], [0, depth, depth], color=LINE, linewidth=0.8)
    said = f"{name if len(name) <= LONGEST else name[: LONGEST - 1] + '…'}  {rank:.2f}"
    place = end - margin / 5 if left else end + margin / 5
    # settings stand in names, and two dollar signs would begin a formula
    axis.text(place, depth, said, ha="right" if left else "left", va="center", fontsize=8, parse_math=False)
