"""The series that a reader should look at are the right ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ecgan import figures
from ecgan.evaluate.gallery_plots import Shown, panels
from ecgan.evaluate.predictions import predictions, write_table
from ecgan.types import Batch

CLASSES = ("normal", "fast", "spike")
LABEL = np.array([0] * 6 + [1] * 5 + [2])
SCORE = np.array([0.1, 0.9, 0.2, 0.5, 0.8, 0.3, 0.4, 0.95, 0.6, 0.05, 0.7, 0.99])
THRESHOLD = 0.55


class Constants:
    """A test part whose series of index i is i everywhere, so that a curve tells which one it is."""

    def __len__(self) -> int:
        return len(LABEL)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        raise NotImplementedError

    def original(self, index: Tensor) -> Tensor:
        return index.float()[:, None, None].expand(-1, 2, 8)


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """Figures of a fold with one detector, by the names of their files."""
    found: dict[str, Figure] = {}
    write = figures.write_figure
    monkeypatch.setattr(
        figures, "write_figure", lambda path, figure: found.setdefault(path.stem, figure) and write(path, figure)
    )
    order = np.random.default_rng(0).permutation(len(LABEL))
    table = predictions(100 + order, None, LABEL[order], SCORE[order], THRESHOLD)
    write_table(tmp_path / "detection" / "knn" / "predictions.csv", table)
    figures.draw_gallery(Constants(), tmp_path, CLASSES)  # type: ignore[arg-type]
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"knn_gallery.png", "knn_mistakes.png"}
    return found


def rows(figure: Figure, columns: int = 4) -> list[list[tuple[int, str, str] | None]]:
    """Index, color and title of each panel, None for an empty one."""
    cells = [
        (round(float(axis.get_lines()[0].get_ydata()[0])) - 100, axis.get_lines()[0].get_color(), axis.get_title())  # type: ignore[index]
        if axis.get_lines()
        else None
        for axis in figure.axes
    ]
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]


def test_gallery_shows_both_ends_of_every_class(drawn: dict[str, Figure]) -> None:
    found = [[cell and cell[0] for cell in row] for row in rows(drawn["knn_gallery"])]
    # by score, normal: 0, 2, 5, 3, 4, 1; fast: 9, 6, 8, 10, 7; a class of one series is on the left
    assert found == [[0, 2, 4, 1], [9, 6, 10, 7], [11, None, None, None]]


def test_colors_are_verdicts_and_titles_scores(drawn: dict[str, Figure]) -> None:
    for row in rows(drawn["knn_gallery"]):
        for number, color, title in filter(None, row):
            assert color == ("#d62728" if SCORE[number] > THRESHOLD else "#1f77b4")
            assert title == f"{SCORE[number]:.3g}"


def test_mistakes_are_the_worst_ones_first(drawn: dict[str, Figure]) -> None:
    misses, alarms = rows(drawn["knn_mistakes"])
    assert [cell and (cell[0], cell[2]) for cell in misses] == [(9, "fast, 0.05"), (6, "fast, 0.4"), None, None]
    assert [cell and (cell[0], cell[2]) for cell in alarms] == [(1, "normal, 0.9"), (4, "normal, 0.8"), None, None]
    said = {text.get_text() for text in drawn["knn_mistakes"].texts}
    assert {"misses\n(2)", "false alarms\n(2)"} <= said


def test_a_detector_without_mistakes_has_empty_rows(tmp_path: Path) -> None:
    table = predictions(np.arange(4), None, np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), 0.5)
    write_table(tmp_path / "detection" / "knn" / "predictions.csv", table)
    figures.draw_gallery(Constants(), tmp_path, CLASSES)  # type: ignore[arg-type]
    assert (tmp_path / "figures" / "knn_mistakes.png").read_bytes().startswith(b"\x89PNG")


def test_headings_stand_over_their_columns() -> None:
    shown = Shown(torch.zeros(1, 4).numpy(), "0", alarm=False)
    figure = panels([("a", [shown] * 4)], 4, "title", ("left", "right"))
    places = {text.get_text(): text.get_position()[0] for text in figure.texts}
    first, *_, last = (axis.get_position() for axis in figure.axes)
    assert first.x0 < places["left"] < 0.5 < places["right"] < last.x1


def test_a_class_is_no_formula(tmp_path: Path) -> None:
    shown = Shown(torch.zeros(1, 4).numpy(), "$x_a_b$", alarm=False)
    panels([("$x_a_b$", [shown])], 1, "title").savefig(tmp_path / "a.png")
