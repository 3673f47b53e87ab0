"""Ranks and tests over data sets, against scipy, brute force and worked examples."""

from __future__ import annotations

from io import BytesIO
from itertools import product

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, rankdata
from scipy.stats import wilcoxon as scipy_wilcoxon

from ecgan.evaluate.significance import cliques, friedman, holm, mean_ranks, pairwise, wilcoxon
from ecgan.evaluate.significance_plots import critical_difference


@pytest.mark.parametrize("n", [3, 6, 11, 25])
def test_without_ties_it_is_the_exact_test(n: int) -> None:
    for seed in range(5):
        difference = np.random.default_rng([n, seed]).normal(0.3, 1, n)
        assert wilcoxon(difference) == pytest.approx(scipy_wilcoxon(difference, method="exact").pvalue, rel=1e-12)


@pytest.mark.parametrize("difference", [[1, 1, -1, 2], [1, 1, 1, 1, 1], [3, -3, 1, 1, 2, -1], [0, 0, 1, -2, 2, 2, 4]])
def test_with_ties_it_counts_all_signs(difference: list[float]) -> None:
    some = np.array([d for d in difference if d], float)
    ranks = rankdata(np.abs(some))
    sums = np.array([sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) for signs in signs_of(some)])
    found = ranks[some > 0].sum()
    expected = min(1.0, 2 * min((sums <= found).mean(), (sums >= found).mean()))
    assert wilcoxon(np.array(difference, float)) == pytest.approx(expected)


def signs_of(values: np.ndarray) -> list[tuple[bool, ...]]:
    return list(product((False, True), repeat=len(values)))


def test_smallest_probability_and_no_difference() -> None:
    assert wilcoxon(np.arange(1.0, 7.0)) == pytest.approx(2 / 2**6)
    assert wilcoxon(-np.arange(1.0, 7.0)) == pytest.approx(2 / 2**6)
    assert wilcoxon(np.zeros(6)) == 1.0


def test_holm_steps_down() -> None:
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04, and never less than the one before
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])).tolist() == [1.0, 1.0]
    assert holm(np.array([0.2])).tolist() == [0.2]


def test_ranks_with_ties_and_from_either_end() -> None:
    values = np.array([[0.9, 0.8, 0.8], [0.5, 0.7, 0.6]])
    assert mean_ranks(values).tolist() == [2.0, 1.75, 2.25]
    assert mean_ranks(values, larger_is_better=False).tolist() == [2.0, 2.25, 1.75]


def test_friedman_is_that_of_scipy_and_undefined_where_nothing_differs() -> None:
    values = np.random.default_rng(0).normal(size=(8, 4)) + np.arange(4)
    assert friedman(values) == pytest.approx(friedmanchisquare(*values.T).pvalue)
    assert np.isnan(friedman(values[:, :2]))
    assert np.isnan(friedman(np.ones((8, 4))))


def test_pairs_are_symmetric_and_corrected_together() -> None:
    values = np.random.default_rng(1).normal(size=(9, 3)) + np.array([0, 0.1, 3])
    raw, corrected = pairwise(values)
    assert np.array_equal(raw, raw.T)
    assert np.array_equal(np.diag(corrected), np.ones(3))
    upper = np.triu_indices(3, 1)
    assert raw[0, 2] == wilcoxon(values[:, 0] - values[:, 2])
    assert corrected[upper].tolist() == holm(raw[upper]).tolist()


def test_cliques_are_the_largest_stretches_without_a_difference() -> None:
    corrected = np.ones((4, 4))
    corrected[0, 2] = corrected[2, 0] = corrected[0, 3] = corrected[3, 0] = 0.01
    assert cliques(np.array([1.0, 2, 3, 4]), corrected) == [(0, 1), (1, 3)]
    # with the first one second, it stands between those that it differs from and the best
    assert cliques(np.array([2.0, 1, 3, 4]), corrected) == [(0, 1), (2, 3)]
    assert cliques(np.array([1.0, 2, 3, 4]), np.zeros((4, 4))) == []


def test_the_diagram_names_every_method_with_its_rank_and_draws_every_clique() -> None:
    corrected = np.ones((3, 3))
    corrected[0, 2] = corrected[2, 0] = 0.001
    figure = critical_difference(["worst", "middle", "best"], np.array([2.9, 2.1, 1.0]), corrected, "AUROC")
    figure.savefig(BytesIO(), format="png", dpi=40)
    (axis,) = figure.axes
    texts = {text.get_text() for text in axis.texts}
    assert {"best  1.00", "middle  2.10", "worst  2.90"} <= texts
    thick = [line for line in axis.get_lines() if line.get_linewidth() == 3]
    ends = sorted(tuple(np.round(np.asarray(line.get_xdata()), 2)) for line in thick)
    assert ends == [(0.97, 2.13), (2.07, 2.93)]


def test_names_of_the_diagram_are_no_formulas_and_long_ones_are_cut() -> None:
    names = ["a ($x_a_b$)", "b" * 60]
    figure = critical_difference(names, np.array([1.0, 2.0]), np.ones((2, 2)), "on $x_a_b$")
    figure.savefig(BytesIO(), format="png", dpi=40)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "a ($x_a_b$)  1.00" in texts
    assert f"{'b' * 45}…  2.00" in texts
