"""Squared MMD against a naive loop and the closed form between Gaussians, its interval and its null distribution."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from ecgan.evaluate.generation import mmd
from ecgan.evaluate.generation.mmd import SCALES, Kernel, mmd2, mmd2_replicates, permutation_quantile
from ecgan.types import FloatArray

SCRIPT = """
import resource
import numpy as np
from ecgan.evaluate.generation.mmd import Kernel, mmd2
rng = np.random.default_rng(0)
x, y = (rng.standard_normal((20_000, 1, 187), dtype=np.float32) for _ in range(2))
value = mmd2(Kernel(x), x, y)
print(value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def normal(n: int, seed: int, shift: float = 0.0, dims: int = 4) -> FloatArray:
    return (np.random.default_rng(seed).normal(size=(n, 2, dims // 2)) + shift).astype(np.float32)


def naive(kernel: Kernel, x: FloatArray, y: FloatArray) -> float:
    def k(a: FloatArray, b: FloatArray) -> float:
        squared = float(((a.astype(np.float64) - b) ** 2).sum())
        return float(np.mean([np.exp(-squared / (2 * (scale * kernel.median) ** 2)) for scale in SCALES]))

    within_x = [k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    within_y = [k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    across = [k(a, b) for a in x for b in y]
    return float(np.mean(within_x) + np.mean(within_y) - 2 * np.mean(across))


def closed_form(kernel: Kernel, shift: float, dims: int = 4) -> float:
    """Between N(0, I) and N(shift, I): Gaussian integrals."""
    widths = (np.array(SCALES) * kernel.median) ** 2
    parts = (widths / (widths + 2)) ** (dims / 2) * (2 - 2 * np.exp(-dims * shift**2 / (2 * (widths + 2))))
    return float(parts.mean())


@pytest.mark.parametrize("block", [1024, 5])
def test_naive_loop(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmd, "BLOCK", block)
    x, y = normal(17, 0), normal(23, 1, 0.4)
    kernel = Kernel(normal(40, 2))
    assert mmd2(kernel, x, y) == pytest.approx(naive(kernel, x, y), abs=1e-6)
    assert mmd2(kernel, y, x) == pytest.approx(mmd2(kernel, x, y), abs=1e-7)


def test_a_set_against_itself() -> None:
    """Pairs of a series with itself count across the sets only, so that the value is slightly negative."""
    x = normal(50, 0)
    kernel = Kernel(x)
    pairs = kernel(*(x.reshape(50, -1),) * 2).astype(np.float64)[np.triu_indices(50, 1)]
    assert mmd2(kernel, x, x) == pytest.approx(-2 / 50 * (1 - pairs.mean()), abs=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_closed_form_between_gaussians(shift: float) -> None:
    kernel = Kernel(normal(500, 0))
    values = [mmd2(kernel, normal(150, 2 * i + 1), normal(100, 2 * i + 2, shift)) for i in range(60)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - closed_form(kernel, shift)) < 4 * error, "biased"
    assert min(values) < 0 or shift > 0, "an unbiased estimate of 0 is negative now and then"


def test_bandwidth_is_the_median_distance_of_the_reference() -> None:
    reference = normal(101, 3)
    assert Kernel(reference).median == pytest.approx(np.median(pdist(reference.reshape(101, -1))), rel=1e-5)


def test_level_and_unit_do_not_matter() -> None:
    x, y, reference = normal(80, 0), normal(70, 1, 0.3), normal(90, 2)
    moved = [100 * z + 3000 for z in (reference, x, y)]
    assert mmd2(Kernel(moved[0]), *moved[1:]) == pytest.approx(mmd2(Kernel(reference), x, y), abs=2e-5)


def test_undefined_is_nan() -> None:
    x = normal(10, 0)
    assert np.isnan(mmd2(Kernel(np.ones_like(x)), x, x))
    assert np.isnan(mmd2(Kernel(x), x[:1], x))
    assert np.isnan(permutation_quantile(Kernel(x), x, x[:1]))
    assert np.isnan(mmd2_replicates(Kernel(x), x[:1], x, 7)).sum() == 7


def test_mostly_equal_references_still_have_a_bandwidth() -> None:
    reference = np.zeros((10, 1, 8), np.float32)
    reference[0] = 1
    assert Kernel(reference).median == pytest.approx(np.sqrt(8))


def test_replicates_are_the_statistic_of_resampled_sets_without_pairs_of_copies() -> None:
    x, y = normal(9, 0), normal(8, 1, 0.5)
    kernel = Kernel(normal(40, 2))
    replicates = mmd2_replicates(kernel, x, y, 3, seed=5)
    for draw, value in enumerate(replicates):
        w, v = mmd.counts(9, 3, 5)[:, draw], mmd.counts(8, 3, 6)[:, draw]
        ix, iy = np.repeat(np.arange(9), w.astype(int)), np.repeat(np.arange(8), v.astype(int))
        k = kernel(*(np.concatenate([x, y]).reshape(17, -1),) * 2).astype(np.float64)
        within_x = [k[a, b] for a, b in itertools.product(ix, ix) if a != b]
        within_y = [k[9 + a, 9 + b] for a, b in itertools.product(iy, iy) if a != b]
        across = [k[a, 9 + b] for a, b in itertools.product(ix, iy)]
        assert value == pytest.approx(np.mean(within_x) + np.mean(within_y) - 2 * np.mean(across), abs=1e-6)


def test_replicates_scatter_around_the_statistic_as_independent_samples_do() -> None:
    kernel, n = Kernel(normal(400, 0)), 150
    samples = [(normal(n, 2 * i + 1), normal(n, 2 * i + 2, 0.3)) for i in range(40)]
    values = np.array([mmd2(kernel, x, y) for x, y in samples])
    replicates = np.array([mmd2_replicates(kernel, x, y, 60, seed=i) for i, (x, y) in enumerate(samples)])
    assert np.mean(replicates.std(1)) == pytest.approx(values.std(), rel=0.35)
    copies_would_add = (1 - kernel.typical) * 2 / n
    assert abs(np.mean(replicates.mean(1) - values)) < copies_would_add / 10
    covered = np.abs(values - closed_form(kernel, 0.3)) < 1.96 * replicates.std(1)
    assert covered.mean() >= 0.85


def test_permutations_are_the_divisions_of_both_sets_together() -> None:
    x, y = normal(4, 0), normal(3, 1, 1.0)
    kernel = Kernel(normal(40, 2))
    both = np.concatenate([x, y])
    divisions = [list(chosen) for chosen in itertools.combinations(range(7), 4)]
    values = [naive(kernel, both[chosen], np.delete(both, chosen, axis=0)) for chosen in divisions]
    for q in (0.0, 1.0):
        assert permutation_quantile(kernel, x, y, q, n=600) == pytest.approx(np.quantile(values, q), abs=1e-6)
    assert permutation_quantile(kernel, x, y, 0.5, n=4000) == pytest.approx(np.quantile(values, 0.5), abs=0.03)


def test_the_null_quantile_is_passed_by_chance_as_often_as_it_says() -> None:
    kernel = Kernel(normal(300, 0))
    passed = 0
    for i in range(100):
        x, y = normal(40, 2 * i + 1), normal(50, 2 * i + 2)
        passed += mmd2(kernel, x, y) > permutation_quantile(kernel, x, y, seed=i)
    assert 0 < passed <= 12  # 5 expected; more than 12 has a probability of 0.1 %
    different = normal(50, 999, 0.5)
    assert mmd2(kernel, x, different) > permutation_quantile(kernel, x, y)


@pytest.mark.slow
def test_twenty_thousand_against_twenty_thousand_in_two_gigabytes() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    value, peak_gib = map(float, done.stdout.split())
    print(f"peak resident memory {peak_gib:.2f} GiB")
    assert abs(value) < 0.01
    assert peak_gib < 2
