"""Who trains, who validates, who tests: disjoint, seeded, and by patient where patients are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ecgan.data.splits.cuts import Splitter, Triple
from ecgan.data.splits.splits_file import folds_for, located
from ecgan.errors import ConfigError, DataError
from ecgan.splitplan import PRESCRIBED, SplitPlan
from ecgan.types import TEST, TRAIN, VAL, BoolArray, Fold, IntArray


def make_folds(
    label: IntArray, group: IntArray | None, part: IntArray | None, plan: SplitPlan, seed: int
) -> list[Fold]:
    """Make the folds of a data set.

    Args:
        label: (N,) class of each series, 0 is normal.
        group: (N,) patient of each series, or None. Patients never straddle two parts unless ``plan.group`` is false.
        part: (N,) the source's own partition, needed by ``official`` and ``inter_patient``.
        plan: the method and its settings.
        seed: makes the split reproducible, independently of any other random number.

    Returns:
        Folds with sorted indices. With ``train_on=normal`` the training parts hold normal series only, and the
        abnormal series that would have trained stay unused.

    Raises:
        ConfigError: when the plan contradicts itself, or asks for patients or a partition that are not known.
        DataError: when the data set cannot be split that way.
    """
    plan.check()
    _refuse_unknown(group, part, plan)
    label = np.asarray(label, np.int64)  # the same folds whatever the width of the integers
    if plan.method == "from_file":
        folds = folds_for(located(str(plan.path)), label, group)
    else:
        made = enumerate(_triples(label, group, part, plan, seed))
        folds = [_fold(number, triple, label, plan) for number, triple in made]
    for fold in folds:
        _refuse_leaks(fold, label, group if plan.group else None, plan)
    return folds


def on_both_sides(group: IntArray, part: IntArray) -> BoolArray:
    """(N,) true for the training and validation series of patients whom the source's own partition tests too."""
    training = (part == TRAIN) | (part == VAL)
    return np.asarray(training & np.isin(group, np.unique(group[part == TEST])))


def shared_patients(fold: Fold, group: IntArray) -> IntArray:
    """Patients with series in more than one part of a fold."""
    patients = np.concatenate([np.unique(group[indices]) for indices in (fold.train, fold.val, fold.test)])
    known, counts = np.unique(patients, return_counts=True)
    return np.asarray(known[counts > 1])


def _refuse_unknown(group: IntArray | None, part: IntArray | None, plan: SplitPlan) -> None:
    if plan.method == "official" and part is None:
        raise ConfigError("This data set has no official split; use split=kfold or split=holdout.")
    if plan.method == "group_kfold" and group is None:
        raise ConfigError(
            "split=group_kfold needs patients, whom this data set does not tell apart; use split=kfold, or data that "
            "do, such as dataset=mitbih, or dataset.origin=physionet for heartbeats cut from it."
        )
    if plan.method == "inter_patient" and (group is None or part is None):
        lacks = "whom this data set does not tell apart" if group is None else "which this data set does not have"
        needs = "patients" if group is None else "a division of the patients by the source"
        raise ConfigError(
            f"split=inter_patient needs {needs}, {lacks}; use dataset=mitbih, or dataset.origin=physionet for "
            "heartbeats cut from it, or another split."
        )


def _triples(
    label: IntArray, group: IntArray | None, part: IntArray | None, plan: SplitPlan, seed: int
) -> Iterator[Triple]:
    """Train, val and test of each fold, before ``train_on`` is looked at."""
    everyone = np.arange(len(label))
    by_patient = plan.group or plan.method == "inter_patient"
    splitter = Splitter(label, group if by_patient else None, plan, seed)
    if plan.method in PRESCRIBED:
        assert part is not None  # noqa: S101 - refused above
        pool = everyone
        if plan.method == "inter_patient" and plan.group and group is not None:
            pool = everyone[~on_both_sides(group, part)]
        yield _prescribed(splitter, part, pool)
        return
    # all abnormal series may be asked to test: then the normal ones alone are split
    pool = everyone[label == 0] if plan.abnormal == "test" else everyone
    moved = everyone[label != 0] if plan.abnormal == "test" else everyone[:0]
    for train, val, test in splitter.holdout(pool) if plan.method == "holdout" else splitter.kfold(pool):
        yield train, val, np.concatenate([test, moved])


def _prescribed(splitter: Splitter, part: IntArray, pool: IntArray) -> Triple:
    """The source's own partition; validation is cut off the training part where the source has none."""
    train, val, test = (pool[part[pool] == which] for which in (TRAIN, VAL, TEST))
    for name, indices in (("training", train), ("test", test)):
        if not indices.size:
            raise DataError(
                f"The data set's own division leaves no {name} series here; complete its raw files, or use split=kfold."
            )
    if val.size:
        return train, val, test
    return (*splitter.cut(train, splitter.plan.val_size, len(train), 1), test)


def _fold(number: int, triple: Triple, label: IntArray, plan: SplitPlan) -> Fold:
    train, val, test = triple
    if plan.train_on == "normal":
        train = train[label[train] == 0]
    return Fold(number, np.sort(train), np.sort(val), np.sort(test)).check(len(label))


def _refuse_leaks(fold: Fold, label: IntArray, group: IntArray | None, plan: SplitPlan) -> None:
    for name, indices in (("training", fold.train), ("validation", fold.val)):
        if label[indices].all():
            raise DataError(f"The {name} part of fold {fold.number} has no normal series; change split or split.seed.")
    if plan.train_on == "normal" and label[fold.train].any():  # only a file can bring that about
        raise DataError(f"Fold {fold.number} trains on abnormal series; set split.train_on=all to allow that.")
    shared = shared_patients(fold, group) if group is not None else np.empty(0)
    if shared.size:
        raise DataError(
            f"Patient {shared[0]} would be in two parts of fold {fold.number}, as split.abnormal=test, "
            "split=official and split=from_file can bring about; use split.abnormal=stratify, split=inter_patient, "
            "which leaves such patients out of training, or split.group=false to mix patients, which the results then "
            "say."
        )
