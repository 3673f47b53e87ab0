"""predictions.csv: exact, sorted, and refused when it is not whole."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.errors import RunError
from ecgan.evaluate.predictions import COLUMNS, predictions, read_predictions, write_table


def table(group: bool = True) -> pd.DataFrame:
    """Four series in no order."""
    who = np.array([7, 7, 9, 8]) if group else None
    return predictions(np.array([30, 2, 11, 5]), who, np.array([0, 2, 0, 1]), np.array([0.1, 0.9, 0.5, 0.7]), 0.5)


def test_rows_are_sorted_by_index_and_keep_together() -> None:
    found = table()
    assert tuple(found.columns) == COLUMNS
    assert found["index"].tolist() == [2, 5, 11, 30]
    assert found["group"].tolist() == [7, 8, 9, 7]
    assert found["label"].tolist() == [2, 1, 0, 0]
    assert found["abnormal"].tolist() == [1, 1, 0, 0]
    assert found["score"].tolist() == [0.9, 0.7, 0.5, 0.1]
    assert found["threshold"].tolist() == [0.5] * 4


def test_only_scores_above_the_threshold_are_predicted_abnormal() -> None:
    assert table()["predicted"].tolist() == [1, 1, 0, 0]  # 0.5 is not above 0.5


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20), st.floats(-1e9, 1e9))
def test_numbers_survive_the_file_to_the_last_bit(scores: list[float], threshold: float) -> None:
    n = len(scores)
    written = predictions(np.arange(n), None, np.zeros(n, np.int64), np.array(scores), threshold)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        write_table(path, written)
        pd.testing.assert_frame_equal(read_predictions(path), written, check_exact=True)


def test_text_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "predictions.csv"
    write_table(path, table())
    lines = path.read_bytes().decode().split("\n")
    assert lines[0] == "index,group,label,abnormal,score,threshold,predicted"
    assert lines[1] == "2,7,2,1,0.9,0.5,1"
    assert lines[-1] == ""
    assert [file.name for file in path.parent.iterdir()] == ["predictions.csv"]


def test_unknown_patients_leave_the_column_empty(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_table(path, table(group=False))
    assert path.read_text(encoding="utf-8").splitlines()[1] == "2,,2,1,0.9,0.5,1"
    assert read_predictions(path)["group"].isna().all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        ("", "cannot be read"),
        ("index,score\n1,0.5\n", "has the columns"),
        ("index,group,label,abnormal,score,threshold,predicted\n2,7,2,1,0.9,0.5,1\n5,8,1,1", "cannot be read"),
        ("index,group,label,abnormal,score,threshold,predicted\n2,7,2,1,high,0.5,1\n", "cannot be read"),
    ],
    ids=["missing", "empty", "other columns", "cut off", "no number"],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "predictions.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=reason):
        read_predictions(path)
