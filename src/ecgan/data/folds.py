"""Who trains, who validates, who tests: disjoint, seeded, and written down before training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from ecgan.errors import ConfigError, DataError, RunError
from ecgan.files import read_json, write_text
from ecgan.types import TEST, VAL, Fold, IntArray

Method = Literal["holdout", "kfold", "official", "from_file"]
MIN_FOLDS = 2

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitPlan:
    """How to split; the fields are those of the config section ``split``."""

    method: str = "kfold"
    folds: int = 5
    test: str = "fixed"
    test_size: float = 0.2
    val_size: float = 0.2
    abnormal: str = "stratify"
    train_on: str = "normal"
    group: bool = True
    path: str | None = None


def make_folds(
    label: IntArray, group: IntArray | None, part: IntArray | None, plan: SplitPlan, seed: int
) -> list[Fold]:
    """Make the folds of a data set.

    Args:
        label: (N,) class of each series, 0 is normal.
        group: (N,) patient of each series, or None. Patients never straddle two parts unless ``plan.group`` is false.
        part: (N,) the source's own partition, needed by ``official``.
        plan: the method and its settings.
        seed: makes the split reproducible, independently of any other random number.

    Returns:
        Folds with sorted indices. With ``train_on=normal`` the training parts hold normal series only, and the
        abnormal series that would have trained stay unused.

    Raises:
        DataError: when the data set cannot be split that way.
    """
    folds = _from_file(plan, len(label)) if plan.method == "from_file" else _made(label, group, part, plan, seed)
    for fold in folds:
        _refuse_leaks(fold, label, group if plan.group else None, plan)
    return folds


def _made(label: IntArray, group: IntArray | None, part: IntArray | None, plan: SplitPlan, seed: int) -> list[Fold]:
    if plan.method == "kfold" and plan.folds < MIN_FOLDS:
        raise ConfigError(
            f"split.folds is {plan.folds} but kfold needs at least {MIN_FOLDS}; use split=holdout for one."
        )
    splitter = _Splitter(label, group if plan.group else None, plan, np.random.SeedSequence([seed, 0x5EED]))
    everyone = np.arange(len(label))
    if plan.method == "official":
        triples = [_official(splitter, part, everyone)]
    else:
        # all abnormal series may be asked to test: then the normal ones alone are split
        pool = everyone[label == 0] if plan.abnormal == "test" else everyone
        triples = splitter.holdout(pool) if plan.method == "holdout" else splitter.kfold(pool)
    folds = []
    for number, (train, val, test) in enumerate(triples):
        if plan.abnormal == "test" and plan.method != "official":
            test = np.concatenate([test, everyone[label != 0]])  # noqa: PLW2901
        if plan.train_on == "normal":
            train = train[label[train] == 0]  # noqa: PLW2901
        folds.append(Fold(number, np.sort(train), np.sort(val), np.sort(test)).check(len(label)))
    return folds


def _refuse_leaks(fold: Fold, label: IntArray, group: IntArray | None, plan: SplitPlan) -> None:
    for name, indices in (("training", fold.train), ("validation", fold.val)):
        if label[indices].all():
            raise DataError(f"The {name} part of fold {fold.number} has no normal series; change split or split.seed.")
    if plan.train_on == "normal" and label[fold.train].any():  # only a file can bring that about
        raise DataError(f"Fold {fold.number} trains on abnormal series; set split.train_on=all to allow that.")
    if group is None:
        return
    patients = np.concatenate([np.unique(group[part]) for part in (fold.train, fold.val, fold.test)])
    known, counts = np.unique(patients, return_counts=True)
    if counts.max() > 1:
        raise DataError(
            f"Patient {known[counts.argmax()]} would be in two parts of fold {fold.number}, as split.abnormal=test, "
            "split=official and split=from_file can bring about; use split.abnormal=stratify, or split.group=false "
            "to mix patients, which the results then say."
        )


Triple = tuple[IntArray, IntArray, IntArray]


class _Splitter:
    """Stratified and, where groups are given, group-pure cuts of index sets."""

    def __init__(self, label: IntArray, group: IntArray | None, plan: SplitPlan, seeds: np.random.SeedSequence) -> None:
        self.label, self.group, self.plan = label, group, plan
        self.states = [int(state) for state in seeds.generate_state(2 + plan.folds)]

    def holdout(self, pool: IntArray) -> list[Triple]:
        """One fold: test, then validation, the rest trains; both sizes are shares (or counts) of the whole."""
        rest, test = self.cut(pool, self.plan.test_size, len(pool), 0)
        train, val = self.cut(rest, self.plan.val_size, len(pool), 1)
        return [(train, val, test)]

    def kfold(self, pool: IntArray) -> list[Triple]:
        """K folds; the test part is cut off once (``fixed``) or is each fold's own chunk (``rotate``)."""
        if self.plan.test == "fixed":
            rest, test = self.cut(pool, self.plan.test_size, len(pool), 0)
            chunks = self.chunks(rest, self.plan.folds, 1)
            return [(np.setdiff1d(rest, chunk), chunk, test) for chunk in chunks]
        triples = []
        for number, chunk in enumerate(self.chunks(pool, self.plan.folds, 1)):
            train, val = self.cut(np.setdiff1d(pool, chunk), self.plan.val_size, len(pool), 2 + number)
            triples.append((train, val, chunk))
        return triples

    def cut(self, pool: IntArray, size: float, whole: int, which: int) -> tuple[IntArray, IntArray]:
        """Cut a stratified piece off ``pool``: (rest, piece)."""
        count = round(size * whole) if size < 1 else int(size)
        if not 0 < count < len(pool):
            raise DataError(
                f"A part of {count} series cannot be cut from {len(pool)}; change split.test_size or split.val_size."
            )
        if self.group is not None:
            pieces = max(2, round(len(pool) / count))
            piece = self.chunks(pool, pieces, which)[0]
            return np.setdiff1d(pool, piece), piece
        strata = self.label[pool]
        _, members = np.unique(strata, return_counts=True)
        if members.min() < 2 or len(members) > min(count, len(pool) - count):  # noqa: PLR2004
            raise DataError(
                f"A class with {members.min()} series, or a part of {count} series for {len(members)} classes, cannot "
                "be split evenly; use more series or larger parts."
            )
        rest, piece = train_test_split(pool, test_size=count, stratify=strata, random_state=self.states[which])
        return rest, piece

    def chunks(self, pool: IntArray, n: int, which: int) -> list[IntArray]:
        """Cut ``pool`` into n stratified chunks."""
        strata = self.label[pool]
        normals = int((strata == 0).sum())
        if normals < n:
            raise DataError(f"{normals} normal series cannot fill {n} folds; lower split.folds or use more series.")
        # scikit-learn warns about classes rarer than n; they simply miss from some chunks
        if self.group is None:
            cutter = StratifiedKFold(n, shuffle=True, random_state=self.states[which])
            return [pool[piece] for _, piece in _quietly(cutter.split(pool, strata))]
        groups = self.group[pool]
        known = len(np.unique(groups))
        if known < n:
            raise DataError(
                f"{known} patients cannot fill {n} folds; lower split.folds, or split.group=false to mix them."
            )
        by_group = StratifiedGroupKFold(n, shuffle=True, random_state=self.states[which])
        return [pool[piece] for _, piece in _quietly(by_group.split(pool, strata, groups))]


