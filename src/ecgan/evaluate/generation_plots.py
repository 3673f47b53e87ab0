"""Figures of generated series beside real ones: pure functions from arrays to matplotlib figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ecgan.evaluate.plots import ABNORMAL, NORMAL, PALETTE
from ecgan.types import FloatArray, IntArray

REAL = "#404040"
SIDE, ROWS = 4, 4
"""Series in a row of each origin, and rows of series that have no class."""
MOST_CLASSES, MOST_CHANNELS, MOST_POINTS = 8, 3, 2000
"""What one figure can show of each."""
COLORS = LinearSegmentedColormap.from_list("walk", colormaps["viridis"](np.linspace(0, 0.88, 64)))
"""Without the brightest end, which cannot be seen as a line on white."""


class Group(NamedTuple):
    """A class in one row or panel: its name and color, and which real and generated series are of it."""

    name: str
    color: str
    real: IntArray
    generated: IntArray


def side_by_side(
    real: FloatArray,
    generated: FloatArray,
    real_label: IntArray,
    generated_label: IntArray | None,
    classes: Sequence[str],
) -> Figure:
    """The first real and generated series of each class in a row of panels with one scale; the first channel is drawn.

    Args:
        real: (N, C, T).
        generated: (M, C, T).
        real_label: (N,) classes.
        generated_label: (M,) classes, None where the model does not tell them apart.
        classes: names of the classes.
    """
    rows = _groups(real_label, generated_label, len(generated), classes)
    of_classes = _of_classes(rows, classes)
    if generated_label is None:
        (group,) = rows
        cuts = [slice(SIDE * row, SIDE * (row + 1)) for row in range(ROWS)]
        rows = [group._replace(real=group.real[cut], generated=group.generated[cut]) for cut in cuts]
        rows = [row for row in rows if len(row.real) or len(row.generated)] or [group]
    figure = Figure(figsize=(12, 1.15 * len(rows) + 0.9), layout="constrained")
    halves = figure.subfigures(1, 2, squeeze=False, wspace=0.04)[0]
    origins = (("real", real, [row.real for row in rows]), ("generated", generated, [row.generated for row in rows]))
    for half, (title, x, chosen) in zip(halves, origins, strict=True):
        half.suptitle(title + _first_channel(real) + of_classes, fontsize=11)
        half.supxlabel("sample", fontsize=9)
        grid = half.subplots(len(rows), SIDE, sharex=True, sharey="row", squeeze=False)
        for axes, row, indices in zip(grid, rows, chosen, strict=True):
            both = np.concatenate([real[row.real[:SIDE], 0].ravel(), generated[row.generated[:SIDE], 0].ravel()])
            axes[0].set_ylim(*_limits(both))
            _draw_row(axes, x[indices[:SIDE], 0], REAL if title == "real" else row.color)
            if title == "real" and generated_label is not None:
                axes[0].set_ylabel(row.name, fontsize=8)
    return figure


def spread_bands(
    real: FloatArray,
    real_label: IntArray,
    generated: FloatArray,
    generated_label: IntArray | None,
    classes: Sequence[str],
) -> Figure:
    """Mean of each class and the band that holds 90 % of its values at each sample, real and generated.

    A column for each of the first three channels; where there is but one, classes stand side by side.

    Args:
        real: (N, C, T).
        real_label: (N,) classes.
        generated: (M, C, T).
        generated_label: (M,) classes, None where the model does not tell them apart.
        classes: names of the classes.
    """
    groups = _groups(real_label, generated_label, len(generated), classes)
    channels = min(real.shape[1], MOST_CHANNELS)
    panels = [(group, channel) for group in groups for channel in range(channels)]
    columns = channels if channels > 1 else min(len(groups), MOST_CHANNELS)
    figure, axes = _grid(len(panels), columns, (4.2 if columns > 1 else 7, 2.9))
    for axis, (group, channel) in zip(axes, panels, strict=True):
        _draw_band(axis, real[group.real, channel], "real", REAL, filled=True)
        _draw_band(axis, generated[group.generated, channel], "generated", group.color, filled=False)
        title = group.name if real.shape[1] == 1 else f"{group.name}, channel {channel + 1} of {real.shape[1]}"
        axis.set_title(title, fontsize=10)
        axis.legend(frameon=False, fontsize=8)
    figure.suptitle(f"mean, and the band with 90 % of the values{_of_classes(groups, classes)}", fontsize=11)
    return figure


def latent_walk(series: FloatArray, values: FloatArray, dims: Sequence[int] | None = None) -> Figure:
    """What each latent variable does: a panel for each, with a line for each of its values; the first channel is drawn.

    Args:
        series: (D, S, C, T) decoded from latent vectors in which only variable d changes.
        values: (S,) of that variable, in its standard deviations.
        dims: (D,) numbers of the variables, from 0 on by default.
    """
    numbers = range(len(series)) if dims is None else dims
    figure, axes = _grid(len(series), min(len(series), 4), (3.1 if len(series) > 1 else 7, 2.3))
    scale = Normalize(float(np.min(values)), float(np.max(values)))
    for axis, walk, number in zip(axes, series, numbers, strict=True):
        for x, value in zip(walk, values, strict=True):
            axis.plot(x[0], color=COLORS(scale(value)), linewidth=1.1)
        axis.set_title(f"latent variable {number + 1}", fontsize=9)
        axis.set_ylim(*_limits(series[:, :, 0]))
    figure.colorbar(ScalarMappable(scale, COLORS), ax=axes, label="standard deviations", shrink=0.8, aspect=30)
    figure.suptitle(f"one latent variable changed, the others kept{_first_channel(series)}", fontsize=11)
    return figure


def interpolation(series: FloatArray) -> Figure:
    """The way from one generated series to another, from top to bottom; the first channel is drawn.

    Args:
        series: (S, C, T) decoded at equal steps between two latent vectors.
    """
    steps = len(series)
    x = series[:, 0]
    figure = Figure(figsize=(7, 0.42 * steps + 1.6), layout="constrained")
    axis = figure.add_subplot()
    apart = 0.55 * float(np.ptp(x, axis=1).max()) or 1.0
    shares = np.linspace(0, 1, steps)
    for step, share in enumerate(shares):
        axis.axhline(-apart * step, color="0.9", linewidth=0.6, zorder=0)
        ends = step in (0, steps - 1)
        level = x[step] - np.median(x[step]) - apart * step
        axis.plot(level, color=COLORS(share), linewidth=1.8 if ends else 1.1)
    axis.set_yticks(-apart * np.arange(steps), [f"{100 * share:.3g} %" for share in shares])
    axis.set(xlabel="sample", ylabel="way from the first to the last", xlim=(0, x.shape[1] - 1))
    axis.set_title(f"interpolation between two generated series{_first_channel(series)}", fontsize=11)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(left=False)
    return figure


def embedding_scatter(train: FloatArray, held_out: FloatArray, generated: FloatArray, method: str) -> Figure:
    """Held-out and generated series over the training series, in the plane of ``ecgan.evaluate.embed.project``.

    The left panel shows what the right one would look like if generated series were real. At most 2,000 points of each
    kind are drawn, the first of those given.

    Args:
        train: (N, 2), on which the plane was fitted.
        held_out: (n, 2) real series that the model has not seen.
        generated: (M, 2).
        method: ``pca`` or ``umap``.
    """
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes: Sequence[Axes] = figure.subplots(1, 2, sharex=True, sharey=True)
    named = (("held out", held_out, NORMAL), ("generated", generated, ABNORMAL))
    for axis, (name, points, color) in zip(axes, named, strict=True):
        for shown, label, paint, size in ((train, "training", "0.72", 9), (points, name, color, 7)):
            part = shown[:MOST_POINTS]
            axis.scatter(
                part[:, 0], part[:, 1], size, color=paint, alpha=0.6, linewidths=0, label=f"{label} ({len(part):,})"
            )
        axis.set_title(f"{name} series over the training series", fontsize=10)
        axis.set(xlabel=f"{method.upper()} 1", xticks=[], yticks=[])
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8, markerscale=2)
    axes[0].set_ylabel(f"{method.upper()} 2")
    return figure


def _groups(
    real_label: IntArray, generated_label: IntArray | None, generated: int, classes: Sequence[str]
) -> list[Group]:
    """The classes that there are, the most frequent ones where they are too many; one group where no class is told."""
    if generated_label is None:
        return [Group("all series", NORMAL, np.arange(len(real_label)), np.arange(generated))]
    counts = np.bincount(np.concatenate([real_label, generated_label]), minlength=len(classes))
    frequent = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    return [
        Group(
            classes[c], PALETTE[c % len(PALETTE)], np.flatnonzero(real_label == c), np.flatnonzero(generated_label == c)
        )
        for c in sorted(frequent[counts[frequent] > 0])
    ]


def _of_classes(shown: Sequence[Group], classes: Sequence[str]) -> str:
    """Says that not all classes are drawn, where there were too many."""
    return f", {MOST_CLASSES} most frequent classes" if len(shown) == MOST_CLASSES < len(classes) else ""


def _draw_band(axis: Axes, x: FloatArray, name: str, color: str, filled: bool) -> None:
    """Draw mean and band of series (n, T): filled, or as lines that leave a filled one visible below."""
    if not len(x):
        return
    low, high = np.quantile(x, (0.05, 0.95), axis=0)
    if filled:
        axis.fill_between(range(x.shape[1]), low, high, color=color, alpha=0.2, linewidth=0)
    else:
        axis.plot(np.stack([low, high], axis=1), color=color, linewidth=0.9)
    style = "-" if filled else "--"
    axis.plot(x.mean(axis=0), color=color, linewidth=1.7, linestyle=style, label=f"{name} ({len(x):,})")


def _draw_row(axes: Sequence[Axes], x: FloatArray, color: str) -> None:
    """Draw series (n, T) into as many panels, and nothing into those that are left over."""
    for position, axis in enumerate(axes):
        if position < len(x):
            axis.plot(x[position], color=color, linewidth=1)
        axis.spines[["top", "right", "left", "bottom"]].set_visible(False)
        axis.tick_params(length=0, labelsize=7, labelleft=position == 0)
        axis.grid(color="0.92", linewidth=0.6)
        axis.xaxis.set_major_locator(MaxNLocator(2, integer=True))
        axis.yaxis.set_major_locator(MaxNLocator(3))


def _grid(n: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Panels of this size in inches, ``columns`` in a row, with the time axis named where nothing stands below."""
    rows = -(-n // columns)
    figure = Figure(figsize=(size[0] * columns + 0.4, size[1] * rows + 0.4), layout="constrained")
    axes = [figure.add_subplot(rows, columns, number + 1) for number in range(n)]
    for number, axis in enumerate(axes):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        if number + columns >= n:
            axis.set_xlabel("sample", fontsize=9)
    return figure, axes


def _limits(values: FloatArray) -> tuple[float, float]:
    """Limits of an axis with some room above and below."""
    if not values.size:
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _first_channel(x: FloatArray) -> str:
    """Says that not all channels are drawn, where that is so; x is (…, C, T)."""
    return "" if x.shape[-2] == 1 else f", channel 1 of {x.shape[-2]}"
