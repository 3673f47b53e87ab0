"""What a store says about what was read, left out and missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgan.data.building import describe_subset
from ecgan.data.source import BaseSource
from ecgan.data.store import prepare
from ecgan.errors import DataError
from ecgan.preprocess.window import Window
from ecgan.types import Recordings, Step


class Records(BaseSource):
    """Eight records of ten series each; series 3 of a record is abnormal."""

    name = "records"
    classes = ("normal", "odd")
    partition = "made up"

    def __init__(self, expected: Mapping[str, int] | None = None, note: str = "") -> None:
        self.expected, self.note = expected or {}, note

    def pieces(self, raw: Path) -> Sequence[str]:
        return [f"r{i}" for i in range(8)]

    def read(self, raw: Path, piece: Any) -> Recordings:
        number = int(piece[1:])
        x = np.random.default_rng(number).normal(size=(10, 2, 30))
        y = (np.arange(10) == 3).astype(np.int64)
        part = np.full(10, number % 3)
        return Recordings(x, y, 100.0, "mV", group=np.full(10, number), part=part, dropped={"too short": number % 2})


class Refusing:
    """Leaves out what is above a level."""

    version = "1"

    def __init__(self, level: float) -> None:
        self.level = level

    def __call__(self, recordings: Recordings) -> Recordings:
        return recordings.keep(np.asarray(recordings.x).max(axis=(1, 2)) <= self.level, f"above {self.level}")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("workers", [2, 3])
def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path, workers: int) -> None:
    steps: list[Step] = [Refusing(2.5)]
    alone = prepare(Records(), steps, tmp_path, tmp_path / "one", {}, 1).directory
    together = prepare(Records(), steps, tmp_path, tmp_path / "many", {}, workers).directory
    assert contents(alone) == contents(together)
    assert len(contents(alone)["data.npy"]) > 1000


def test_what_was_left_out_and_why_is_counted_over_source_and_steps(tmp_path: Path) -> None:
    store = prepare(Records(), [Refusing(2.5), Refusing(2.0)], tmp_path, tmp_path / "store", {})
    dropped = store.manifest["dropped"]
    assert dropped["too short"] == 4
    assert dropped["above 2.5"] > 0
    assert dropped["above 2.0"] > 0
    assert sum(dropped.values()) - 4 + len(store) == 80
    assert float(store.data.max()) <= 2
    assert sum(store.manifest["counts"].values()) == len(store)


def test_a_piece_of_which_nothing_is_left_does_not_end_the_build(tmp_path: Path) -> None:
    class WithoutTheFirst(Records):
        def read(self, raw: Path, piece: Any) -> Recordings:
            whole = super().read(raw, piece)
            return whole.keep(np.full(10, piece != "r0"), "first") if piece != "r1" else replace(whole, dropped={})

    store = prepare(WithoutTheFirst(), [Refusing(99)], tmp_path, tmp_path / "store", {})
    assert len(store) == 70
    assert store.manifest["dropped"]["first"] == 10


def test_nothing_left_is_refused_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no usable series .*above -9: 80.*change those settings"):
        prepare(Records(), [Refusing(-9)], tmp_path, tmp_path / "store", {})


class Ungrouped(Records):
    """The same without patients."""

    def read(self, raw: Path, piece: Any) -> Recordings:
        return replace(super().read(raw, piece), group=None)


@pytest.mark.parametrize("workers", [1, 2])
def test_windows_of_one_series_are_one_group_where_patients_are_not_known(tmp_path: Path, workers: int) -> None:
    steps: list[Step] = [Refusing(2.5), Window(10, 5)]
    store = prepare(Ungrouped(), steps, tmp_path, tmp_path / "cut", {}, workers)
    whole = prepare(Ungrouped(), steps[:1], tmp_path, tmp_path / "whole", {})
    assert (whole.group, whole.manifest["grouping"]) == (None, "")
    assert store.group is not None
    assert store.manifest["grouping"] == "series"
    assert len(store) == 5 * len(whole)
    # the windows of a group follow each other and are those of one series
    assert np.array_equal(np.unique(store.group, return_counts=True)[1], np.full(len(whole), 5))
    assert np.all(np.diff(store.group) >= 0)
    assert np.array_equal(store.data[::5, :, :10], whole.data[:, :, :10])
    grouped = prepare(Records(), steps, tmp_path, tmp_path / "grouped", {})
    assert grouped.manifest["grouping"] == "patient"
    assert set(np.asarray(grouped.group)) == set(range(8))


def test_partition_of_the_source_has_its_name(tmp_path: Path) -> None:
    store = prepare(Records(), [], tmp_path, tmp_path / "store", {})
    assert store.manifest["partition"] == "made up"
    assert store.part is not None


def test_a_subset_is_told_in_the_manifest_whatever_the_steps_leave_out(tmp_path: Path) -> None:
    whole = prepare(Records({"normal": 72, "odd": 8}), [Refusing(2.0)], tmp_path, tmp_path / "whole", {})
    assert whole.manifest["note"] == ""
    part = prepare(Records({"normal": 720, "odd": 8}, "remember this"), [], tmp_path, tmp_path / "part", {})
    assert part.manifest["note"] == "a subset: 80 of 728 series (normal 72 of 720); remember this"
    records = prepare(Records({"records": 48}), [], tmp_path, tmp_path / "records", {})
    assert records.manifest["note"] == "a subset: 8 of 48 records"


@pytest.mark.parametrize(
    ("expected", "found", "sentence"),
    [
        ({}, {"a": 3}, ""),
        ({"a": 3, "b": 4}, {"a": 3, "b": 4, "records": 2}, ""),
        ({"records": 10}, {"records": 12, "a": 1}, "12 records, not 10"),
        ({"a": 3, "b": 1400}, {"a": 3, "b": 7}, "a subset: 10 of 1,403 series (b 7 of 1,400)"),
        ({"a": 3, "b": 4}, {"a": 9, "b": 1}, "not the known set: a 9 of 3, b 1 of 4 series"),
        ({"a": 3}, {}, "a subset: 0 of 3 series (a 0 of 3)"),
    ],
)
def test_words_for_what_is_missing(expected: dict[str, int], found: dict[str, int], sentence: str) -> None:
    assert describe_subset(expected, found) == sentence
