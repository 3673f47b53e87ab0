"""What a reader of results must know about the split, in words and counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecgan.data.splits.folds import on_both_sides, shared_patients
from ecgan.splitplan import CROSS_VALIDATION, PRESCRIBED, SplitPlan
from ecgan.types import UNUSED, Fold, IntArray

NAMED = 5
"""Patients that are named at most where some are left out."""


def protocol_of(
    folds: Sequence[Fold],
    group: IntArray | None,
    part: IntArray | None,
    plan: SplitPlan,
    partition: str = "",
    grouping: str = "patient",
) -> dict[str, Any]:
    """Describe how the folds were made.

    Args:
        folds: all of them.
        group: (N,) patient of each series, or None.
        part: (N,) the source's own partition, or None.
        plan: what they were made with.
        partition: name of that partition, may be empty.
        grouping: what a group is.

    Returns:
        ``description`` in words, ``grouping``, ``groups_known``, ``groups_kept_apart`` (in fact and not by intention),
        and ``left_out``: the number of series that no fold uses, by reason. Abnormal series that do not train are not
        counted there.
    """
    mixed = group is not None and any(shared_patients(fold, group).size for fold in folds)
    return {
        "description": _description(group, part, plan, partition, grouping),
        "grouping": grouping if group is not None else "",
        "groups_known": group is not None,
        "groups_kept_apart": group is not None and not mixed,
        "left_out": _left_out(group, part, plan),
    }


def _description(group: IntArray | None, part: IntArray | None, plan: SplitPlan, partition: str, grouping: str) -> str:
    own = partition or "the source's own partition"
    evenly = f", by {grouping}, stratified" if group is not None and plan.group else ", stratified"
    said = {
        "holdout": f"one hold-out{evenly}",
        "official": own,
        "inter_patient": f"{own}, by {grouping}",
        "from_file": f"the folds of {Path(plan.path or '').name}",
    }
    words = [said.get(plan.method, f"{plan.folds}-fold cross-validation{evenly}")]
    if plan.method in CROSS_VALIDATION:
        words.append("one test part for all folds" if plan.test == "fixed" else "each fold tests its own part")
    if plan.method == "inter_patient" and not plan.group and group is not None and part is not None:
        patients = np.unique(group[on_both_sides(group, part)])
        words += [f"{_named(patients)} both trained on and tested"] if patients.size else []
    if plan.method != "from_file" and plan.abnormal == "test":
        words.append("all abnormal series in the test part")
    words.append("trained on normal series only" if plan.train_on == "normal" else "trained on all classes")
    return "; ".join(words)


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
