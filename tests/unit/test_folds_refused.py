"""Splits that cannot be made, or contradict themselves, say why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ecgan.data.splits.folds import make_folds
from ecgan.errors import ConfigError, DataError
from ecgan.splitplan import SplitPlan
from ecgan.types import TEST, TRAIN, Fold, IntArray


def toy_labels() -> IntArray:
    return np.random.default_rng(3).permutation(np.repeat([0, 1, 2], [80, 24, 16]))


def two_sides() -> tuple[IntArray, IntArray, IntArray]:
    """Twelve patients of ten series; those of 100 to 106 train, those of 107 to 111 test, and 103 is on both sides."""
    number = np.arange(120)
    group = 100 + number // 10
    part = np.where(group < 107, TRAIN, TEST)
    part[(group == 103) & (number % 2 == 0)] = TEST
    return toy_labels(), group, part


@pytest.mark.parametrize(
    ("method", "known", "sentence"),
    [
        ("group_kfold", (), "group_kfold needs patients.*use split=kfold.*dataset=mitbih.*origin=physionet"),
        ("inter_patient", (), "inter_patient needs patients.*dataset=mitbih.*origin=physionet"),
        ("inter_patient", ("part",), "inter_patient needs patients, whom this data set does not tell apart"),
        ("inter_patient", ("group",), "needs a division of the patients by the source, which this data set does not"),
    ],
)
def test_methods_that_need_patients_say_which_data_know_them(
    method: str, known: tuple[str, ...], sentence: str
) -> None:
    label, group, part = two_sides()
    with pytest.raises(ConfigError, match=sentence):
        make_folds(
            label, group if "group" in known else None, part if "part" in known else None, SplitPlan(method=method), 0
        )


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"method": "hodout"}, "split.method is 'hodout' but must be one of holdout, kfold"),
        ({"method": "group_kfold", "group": False}, "split.group=false mixes patients.*use split=kfold"),
        ({"method": "group_kfold", "folds": 1}, "split.folds is 1 but group_kfold needs at least 2"),
        (
            {"method": "official", "abnormal": "test"},
            "split.abnormal=test would change the test part that split=official",
        ),
        ({"method": "holdout", "test_size": 1.5}, "split.test_size is 1.5 but must be a share below 1, or from 1 on a"),
        ({"val_size": 20.1}, "split.val_size is 20.1 but must be a share below 1, or from 1 on a whole number"),
        ({"test_size": float("inf")}, "split.test_size is inf"),
        ({"val_size": float("nan")}, "split.val_size is nan"),
        ({"test_size": -3}, "split.test_size is -3"),
        ({"method": "inter_patient", "abnormal": "test"}, "would change the test part that split=inter_patient"),
    ],
)
def test_plans_that_contradict_themselves_are_refused(plan: dict[str, Any], sentence: str) -> None:
    label, group, part = two_sides()
    with pytest.raises(ConfigError, match=sentence):
        make_folds(label, group, part, SplitPlan(**plan), 0)


def test_official_split_needs_one() -> None:
    with pytest.raises(ConfigError, match="no official split; use split=kfold"):
        make_folds(toy_labels(), None, None, SplitPlan(method="official"), 0)


@pytest.mark.parametrize(
    ("label", "group", "plan", "sentence"),
    [
        ([0, 0, 0] + [1] * 40, None, {"folds": 5, "test": "rotate"}, "3 normal series cannot fill 5 folds"),
        ([0] * 6 + [1] * 60, None, {"folds": 6}, "normal series cannot fill 6 folds; lower split.folds"),
        ([0] * 40 + [1] * 20, [1, 2, 3] * 20, {"folds": 4, "test": "rotate"}, "3 patients cannot fill 4 folds"),
        ([0] * 60, [1, 2] * 30, {"method": "holdout"}, "2 patients cannot be divided into a part of about 12 series"),
        ([0] * 40 + [1], None, {"method": "holdout"}, "A class with 1 series"),
        ([0] * 40, None, {"method": "holdout", "test_size": 40}, "40 series cannot be cut from 40"),
        ([0] * 40, None, {"method": "holdout", "val_size": 0.0}, r"0 series cannot be cut.*split\.val_size"),
        ([1] * 40, None, {"method": "holdout"}, "empty train part"),
    ],
)
def test_impossible_splits_say_why(
    label: list[int], group: list[int] | None, plan: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        make_folds(np.asarray(label), group and np.asarray(group), None, SplitPlan(**plan), 0)


@pytest.mark.parametrize("folds", [1, 0, -3])
def test_kfold_needs_two_folds(folds: int) -> None:
    with pytest.raises(ConfigError, match=rf"split\.folds is {folds} .* use split=holdout"):
        make_folds(toy_labels(), None, None, SplitPlan(folds=folds), 0)


def test_fold_refuses_overlap_range_and_emptiness() -> None:
    one, two, three = (np.asarray([i]) for i in range(3))
    with pytest.raises(DataError, match="uses a series twice"):
        Fold(0, one, two, one)
    with pytest.raises(DataError, match="names a series in test"):
        Fold(0, one, two, three).check(2)
    with pytest.raises(DataError, match="names a series in val"):
        Fold(0, one, np.asarray([-1]), three).check(3)
    with pytest.raises(DataError, match="empty val part"):
        Fold(0, one, two[:0], three).check(3)


@pytest.mark.parametrize(
    "overrides",
    [
        ["split=official", "split.abnormal=test"],
        ["split=inter_patient", "split.abnormal=test"],
        ["split=group_kfold", "split.group=false"],
        ["split=group_kfold", "split.folds=1"],
        ["split=group_kfold", "split.only=[5]"],
        ["split=inter_patient", "split.only=[1]"],
        ["split=from_file"],
        ["split=holdout", "split.test_size=1.5"],
        ["split=holdout", "split.val_size=.inf"],
    ],
    ids=" ".join,
)
def test_contradictions_are_refused_before_there_are_data(overrides: list[str]) -> None:
    from ecgan.config import compose

    with pytest.raises(ConfigError, match="split"):
        compose(overrides)
