"""Series to look at: the least and the most anomalous of each class, misses and false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgan.types import FloatArray

NORMAL, ABNORMAL = "#1f77b4", "#d62728"


@dataclass(frozen=True)
class Shown:
    """A series that is drawn.

    Attributes:
        x: (C, T) in the original unit; the first channel is drawn.
        title: above it.
        alarm: whether it is called abnormal.
    """

    x: FloatArray
    title: str
    alarm: bool


def panels(
    rows: Sequence[tuple[str, Sequence[Shown | None]]], columns: int, title: str, groups: Sequence[str] = ()
) -> Figure:
    """A row of panels for each name, blue where the series passes and red where it is called abnormal.

    Args:
        rows: names, and the series of each; None stands for an empty panel.
        columns: panels of a row.
        title: of the figure.
        groups: headings over equal shares of the columns.
    """
    height = 0.95 + 1.3 * len(rows)
    figure = Figure(figsize=(9, height))
    figure.subplots_adjust(left=0.14, right=0.99, bottom=0.3 / height, top=1 - 0.8 / height, hspace=0.45, wspace=0.2)
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=True)
    for (name, series), axes in zip(rows, grid, strict=True):
        for column, axis in enumerate(axes):
            _panel(axis, series[column] if column < len(series) else None)
        box = axes[0].get_position()
        figure.text(0.01, (box.y0 + box.y1) / 2, name, va="center", fontsize=9, wrap=True, parse_math=False)
    for number, heading in enumerate(groups):
        share = columns // len(groups)
        left, right = (grid[0, number * share + end].get_position() for end in (0, share - 1))
        figure.text((left.x0 + right.x1) / 2, 1 - 0.5 / height, heading, ha="center", fontsize=9)
    figure.suptitle(title, fontsize=11, y=1 - 0.12 / height)
    return figure


def _panel(axis: Axes, shown: Shown | None) -> None:
    if shown is None:
        axis.axis("off")
        return
    axis.plot(shown.x[0], color=ABNORMAL if shown.alarm else NORMAL, linewidth=1)
    axis.set_title(shown.title, fontsize=8, pad=2, parse_math=False)
    axis.tick_params(labelsize=6, length=2, pad=1)
    axis.locator_params(nbins=3)
    axis.spines[["top", "right"]].set_visible(False)
