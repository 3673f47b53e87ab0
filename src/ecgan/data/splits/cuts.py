"""Cuts of index sets: stratified by class, and by whole patients where they are known."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split

from ecgan.errors import DataError
from ecgan.splitplan import SplitPlan
from ecgan.types import FloatArray, IntArray

TRIES = 16
"""Orders in which whole patients are dealt out; the one with the most even classes is kept."""

Triple = tuple[IntArray, IntArray, IntArray]


class Splitter:
    """Stratified and, where groups are given, group-pure cuts of index sets.

    Each cut has a random stream of its own, so that none depends on how many were made before.
    """

    def __init__(self, label: IntArray, group: IntArray | None, plan: SplitPlan, seed: int) -> None:
        self.label, self.plan = label, plan
        # a patient for each series says nothing, and without patients the classes come out even to one series
        self.group = None if group is None or np.unique(group, return_counts=True)[1].max() == 1 else group
        seeds = np.random.SeedSequence([seed, 0x5EED])
        self.states = [int(state) for state in seeds.generate_state(2 + plan.folds)]

    def holdout(self, pool: IntArray) -> Iterator[Triple]:
        """One fold: test, then validation, the rest trains; both sizes are shares (or counts) of the whole."""
        rest, test = self.cut(pool, self.plan.test_size, len(pool), 0)
        train, val = self.cut(rest, self.plan.val_size, len(pool), 1)
        yield train, val, test

    def kfold(self, pool: IntArray) -> Iterator[Triple]:
        """K folds; the test part is cut off once (``fixed``) or is each fold's own chunk (``rotate``)."""
        if self.plan.test == "fixed":
            rest, test = self.cut(pool, self.plan.test_size, len(pool), 0)
            for chunk in self.chunks(rest, self.plan.folds, 1):
                yield _without(rest, chunk), chunk, test
            return
        for number, chunk in enumerate(self.chunks(pool, self.plan.folds, 1)):
            train, val = self.cut(_without(pool, chunk), self.plan.val_size, len(pool), 2 + number)
            yield train, val, chunk

    def cut(self, pool: IntArray, size: float, whole: int, which: int) -> tuple[IntArray, IntArray]:
        """Cut a stratified piece off ``pool``: (rest, piece)."""
        count = round(size * whole) if size < 1 else int(size)
        if not 0 < count < len(pool):
            raise DataError(
                f"A part of {count} series cannot be cut from {len(pool)}; change split.test_size or split.val_size."
            )
        strata = self.label[pool]
        if self.group is not None:
            share = count / len(pool)
            piece_of = deal_groups(strata, self.group[pool], np.asarray([share, 1 - share]), self.states[which])
            if not 0 < np.count_nonzero(piece_of == 0) < len(pool):
                raise DataError(
                    f"{len(np.unique(self.group[pool]))} patients cannot be divided into a part of about {count} "
                    f"series and one of {len(pool) - count}; change split.test_size or split.val_size, or set "
                    "split.group=false to mix them."
                )
            return pool[piece_of == 1], pool[piece_of == 0]
        members = np.unique(strata, return_counts=True)[1]
        if members.min() < 2 or len(members) > min(count, len(pool) - count):  # noqa: PLR2004
            raise DataError(
                f"A class with {members.min()} series, or a part of {count} series for {len(members)} classes, cannot "
                "be split evenly; use more series or larger parts."
            )
        rest, piece = train_test_split(pool, test_size=count, stratify=strata, random_state=self.states[which])
        return rest, piece

    def chunks(self, pool: IntArray, n: int, which: int) -> Iterator[IntArray]:
        """Cut ``pool`` into n stratified chunks."""
        strata = self.label[pool]
        normals = int((strata == 0).sum())
        if normals < n:
            raise DataError(f"{normals} normal series cannot fill {n} folds; lower split.folds or use more series.")
        if self.group is None:
            yield from _chunks_of_series(pool, strata, n, self.states[which])
            return
        known = len(np.unique(self.group[pool]))
        if known < n:
            raise DataError(
                f"{known} patients cannot fill {n} folds; lower split.folds, or split.group=false to mix them."
            )
        piece_of = deal_groups(strata, self.group[pool], np.full(n, 1 / n), self.states[which])
        for number in range(n):
            yield pool[piece_of == number]


