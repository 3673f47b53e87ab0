"""Squared MMD by class, which picks the best weights of a conditional GAN, against a naive loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ecgan.evaluate.generation.mmd import SCALES, Kernel, class_mmd, mmd2
from ecgan.types import FloatArray


def normal(n: int, seed: int, shift: float = 0.0) -> FloatArray:
    return (np.random.default_rng(seed).normal(size=(n, 2, 3)) + shift).astype(np.float32)


def naive(real: FloatArray, fake: FloatArray, median: float) -> float:
    """Unbiased squared MMD, pair by pair."""

    def k(a: FloatArray, b: FloatArray) -> float:
        squared = sum((float(p) - float(q)) ** 2 for p, q in zip(a.ravel(), b.ravel(), strict=True))
        return sum(math.exp(-squared / (2 * (scale * median) ** 2)) for scale in SCALES) / len(SCALES)

    n, m = len(real), len(fake)
    within = sum(k(real[i], real[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within += sum(k(fake[i], fake[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within - 2 * sum(k(a, b) for a in real for b in fake) / (n * m)


LABEL = np.array([0] * 9 + [1] * 5 + [2] * 7)


def median_distance(x: FloatArray) -> float:
    pairs = [math.dist(x[i].ravel(), x[j].ravel()) ** 2 for i in range(len(x)) for j in range(i)]
    return math.sqrt(float(np.median(pairs)))


def test_it_is_the_mean_over_classes_weighted_by_their_size() -> None:
    real, fake = normal(21, 0) + LABEL[:, None, None], normal(21, 1, 0.5) + LABEL[:, None, None]
    median = median_distance(real)  # of all real series: one yardstick for all classes
    expected = sum(naive(real[c == LABEL], fake[c == LABEL], median) * (c == LABEL).sum() for c in range(3)) / 21
    order = np.random.default_rng(0).permutation(21)
    found = class_mmd(real[order], fake[order], LABEL[order])
    assert found == pytest.approx(expected, abs=1e-5)


def test_of_one_class_it_is_the_mmd() -> None:
    real, fake = normal(30, 0), normal(30, 1, 0.3)
    assert class_mmd(real, fake, np.zeros(30, np.int64)) == pytest.approx(mmd2(Kernel(real), real, fake))


def test_classes_that_are_mixed_up_are_noticed() -> None:
    label = np.arange(60) % 2
    real, fake = normal(60, 0) + 4 * label[:, None, None], normal(60, 1) + 4 * label[:, None, None]
    assert abs(class_mmd(real, fake, label)) < 0.05
    swapped = fake[np.argsort(1 - label, kind="stable")][np.argsort(np.argsort(label, kind="stable"))]
    assert class_mmd(real, swapped, label) > 0.5
    assert abs(class_mmd(real, swapped, np.zeros(60, np.int64))) < 0.05  # as a whole they look like the real ones


def test_a_class_with_one_series_is_left_out() -> None:
    real, fake = normal(21, 0), normal(21, 1, 0.5)
    label = np.array([0] * 20 + [1])
    kernel = Kernel(real)
    assert class_mmd(real, fake, label) == pytest.approx(mmd2(kernel, real[:20], fake[:20]))


@pytest.mark.parametrize("n", [1, 2])
def test_without_two_series_of_any_class_it_is_undefined(n: int) -> None:
    assert math.isnan(class_mmd(normal(n, 0), normal(n, 1), np.arange(n)))
