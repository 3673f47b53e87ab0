"""Figures of generated series show what they are given, and say what they leave out."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ecgan.evaluate import generation_plots as plots
from ecgan.evaluate.plots import PALETTE
from ecgan.types import FloatArray, IntArray

CLASSES = ("normal", "noise", "other")
LABEL, GENERATED_LABEL = np.array([0, 1, 0, 0, 1, 0, 0, 0]), np.array([1, 2, 0, 2, 2, 0, 2, 2, 2])


def drawn(figure: Figure) -> Figure:
    """Render the figure, so that every warning of the renderer is an error here."""
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=40)
    assert picture.getvalue().startswith(b"\x89PNG")
    return figure


def series(n: int, channels: int = 1, seq_len: int = 20) -> FloatArray:
    return np.random.default_rng(n).normal(size=(n, channels, seq_len))


def half(figure: Figure, which: int, columns: int = 4) -> list[list[Axes]]:
    """The rows of panels of real series, 0, or of generated ones, 1."""
    axes = figure.subfigs[which].axes
    return [axes[start : start + columns] for start in range(0, len(axes), columns)]


def curve(axis: Axes) -> list[float]:
    """The only line of a panel."""
    (line,) = axis.get_lines()
    return np.asarray(line.get_ydata()).tolist()


def texts(figure: Figure) -> str:
    """All titles of a figure."""
    titles = [figure.get_suptitle(), *(sub.get_suptitle() for sub in figure.subfigs)]
    return " | ".join([*titles, *(axis.get_title() for axis in figure.axes)])


def test_real_and_generated_stand_side_by_side_by_class() -> None:
    real, generated = series(8), series(9)
    figure = drawn(plots.side_by_side(real, generated, LABEL, GENERATED_LABEL, CLASSES))
    for which, x, label in ((0, real, LABEL), (1, generated, GENERATED_LABEL)):
        rows = half(figure, which)
        assert len(rows) == 3
        for c, row in enumerate(rows):
            expected = x[label == c][:4, 0].tolist()
            assert [curve(axis) for axis in row if axis.get_lines()] == expected
    assert [row[0].get_ylabel() for row in half(figure, 0)] == list(CLASSES)


def test_a_row_has_one_scale_that_holds_all_of_its_series() -> None:
    real, generated = series(8), 5 * series(9)
    figure = drawn(plots.side_by_side(real, generated, LABEL, GENERATED_LABEL, CLASSES))
    for row in range(3):
        panels = half(figure, 0)[row] + half(figure, 1)[row]
        (limits,) = {axis.get_ylim() for axis in panels}
        shown = np.concatenate([curve(axis) for axis in panels if axis.get_lines()])
        assert limits[0] < shown.min()
        assert shown.max() < limits[1]


def test_without_classes_series_stand_in_the_order_given() -> None:
    real, generated = series(30), series(6)
    figure = drawn(plots.side_by_side(real, generated, np.arange(30) % 3, None, CLASSES))
    for which, x in ((0, real), (1, generated)):
        panels = [axis for row in half(figure, which) for axis in row]
        assert [curve(axis) for axis in panels if axis.get_lines()] == x[:16, 0].tolist()
    assert {row[0].get_ylabel() for row in half(figure, 0)} == {""}


@pytest.mark.parametrize("label", [GENERATED_LABEL, None])
def test_channels_that_are_left_out_are_named(label: IntArray | None) -> None:
    figure = drawn(plots.side_by_side(series(8, 12), series(9, 12), LABEL, label, CLASSES))
    assert texts(figure).count("channel 1 of 12") == 2
    walk = drawn(plots.latent_walk(series(6, 12).reshape(2, 3, 12, 20), np.arange(3)))
    assert "channel 1 of 12" in texts(walk)
    assert "channel 1 of 12" in texts(drawn(plots.interpolation(series(4, 12))))
    assert "channel" not in texts(drawn(plots.interpolation(series(4, 1))))


def test_of_many_classes_the_most_frequent_are_drawn() -> None:
    label = np.repeat(np.arange(11), np.arange(1, 12))
    names = [f"class {c}" for c in range(11)]
    x = series(len(label))
    figure = drawn(plots.side_by_side(x, x, label, label, names))
    assert [row[0].get_ylabel() for row in half(figure, 0)] == names[3:]
    assert "8 most frequent classes" in texts(figure)
    bands = drawn(plots.spread_bands(x, label, x, label, names))
    assert [axis.get_title() for axis in bands.axes] == names[3:]
    assert "8 most frequent classes" in texts(bands)


def test_bands_are_mean_and_quantiles_of_each_class() -> None:
    real, generated = series(8), series(9)
    figure = drawn(plots.spread_bands(real, LABEL, generated, GENERATED_LABEL, CLASSES))
    assert [axis.get_title() for axis in figure.axes] == list(CLASSES)
    for c, axis in enumerate(figure.axes):
        lines = {to_hex(line.get_color()): [] for line in axis.get_lines()}
        for line in axis.get_lines():
            lines[to_hex(line.get_color())].append(np.asarray(line.get_ydata()))
        own = generated[c == GENERATED_LABEL, 0]
        low, high = np.quantile(own, [0.05, 0.95], axis=0)
        assert np.allclose(lines[PALETTE[c]], [low, high, own.mean(0)])
        theirs = real[c == LABEL, 0]
        filled = [part for part in axis.collections if isinstance(part, PolyCollection)]
        assert len(filled) == (len(theirs) > 0)
        if len(theirs):
            assert np.allclose(lines[plots.REAL], [theirs.mean(0)])
            corners = filled[0].get_paths()[0].vertices
            assert np.isclose(corners[:, 1].max(), np.quantile(theirs, 0.95, axis=0).max())
            assert np.isclose(corners[:, 1].min(), np.quantile(theirs, 0.05, axis=0).min())
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]  # type: ignore[union-attr]
    assert legend == ["real (6)", "generated (2)"]


@pytest.mark.parametrize(("channels", "panels"), [(1, 3), (2, 6), (12, 9)])
def test_bands_of_up_to_three_channels(channels: int, panels: int) -> None:
    figure = drawn(plots.spread_bands(series(8, channels), LABEL, series(9, channels), GENERATED_LABEL, CLASSES))
    titles = [axis.get_title() for axis in figure.axes]
    assert len(titles) == panels
    assert titles[-1] == ("other" if channels == 1 else f"other, channel {panels // 3} of {channels}")


def test_bands_without_classes() -> None:
    (axis,) = drawn(plots.spread_bands(series(8), LABEL, series(9), None, CLASSES)).axes
    legend = [text.get_text() for text in axis.get_legend().get_texts()]  # type: ignore[union-attr]
    assert legend == ["real (8)", "generated (9)"]


@pytest.mark.parametrize("dims", [1, 3, 8])
def test_a_walk_has_a_panel_for_each_variable_and_a_line_for_each_value(dims: int) -> None:
    walk = series(dims * 5).reshape(dims, 5, 1, 20)
    figure = drawn(plots.latent_walk(walk, np.linspace(-2, 2, 5), [10 + d for d in range(dims)]))
    panels = figure.axes[:dims]
    assert len(figure.axes) == dims + 1  # the scale of colors
    assert [axis.get_title() for axis in panels] == [f"latent variable {11 + d}" for d in range(dims)]
    for axis, expected in zip(panels, walk, strict=True):
        lines = axis.get_lines()
        assert np.array_equal([line.get_ydata() for line in lines], expected[:, 0])
        assert len({to_hex(line.get_color()) for line in lines}) == 5
    assert len({axis.get_ylim() for axis in panels}) == 1


def test_an_interpolation_shows_all_steps_in_order_and_shape() -> None:
    x = series(5)
    (axis,) = drawn(plots.interpolation(x)).axes
    lines = [np.asarray(line.get_ydata()) for line in axis.get_lines() if len(np.asarray(line.get_ydata())) == 20]
    assert np.allclose(np.diff(lines, axis=1), np.diff(x[:, 0], axis=1))
    assert (np.diff([np.median(line) for line in lines]) < 0).all()  # from top to bottom
    assert [label.get_text() for label in axis.get_yticklabels()] == ["0 %", "25 %", "50 %", "75 %", "100 %"]


def test_scatter_draws_every_point_up_to_a_limit() -> None:
    train, held_out, generated = (np.random.default_rng(n).normal(size=(n, 2)) for n in (2500, 40, 30))
    first, second = drawn(plots.embedding_scatter(train, held_out, generated, "umap")).axes
    for axis, name, points in ((first, "held out", held_out), (second, "generated", generated)):
        background, own = (np.asarray(part.get_offsets()) for part in axis.collections)
        assert np.array_equal(background, train[:2000])
        assert np.array_equal(own, points)
        legend = [text.get_text() for text in axis.get_legend().get_texts()]  # type: ignore[union-attr]
        assert legend == ["training (2,000)", f"{name} ({len(points)})"]
        assert axis.get_xlabel() == "UMAP 1"
    assert (first.get_xlim(), first.get_ylim()) == (second.get_xlim(), second.get_ylim())


def test_series_that_do_not_vary_and_parts_without_series() -> None:
    flat, none = np.ones((4, 1, 20)), np.zeros((0, 1, 20))
    label = np.array([0, 0, 1, 1])
    drawn(plots.side_by_side(flat, flat, label, label, CLASSES))
    drawn(plots.side_by_side(flat, none, label, None, CLASSES))
    drawn(plots.spread_bands(flat, label, none, np.zeros(0, int), CLASSES))
    drawn(plots.interpolation(flat))
    drawn(plots.interpolation(flat[:1]))
    drawn(plots.latent_walk(flat[None], np.zeros(4)))
    drawn(plots.embedding_scatter(np.zeros((3, 2)), np.zeros((0, 2)), np.zeros((1, 2)), "pca"))