def _without(pool: IntArray, piece: IntArray) -> IntArray:
    """The indices of ``pool`` that are not in ``piece``, sorted."""
    left = np.zeros(pool.max() + 1, np.bool_)
    left[pool] = True
    left[piece] = False
    return np.flatnonzero(left)


def _chunks_of_series(pool: IntArray, strata: IntArray, n: int, state: int) -> Iterator[IntArray]:
    cutter = StratifiedKFold(n, shuffle=True, random_state=state)
    with warnings.catch_warnings():
        # about classes rarer than n; they simply miss from some chunks
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        chunks = (piece for _, piece in cutter.split(pool, strata))
        first = next(chunks)  # the warning comes with it
    yield pool[first]
    for piece in chunks:
        yield pool[piece]


def deal_groups(label: IntArray, group: IntArray, shares: FloatArray, seed: int) -> IntArray:
    """Deal whole groups out to pieces so that sizes and classes come out as even as they can.

    The groups are dealt one by one, large ones first (by powers of two, at random among equals). Each goes to the piece
    that lacks its classes most, every class counting alike however rare, unless that piece would then hold more series
    than its share of those dealt so far and the largest group together. Scikit-learn's ``StratifiedGroupKFold`` has no
    unequal shares, and gives the same folds for every seed where no two groups are alike.

    Args:
        label: (N,) class of each series.
        group: (N,) group of each series.
        shares: (n,) share of the whole that each piece shall have; their sum is 1.
        seed: of the orders that are tried.

    Returns:
        (N,) number of the piece that each series belongs to. In each cut into two pieces neither is further from its
        share than the size of the largest group; with more pieces none exceeds its share by more than that.
    """
    code = np.unique(group, return_inverse=True)[1]
    counts = _counts(code, label)
    size = counts.sum(axis=1)
    # RandomState and not default_rng: its numbers are promised to stay as they are
    chance = np.random.RandomState(seed).random_sample((TRIES, len(size)))
    order = np.ascontiguousarray(np.argsort(chance - np.frexp(size)[1], axis=1, kind="stable").T)
    dealt, lacking = _deal(counts, size, order, shares)
    missed = (lacking * lacking).sum(axis=0).sum(axis=0)
    for piece in range(len(shares)):
        missed[~(dealt == piece).any(axis=0)] = np.inf  # an empty piece is no piece
    best: IntArray = dealt[:, np.argmin(missed)]
    return best[code]


def _counts(code: IntArray, label: IntArray) -> IntArray:
    """(G, K) series of each group in each class that occurs."""
    known, kind = np.unique(label, return_inverse=True)
    return np.bincount(code * len(known) + kind, minlength=(code.max() + 1) * len(known)).reshape(-1, len(known))


def _deal(counts: IntArray, size: IntArray, order: IntArray, shares: FloatArray) -> tuple[IntArray, FloatArray]:
    """Deal groups out in several orders at once.

    Sums run over the first axis, element by element, so that their digits are the same on every processor.

    Args:
        counts: (G, K) series of each group in each class.
        size: (G,) series of each group.
        order: (G, tries) in which to deal.
        shares: (n,) of the pieces.

    Returns:
        (G, tries) piece of each group, and (K + 1, n, tries) share of each class (and of all) that each piece lacks.
    """
    held = np.column_stack([counts, size]).T
    held = held / held.sum(axis=1, keepdims=True)  # (K + 1, G): what each group holds of a class, and of all
    lacking = np.zeros((len(held), len(shares), order.shape[1]))
    dealt = np.zeros(order.shape, np.int64)
    tries, total, largest = np.arange(order.shape[1]), size.sum(), size.max()
    for groups in order:
        holds = held[:, None, groups]
        lacking += holds * shares[:, None]
        wish = (lacking * holds).sum(axis=0)
        wish[size[groups] - lacking[-1] * total > largest] = -np.inf
        piece = np.argmax(wish, axis=0)
        lacking[:, piece, tries] -= holds[:, 0]
        dealt[groups, tries] = piece
    return dealt, lacking
