"""Figures show what the tables say."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ecgan.evaluate import classification_plots, plots
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import predictions

CLASSES = ("normal", "noise", "other")


def drawn(figure: Figure) -> Figure:
    """Render the figure, so that every warning of the renderer is an error here."""
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=40)
    assert picture.getvalue().startswith(b"\x89PNG")
    return figure


def table(label: list[int], score: list[float], threshold: float) -> pd.DataFrame:
    return predictions(np.arange(len(label)), None, np.array(label), np.array(score), threshold)


MIXED = table([0, 0, 0, 0, 1, 1, 2], [0.1, 0.2, 0.3, 0.8, 0.5, 0.9, 0.7], 0.6)


def test_loss_curves_end_with_the_training() -> None:
    # the last row is the validation of the best weights after fitting; it belongs to no epoch
    log = pd.DataFrame(
        {
            "epoch": [0, 0, 1, 1, 2],
            "train/loss": [np.nan, 4.0, np.nan, 3.0, np.nan],
            "train/critic_bce": [np.nan, 1.0, np.nan, 0.5, np.nan],
            "val/loss": [5.0, np.nan, 6.0, np.nan, 5.0],
        }
    )
    axes = drawn(plots.loss_curves(log)).axes
    assert [axis.get_title() for axis in axes] == ["critic bce", "loss"]
    curves = {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in axes[1].get_lines()}
    assert curves == {"training": [[1, 4], [2, 3]], "validation normals": [[1, 5], [2, 6]]}


def test_histogram_counts_every_series_and_marks_the_threshold() -> None:
    (axis,) = drawn(plots.score_histogram(MIXED, CLASSES, "knn")).axes
    counted = sum(patch.get_data().values.sum() for patch in axis.patches)  # type: ignore[attr-defined]
    assert counted == len(MIXED)
    assert [line.get_xdata()[0] for line in axis.get_lines()] == [0.6]  # type: ignore[index]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]  # type: ignore[union-attr]
    assert {"normal (4)", "noise (2)", "other (1)", "threshold 0.6"} == set(labels)


@pytest.mark.parametrize(
    "scores",
    [[0.5] * 7, [0.0] * 7, [-1.0, -2, -3, -4, -5, -6, -7], [1e-6, 1e-6, 1e-5, 1.0, 1e-6, 1e-6, 50.0]],
    ids=["constant", "zero", "negative", "far apart"],
)
def test_histogram_takes_any_scores(scores: list[float]) -> None:
    (axis,) = drawn(plots.score_histogram(table([0, 0, 0, 0, 1, 1, 2], scores, scores[0]), CLASSES, "knn")).axes
    assert sum(patch.get_data().values.sum() for patch in axis.patches) == 7  # type: ignore[attr-defined]


def test_ranking_curves_pass_through_the_chosen_threshold() -> None:
    metrics = detection_metrics(MIXED)
    figure = plots.ranking_curves(MIXED, metrics["auroc"], metrics["average_precision"], "knn")
    roc, pr = drawn(figure).axes
    assert f"{metrics['auroc']:.4f}" in roc.get_title()
    assert f"{metrics['average_precision']:.4f}" in pr.get_title()
    points = [np.asarray(axis.get_lines()[which].get_xydata())[0] for axis, which in ((roc, 2), (pr, 1))]
    assert points[0].tolist() == pytest.approx([1 - metrics["specificity"], metrics["sensitivity"]])
    assert points[1].tolist() == pytest.approx([metrics["sensitivity"], metrics["precision"]])


def test_ranking_curves_without_an_alarm() -> None:
    silent = table([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], 9.0)
    _, pr = drawn(plots.ranking_curves(silent, 0.75, 0.75, "knn")).axes
    assert [text.get_text() for text in pr.get_legend().get_texts()] == ["guessing"]  # type: ignore[union-attr]


def test_recall_bars_are_the_recalls() -> None:
    (axis,) = drawn(plots.class_recall_bars(MIXED, CLASSES, "knn")).axes
    metrics = detection_metrics(MIXED)
    widths = [patch.get_width() for patch in axis.patches]  # type: ignore[attr-defined]
    assert widths == pytest.approx([metrics[f"recall_class_{c}"] for c in range(3)])
    assert [text.get_text() for text in axis.texts] == ["3 of 4", "1 of 2", "1 of 1"]
    assert [text.get_text() for text in axis.get_yticklabels()] == list(CLASSES)


def test_recall_bars_leave_out_classes_that_were_not_tested() -> None:
    (axis,) = drawn(plots.class_recall_bars(table([0, 2], [0.1, 0.9], 0.5), CLASSES, "knn")).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["normal", "other"]


@pytest.mark.parametrize("label", [[0, 0, 1], [0, 0, 0], [1, 2, 1], [0] * 6 + [1]])
def test_reconstructions_over_their_originals(label: list[int]) -> None:
    rng = np.random.default_rng(0)
    x, x_hat = rng.normal(size=(2, len(label), 2, 20))
    figure = drawn(plots.reconstructions(x, x_hat, np.array(label), CLASSES))
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(shown) == min(4, label.count(0)) + min(4, sum(c > 0 for c in label))
    first = shown[0].get_lines()
    which = label.index(0) if 0 in label else 0
    assert np.array_equal(first[0].get_ydata(), x[which, 0])
    assert np.array_equal(first[1].get_ydata(), x_hat[which, 0])


def test_confusions_stand_in_their_cells_colored_by_the_share_of_the_row() -> None:
    counts = np.array([[1200, 300, 0], [1, 3, 0], [0, 0, 0]])
    axis, *_ = drawn(classification_plots.confusion(counts, CLASSES)).axes
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axis.texts}
    assert cells == {(i, j): f"{counts[i, j]:,}" for i, j in np.ndindex(3, 3)}
    shares = np.asarray(axis.images[0].get_array())
    assert shares.tolist() == [[0.8, 0.2, 0], [0.25, 0.75, 0], [0, 0, 0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(CLASSES)


def test_validation_is_called_what_it_is() -> None:
    log = pd.DataFrame({"epoch": [0, 0], "train/loss": [np.nan, 4.0], "val/loss": [5.0, np.nan]})
    (axis,) = drawn(plots.loss_curves(log, "validation")).axes
    assert [line.get_label() for line in axis.get_lines()] == ["training", "validation"]
