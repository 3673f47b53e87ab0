"""What a reader of results must know about the split, in words and counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ecgan.data.splits.folds import on_both_sides
from ecgan.data.splits.splits_file import located, told_by
from ecgan.splitplan import CROSS_VALIDATION, PRESCRIBED, SplitPlan
from ecgan.types import UNUSED, Fold, IntArray

PAIRS = ("training and validation", "training and test", "validation and test")
NAMED = 5
"""Patients that are named at most where some are left out."""


def protocol_of(
    folds: Sequence[Fold],
    label: IntArray,
    group: IntArray | None,
    part: IntArray | None,
    plan: SplitPlan,
    partition: str = "",
    grouping: str = "patient",
) -> dict[str, Any]:
    """Describe how the folds were made.

    Args:
        folds: all of them.
        label: (N,) class of each series, 0 is normal.
        group: (N,) patient of each series, or None.
        part: (N,) the source's own partition, or None.
        plan: what they were made with.
        partition: name of that partition, may be empty.
        grouping: what a group is.

    Returns:
        ``description`` in words, ``grouping``, ``groups_known``, ``groups_kept_apart`` (in fact and not by intention),
        ``groups_mixed_between``: the pairs of parts that share groups in any fold, and ``left_out``: the number of
        series that no fold uses, by reason. Abnormal series that do not train are not counted there. Of folds from a
        file, description and ``left_out`` are what the file says.

    Raises:
        RunError: when the folds are those of a file that cannot be read.
    """
    mixed = [] if group is None else _mixed(folds, group)
    if plan.method == "from_file":
        words, left_out = _of_file(str(plan.path))
    else:
        words, left_out = _made(folds, group, part, plan, partition, grouping), _left_out(group, part, plan)
    return {
        "description": "; ".join([*words, _trained(folds, label)]),
        "grouping": grouping if group is not None else "",
        "groups_known": group is not None,
        "groups_kept_apart": group is not None and not mixed,
        "groups_mixed_between": mixed,
        "left_out": left_out,
    }


def _mixed(folds: Sequence[Fold], group: IntArray) -> list[str]:
    """Pairs of parts that share groups in any fold, such as ``training and test``."""
    shared: set[str] = set()
    for fold in folds:
        known = [np.unique(group[indices]) for indices in (fold.train, fold.val, fold.test)]
        for pair, (one, other) in zip(PAIRS, combinations(known, 2), strict=True):
            if np.isin(one, other).any():
                shared.add(pair)
    return [pair for pair in PAIRS if pair in shared]


def _made(
    folds: Sequence[Fold],
    group: IntArray | None,
    part: IntArray | None,
    plan: SplitPlan,
    partition: str,
    grouping: str,
) -> list[str]:
    """How the plan divides the data."""
    own = partition or "the source's own partition"
    evenly = f", by {grouping}, stratified" if group is not None and plan.group else ", stratified"
    said = {"holdout": f"one hold-out{evenly}", "official": own, "inter_patient": f"{own}, by {grouping}"}
    words = [said.get(plan.method, f"{plan.folds}-fold cross-validation{evenly}")]
    if plan.method in CROSS_VALIDATION:
        words.append("one test part for all folds" if plan.test == "fixed" else "each fold tests its own part")
    if plan.method == "inter_patient" and not plan.group and group is not None and part is not None:
        words += _staying(folds, group, part)
    if plan.abnormal == "test":
        words.append("all abnormal series in the test part")
    return words


def _staying(folds: Sequence[Fold], group: IntArray, part: IntArray) -> list[str]:
    """Who is on both sides of the source's own partition; they may validate only."""
    patients = np.unique(group[on_both_sides(group, part)])
    if not patients.size:
        return []
    train = all(np.isin(patients, group[fold.train]).all() for fold in folds)
    return [f"{_named(patients)} {'both trained on' if train else 'on the training side'} and tested"]


def _of_file(path: str) -> tuple[list[str], dict[str, int]]:
    """What a file says of its folds, but for what they train on."""
    description, left_out = told_by(located(path))
    words = "; ".join(said for said in description.split("; ") if not said.startswith("trained on "))
    return [f"the folds of {Path(path).name}" + (f": {words}" if words else "")], left_out


def _trained(folds: Sequence[Fold], label: IntArray) -> str:
    """What the folds train on, in fact."""
    trained = [np.unique(label[fold.train]) for fold in folds]
    if not any(kinds.any() for kinds in trained):
        return "trained on normal series only"
    everything = len(np.unique(label))
    if all(len(kinds) == everything for kinds in trained):
        return "trained on all classes"
    return "trained on normal and abnormal series, but not on all classes in each fold"


def _left_out(group: IntArray | None, part: IntArray | None, plan: SplitPlan) -> dict[str, int]:
    if plan.method not in PRESCRIBED or part is None:
        return {}
    left_out = {"in no part of the source's own partition": int(np.count_nonzero(part == UNUSED))}
    if plan.method == "inter_patient" and plan.group and group is not None:
        both = on_both_sides(group, part)
        reason = f"of the training side, from {_named(np.unique(group[both]))} also tested"
        left_out[reason] = int(np.count_nonzero(both))
    return {reason: count for reason, count in left_out.items() if count}


def _named(patients: IntArray) -> str:
    names = ", ".join(map(str, patients[:NAMED].tolist())) + (", …" if len(patients) > NAMED else "")
    return f"1 patient ({names}) who is" if len(patients) == 1 else f"{len(patients)} patients ({names}) who are"