def _quietly(pieces: Any) -> list[Any]:
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(pieces)


def _official(splitter: _Splitter, part: IntArray | None, everyone: IntArray) -> Triple:
    if part is None:
        raise ConfigError("This data set has no official split; use split=kfold or split=holdout.")
    test, rest = everyone[part == TEST], everyone[part != TEST]
    if (part == VAL).any():
        return everyone[(part != TEST) & (part != VAL)], everyone[part == VAL], test
    train, val = splitter.cut(rest, splitter.plan.val_size, len(rest), 1)
    return train, val, test


def _from_file(plan: SplitPlan, n_series: int) -> list[Fold]:
    if plan.path is None:
        raise ConfigError("split=from_file needs split.path=<splits.json>, as written by an earlier run.")
    file = Path(plan.path)
    packed = Path(__file__).parent / "bundled" / file.name
    if file == Path(file.name) and packed.is_file():
        file = packed  # a division that comes with the package
    folds, count = read_splits(file)
    if count != n_series:
        raise DataError(f"{plan.path} was made for {count} series but the data set has {n_series}; use the same data.")
    if not folds:
        raise DataError(f"{plan.path} holds no folds; use one written by ecgan-train.")
    return [fold.check(n_series) for fold in folds]


def write_splits(path: Path, folds: list[Fold], store_facts: dict[str, Any], protocol: dict[str, Any]) -> str:
    """Write ``splits.json`` and return the digest of its indices.

    Args:
        path: where to.
        folds: all folds of the run.
        store_facts: ``n_series`` and ``groups_known``.
        protocol: the settings that made the folds.
    """
    parts = [{"fold": fold.number} | {name: getattr(fold, name).tolist() for name in PARTS} for fold in folds]
    sha256 = digest_of(folds)
    content = {"protocol": protocol, **store_facts, "sha256": sha256, "folds": parts}
    write_text(path, json.dumps(content, separators=(",", ":")) + "\n")  # indented, millions of indices fill the disk
    return sha256


def read_splits(path: Path) -> tuple[list[Fold], int]:
    """Read ``splits.json``: the folds and the number of series they were made for.

    Raises:
        RunError: when the file is damaged or its indices do not match their digest.
    """
    content = read_json(path)
    try:
        folds = [
            Fold(entry["fold"], *(np.asarray(entry[name], np.int64) for name in PARTS)) for entry in content["folds"]
        ]
        if digest_of(folds) != content["sha256"]:
            raise RunError(f"The indices in {path} do not match their digest; the file was changed or is damaged.")
        if [fold.number for fold in folds] != list(range(len(folds))):
            raise RunError(f"The folds in {path} are not numbered from 0 on; use a file written by ecgan-train.")
        return folds, int(content["n_series"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is not a splits file ({error}); use one written by ecgan-train.") from error


def digest_of(folds: list[Fold]) -> str:
    """Sha256 of the indices of all folds, each part led by its size."""
    sha256 = hashlib.sha256()
    for fold in folds:
        for name in PARTS:
            indices = np.ascontiguousarray(getattr(fold, name), "<i8")
            sha256.update(np.asarray([fold.number, indices.size], "<i8").data)
            sha256.update(indices.data)
    return sha256.hexdigest()
