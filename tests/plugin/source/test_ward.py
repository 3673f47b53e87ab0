"""Tiny raw files give the arrays that they hold, and damaged ones are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ecgan_example_source.ward import Ward

from ecgan.errors import DataError
from ecgan.testing import check_source


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "patients.csv").write_text("patient,diagnosis\nanna,healthy\nbert,ill\n")
    (tmp_path / "anna.csv").write_text("0,1,2\n3,4,5\n")
    (tmp_path / "bert.csv").write_text("6,7,8\n")
    return tmp_path


def test_it_passes_the_battery(raw: Path) -> None:
    check_source(lambda: Ward(samples=3), raw)


def test_beats_come_with_class_and_patient(raw: Path) -> None:
    source = Ward(samples=3)
    assert source.found(raw) == ("patients.csv", "anna.csv", "bert.csv")
    first, second = (source.read(raw, piece) for piece in source.pieces(raw))
    np.testing.assert_array_equal(first.x, [[[0, 1, 2]], [[3, 4, 5]]])
    assert (first.y.tolist(), second.y.tolist()) == ([0, 0], [1])
    assert first.group is not None
    assert second.group is not None
    assert (first.group.tolist(), second.group.tolist()) == ([0, 0], [1])


def test_a_missing_file_is_noticed(raw: Path) -> None:
    (raw / "bert.csv").unlink()
    assert Ward(samples=3).found(raw) == ()


@pytest.mark.parametrize(
    ("file", "content"), [("anna.csv", "0,1,2\n3,4\n"), ("patients.csv", "patient,diagnosis\nanna,?\n")]
)
def test_what_is_wrong_is_refused(file: str, content: str, raw: Path) -> None:
    (raw / file).write_text(content)
    source = Ward(samples=3)
    with pytest.raises(DataError, match=file.removesuffix(".csv")):
        source.read(raw, source.pieces(raw)[0])
