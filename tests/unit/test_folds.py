"""Splits: disjoint, stratified, pure in patients, seeded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ecgan.data.splits.folds import make_folds
from ecgan.errors import DataError
from ecgan.splitplan import SplitPlan
from ecgan.types import TEST, TRAIN, UNUSED, VAL, Fold, IntArray

few = settings(max_examples=40, deadline=None, derandomize=True)


def parts(fold: Fold) -> tuple[IntArray, IntArray, IntArray]:
    return fold.train, fold.val, fold.test


def same(one: list[Fold], other: list[Fold]) -> bool:
    return len(one) == len(other) and all(
        a.number == b.number and all(np.array_equal(p, q) for p, q in zip(parts(a), parts(b), strict=True))
        for a, b in zip(one, other, strict=True)
    )


@st.composite
def labels(draw: st.DrawFn) -> IntArray:
    """30 to 80 normal series and up to three abnormal classes of 10 to 25, in any order."""
    counts = [draw(st.integers(30, 80)), *draw(st.lists(st.integers(10, 25), max_size=3))]
    order = np.random.default_rng(draw(st.integers(0, 99)))
    return order.permutation(np.repeat(np.arange(len(counts)), counts))


plans = st.builds(
    SplitPlan,
    method=st.sampled_from(["holdout", "kfold"]),
    folds=st.integers(2, 6),
    test=st.sampled_from(["fixed", "rotate"]),
    test_size=st.floats(0.1, 0.4),
    val_size=st.floats(0.1, 0.4),
    abnormal=st.sampled_from(["stratify", "test"]),
    train_on=st.sampled_from(["normal", "all"]),
)


@few
@given(labels(), plans, st.integers(0, 2**40))
def test_every_plan_is_disjoint_in_range_sorted_and_deterministic(label: IntArray, plan: SplitPlan, seed: int) -> None:
    folds = make_folds(label, None, None, plan, seed)
    assert [fold.number for fold in folds] == list(range(plan.folds if plan.method == "kfold" else 1))
    for fold in folds:
        together = np.concatenate(parts(fold))
        assert len(np.unique(together)) == len(together)
        assert together.min() >= 0
        assert together.max() < len(label)
        assert all(part.size and np.all(np.diff(part) > 0) for part in parts(fold))
    assert same(folds, make_folds(label, None, None, plan, seed))


@few
@given(labels(), plans, st.integers(0, 99))
def test_abnormal_series_go_where_the_plan_says(label: IntArray, plan: SplitPlan, seed: int) -> None:
    abnormal = np.flatnonzero(label)
    for fold in make_folds(label, None, None, plan, seed):
        if plan.train_on == "normal":
            assert not label[fold.train].any()
        if plan.abnormal == "test":
            assert np.array_equal(np.intersect1d(fold.test, abnormal), abnormal)
            assert not label[fold.val].any()
        used = np.concatenate(parts(fold))
        unused = np.setdiff1d(np.arange(len(label)), used)
        if plan.train_on == "all" or plan.abnormal == "test":
            assert unused.size == 0
        assert label[unused].all(), "only abnormal series that would have trained may stay unused"


@few
@given(labels(), st.integers(2, 6), st.integers(0, 99))
def test_chunks_of_kfold_are_stratified_within_one_series(label: IntArray, n: int, seed: int) -> None:
    plan = SplitPlan(folds=n, train_on="all")
    for test in ("fixed", "rotate"):
        folds = make_folds(label, None, None, replace(plan, test=test), seed)
        chunks = [fold.val if test == "fixed" else fold.test for fold in folds]
        counts = np.asarray([np.bincount(label[chunk], minlength=label.max() + 1) for chunk in chunks])
        assert np.ptp(counts, axis=0).max() <= 1


@few
@given(labels(), st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.integers(0, 99))
def test_parts_of_holdout_have_their_share_of_each_class(label: IntArray, test: float, val: float, seed: int) -> None:
    plan = SplitPlan(method="holdout", test_size=test, val_size=val, train_on="all")
    (fold,) = make_folds(label, None, None, plan, seed)
    assert len(fold.test) == round(test * len(label))
    assert len(fold.val) == round(val * len(label)), "both sizes are shares of the whole"
    whole = np.bincount(label)
    for part in (fold.test, fold.val):
        expected = whole * len(part) / len(label)
        found = np.bincount(label[part], minlength=len(whole))
        # validation is cut from what the test left over, so each of two roundings may be off by one
        assert np.abs(found - expected).max() < 2


@few
@given(labels(), st.integers(12, 30), plans, st.integers(0, 99))
def test_patients_never_straddle_two_parts(label: IntArray, n_groups: int, plan: SplitPlan, seed: int) -> None:
    group = np.random.default_rng(seed).integers(0, n_groups, len(label)) * 7 + 100
    if plan.abnormal == "test":  # other patients are abnormal than are normal, or it could not be done
        group[label != 0] += 1000
    try:
        folds = make_folds(label, group, None, plan, seed)
    except DataError:
        assume(False)
    for fold in folds:
        train, val, test = (set(group[part]) for part in parts(fold))
        assert len(train | val | test) == len(train) + len(val) + len(test)


@few
@given(labels(), st.integers(2, 6), st.booleans(), st.integers(0, 99))
def test_rotation_tests_every_series_exactly_once(label: IntArray, n: int, grouped: bool, seed: int) -> None:
    group = np.arange(len(label)) // 2 if grouped else None
    folds = make_folds(label, group, None, SplitPlan(folds=n, test="rotate"), seed)
    assert np.array_equal(np.sort(np.concatenate([fold.test for fold in folds])), np.arange(len(label)))


@few
@given(labels(), st.integers(2, 6), st.integers(0, 99))
def test_fixed_test_part_is_the_same_in_all_folds_and_the_rest_validates_once(
    label: IntArray, n: int, seed: int
) -> None:
    folds = make_folds(label, None, None, SplitPlan(folds=n), seed)
    assert all(np.array_equal(fold.test, folds[0].test) for fold in folds)
    validated = np.sort(np.concatenate([fold.val for fold in folds]))
    assert np.array_equal(validated, np.setdiff1d(np.arange(len(label)), folds[0].test))


def toy_labels() -> IntArray:
    return np.random.default_rng(3).permutation(np.repeat([0, 1, 2], [80, 24, 16]))


@pytest.mark.parametrize("method", ["holdout", "kfold"])
def test_another_seed_gives_another_split(method: str) -> None:
    label, plan = toy_labels(), SplitPlan(method=method, folds=3)
    assert not same(make_folds(label, None, None, plan, 0), make_folds(label, None, None, plan, 1))


def test_sizes_may_be_counts() -> None:
    plan = SplitPlan(method="holdout", test_size=30, val_size=20, train_on="all")
    (fold,) = make_folds(toy_labels(), None, None, plan, 0)
    assert [len(part) for part in parts(fold)] == [70, 20, 30]
    (fold,) = make_folds(np.zeros(50, np.int64), None, None, replace(plan, test_size=1.0, val_size=1), 0)
    assert [len(part) for part in parts(fold)] == [48, 1, 1], "1 is one series and not all of them"


def test_tutorial_split_of_ecg5000_has_the_published_sizes() -> None:
    label = np.repeat(np.arange(5), [2919, 1767, 96, 194, 24])
    plan = SplitPlan(method="holdout", abnormal="test", test_size=145, val_size=293)
    (fold,) = make_folds(label, None, None, plan, 0)
    assert (len(fold.train), len(fold.val)) == (2481, 293)
    assert not label[fold.train].any()
    assert not label[fold.val].any()
    assert np.bincount(label[fold.test]).tolist() == [145, 1767, 96, 194, 24]


def test_groups_are_ignored_only_when_asked_for() -> None:
    label = toy_labels()
    group = np.arange(len(label)) // 10
    mixed = make_folds(label, group, None, SplitPlan(folds=3, group=False), 0)
    assert same(mixed, make_folds(label, None, None, SplitPlan(folds=3), 0))
    assert any(set(group[fold.train]) & set(group[fold.test]) for fold in mixed)


@pytest.mark.parametrize(
    ("method", "abnormal"),
    [("holdout", "test"), ("kfold", "test"), ("official", "stratify")],
)
def test_splits_that_would_divide_a_patient_are_refused(method: str, abnormal: str) -> None:
    label = toy_labels()
    group, part = np.arange(len(label)) % 24, np.where(np.arange(len(label)) < 70, TRAIN, TEST)
    plan = SplitPlan(method=method, folds=3, abnormal=abnormal)
    with pytest.raises(DataError, match=r"Patient \d+ would be in two parts of fold 0.*split\.group=false"):
        make_folds(label, group, part, plan, 0)
    assert make_folds(label, group, part, replace(plan, group=False), 0)


def test_official_test_part_is_the_source_s_own() -> None:
    label = toy_labels()
    part = np.where(np.arange(len(label)) < 70, TRAIN, TEST)
    (fold,) = make_folds(label, None, part, SplitPlan(method="official", val_size=0.2, train_on="all"), 0)
    assert np.array_equal(fold.test, np.arange(70, 120))
    assert len(fold.val) == 14, "validation is a share of the official training part"
    assert np.array_equal(np.sort(np.concatenate([fold.train, fold.val])), np.arange(70))


def test_official_validation_part_is_used_where_there_is_one() -> None:
    label = toy_labels()
    part = np.asarray([TRAIN, VAL, TEST])[np.arange(len(label)) % 3]
    (fold,) = make_folds(label, None, part, SplitPlan(method="official"), 0)
    assert np.array_equal(fold.val, np.flatnonzero(part == VAL))
    assert np.array_equal(fold.test, np.flatnonzero(part == TEST))
    assert np.array_equal(fold.train, np.flatnonzero((part == TRAIN) & (label == 0)))


def test_official_leaves_out_what_is_in_no_part() -> None:
    label = toy_labels()
    part = np.repeat([TRAIN, UNUSED, TEST], [70, 10, 40])
    (fold,) = make_folds(label, None, part, SplitPlan(method="official", train_on="all"), 0)
    assert np.array_equal(np.sort(np.concatenate([fold.train, fold.val])), np.flatnonzero(part == TRAIN))
    assert np.array_equal(fold.test, np.flatnonzero(part == TEST))


@pytest.mark.parametrize(("missing", "name"), [(TRAIN, "training"), (TEST, "test")])
def test_official_of_a_subset_that_lacks_a_side_says_so(missing: int, name: str) -> None:
    part = np.where(np.arange(120) < 70, TRAIN, TEST)
    part[part == missing] = UNUSED
    with pytest.raises(DataError, match=f"own division leaves no {name} series"):
        make_folds(toy_labels(), None, part, SplitPlan(method="official"), 0)


def two_sides() -> tuple[IntArray, IntArray, IntArray]:
    """Twelve patients of ten series; those of 100 to 106 train, those of 107 to 111 test, and 103 is on both sides."""
    number = np.arange(120)
    group = 100 + number // 10
    part = np.where(group < 107, TRAIN, TEST)
    part[(group == 103) & (number % 2 == 0)] = TEST
    return toy_labels(), group, part


def test_inter_patient_keeps_the_test_part_and_leaves_shared_patients_out_of_training() -> None:
    label, group, part = two_sides()
    plan = SplitPlan(method="inter_patient", val_size=0.3, train_on="all")
    (fold,) = make_folds(label, group, part, plan, 0)
    assert np.array_equal(fold.test, np.flatnonzero(part == TEST))
    trained, validated = (set(group[indices].tolist()) for indices in (fold.train, fold.val))
    assert trained | validated == {100, 101, 102, 104, 105, 106}
    assert not trained & validated
    assert len(fold.val) == 20, "two of six patients are nearest to 0.3 of their 60 series"


def test_inter_patient_as_published_keeps_them() -> None:
    label, group, part = two_sides()
    plan = SplitPlan(method="inter_patient", train_on="all", group=False)
    (fold,) = make_folds(label, group, part, plan, 0)
    assert np.array_equal(np.sort(np.concatenate([fold.train, fold.val])), np.flatnonzero(part == TRAIN))
    assert np.array_equal(fold.test, np.flatnonzero(part == TEST))
    assert not set(group[fold.train]) & set(group[fold.val]), "validation is by patient all the same"


def test_patients_of_one_series_each_are_no_patients() -> None:
    label, plan = toy_labels(), SplitPlan(folds=3)
    assert same(make_folds(label, np.arange(120) * 3, None, plan, 0), make_folds(label, None, None, plan, 0))


def test_group_kfold_is_kfold_by_patient() -> None:
    label, group, _ = two_sides()
    plan = SplitPlan(method="group_kfold", folds=3)
    folds = make_folds(label, group, None, plan, 0)
    assert same(folds, make_folds(label, group, None, replace(plan, method="kfold"), 0))


def test_the_section_is_the_plan() -> None:
    from ecgan.config import compose, plan_of

    plan = plan_of(compose(["split=inter_patient", "split.group=false", "split.val_size=0.3"]))
    assert (plan.method, plan.group, plan.val_size, plan.path) == ("inter_patient", False, 0.3, None)
