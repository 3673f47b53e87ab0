"""Whether methods differ over data sets: ranks, Friedman's test, Wilcoxon's test of pairs, Holm's correction.

The unit is the data set. Folds and seeds of one data set share series, so their differences are no independent sample
and must not be handed to these functions; average them first.

Source: Demšar (2006), Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 1-30; pairs in place of
Nemenyi's critical difference after Benavoli, Corani and Mangili (2016), Should We Really Use Post-Hoc Tests Based on
Mean-Ranks?, JMLR 17(5), 1-10.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.stats import friedmanchisquare, rankdata

from ecgan.types import FloatArray, IntArray

NAN = float("nan")
LEAST_METHODS = 3
"""Friedman's test is for more than two methods; Wilcoxon's is for two."""


def mean_ranks(values: FloatArray, larger_is_better: bool = True) -> FloatArray:
    """Mean rank (M,) of each method over the data sets, 1 is best, equal values share their ranks.

    Args:
        values: (D, M) one number per data set and method.
        larger_is_better: which end gets rank 1.
    """
    ranks: FloatArray = rankdata(-values if larger_is_better else values, axis=1).mean(0)
    return ranks


def friedman(values: FloatArray) -> float:
    """Probability of ranks as different as those of (D, M) values if all methods were alike.

    NaN for fewer than three methods or two data sets, and where all methods are equal on every data set.
    """
    n_sets, n_methods = values.shape
    if n_methods < LEAST_METHODS or n_sets < 2 or not np.ptp(values, axis=1).any():  # noqa: PLR2004 - a pair
        return NAN
    return float(friedmanchisquare(*values.T).pvalue)


def wilcoxon(difference: FloatArray) -> float:
    """Two-sided probability of Wilcoxon's signed-rank test, exact also with ties.

    Differences of zero are left out, as Wilcoxon did. The distribution of the rank sum is built by going through the
    ranks once, each with either sign, so that neither tables nor an approximation are needed.

    Args:
        difference: (D,) of two methods, one per data set.

    Returns:
        1 where no difference is left.
    """
    some = difference[difference != 0]
    if not some.size:
        return 1.0
    doubled: IntArray = np.rint(2 * rankdata(np.abs(some))).astype(np.int64)  # half ranks of ties become whole
    share = np.ones(1)
    for rank in doubled:
        with_it = np.zeros(len(share) + rank)
        with_it[: len(share)] += share / 2
        with_it[rank:] += share / 2
        share = with_it
    positive = int(doubled[some > 0].sum())
    tails = share[: positive + 1].sum(), share[positive:].sum()
    return float(min(1.0, 2 * min(tails)))


def holm(p: FloatArray) -> FloatArray:
    """Probabilities (P,) corrected for their number, after Holm (1979), Scand. J. Statist. 6(2), 65-70."""
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def pairwise(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Wilcoxon's test of every pair of methods.

    Args:
        values: (D, M) one number per data set and method.

    Returns:
        (M, M) probabilities, and the same with Holm's correction over all pairs; both symmetric, with a diagonal of 1.
    """
    n_methods = values.shape[1]
    pairs = list(combinations(range(n_methods), 2))
    p = np.array([wilcoxon(values[:, one] - values[:, other]) for one, other in pairs])
    raw, corrected = np.ones((n_methods, n_methods)), np.ones((n_methods, n_methods))
    for matrix, found in ((raw, p), (corrected, holm(p))):
        for (one, other), value in zip(pairs, found, strict=True):
            matrix[one, other] = matrix[other, one] = value
    return raw, corrected


def cliques(ranks: FloatArray, corrected: FloatArray, level: float = 0.05) -> list[tuple[int, int]]:
    """Largest stretches of methods, in the order of their ranks, within which no pair differs.

    Args:
        ranks: (M,) mean ranks.
        corrected: (M, M) corrected probabilities.
        level: below which two methods differ.

    Returns:
        First and last position in the order of the ranks; stretches of one method are left out.
    """
    order = np.argsort(ranks, kind="stable")
    alike = corrected[np.ix_(order, order)] >= level
    found: list[tuple[int, int]] = []
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and alike[first : last + 2, first : last + 2].all():
            last += 1
        if last > first and not (found and found[-1][1] >= last):
            found.append((first, last))
    return found
