"""Scores of the fast classifier against scikit-learn, undefined cases, and the discriminative score."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from ecgan.evaluate.generation.resampling import counts
from ecgan.evaluate.generation.utility import class_scores, discriminative, macro_auroc, macro_f1, told_apart, utility
from ecgan.types import FloatArray, IntArray


def blobs(counts_of_classes: tuple[int, ...], seed: int, apart: float = 1.0) -> tuple[FloatArray, IntArray]:
    """Features of classes 0, 1, ... that overlap."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(counts_of_classes)), counts_of_classes)
    features = rng.normal(size=(len(label), 20))
    features[np.arange(len(label)), label] += apart
    order = rng.permutation(len(label))
    return features[order], label[order]


@pytest.mark.parametrize("sizes", [(60, 40), (50, 30, 20), (40, 30, 3, 1)])
def test_scores_of_scikit_learn(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    label = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    scores = np.round(rng.normal(size=(len(label), len(sizes))), 1)  # with ties
    scores[np.arange(len(label)), label] += 0.7
    predicted = scores.argmax(1)
    weights = np.ones((len(label), 4))
    weights[:, 1:] = counts(len(label), 3, seed=1)
    found_f1, found_auroc = (
        macro_f1(label, predicted, weights),
        macro_auroc(label, scores, np.arange(len(sizes)), weights),
    )
    for draw, w in enumerate(weights.T):
        present = np.unique(label[w > 0])
        expected_f1 = f1_score(label, predicted, labels=present, average="macro", sample_weight=w)
        assert found_f1[draw] == pytest.approx(expected_f1)
        expected = [roc_auc_score(label == c, scores[:, c], sample_weight=w) for c in present]
        assert found_auroc[draw] == pytest.approx(np.mean(expected))


def test_trained_and_tested() -> None:
    train, test = blobs((200, 100, 60), 0, 3.0), blobs((50, 50, 50), 1, 3.0)
    found = utility(*train, *test, draws=100)
    assert found.auroc > 0.95
    assert found.f1 > 0.8
    shuffled = np.random.default_rng(0).permutation(train[1])
    assert utility(train[0], shuffled, *test).auroc == pytest.approx(0.5, abs=0.1)
    assert found.f1_replicates.shape == found.auroc_replicates.shape == (100,)
    assert found.f1_replicates.mean() == pytest.approx(found.f1, abs=0.02)
    assert found.f1_replicates.std() == pytest.approx(np.sqrt(found.f1 * (1 - found.f1) / 150), rel=0.5)


def test_a_class_that_was_never_generated() -> None:
    train, label = blobs((100, 100), 0, 3.0)
    test, test_label = blobs((50, 50, 50), 1, 3.0)
    found = utility(train, label, test, test_label)
    classes = np.arange(3)
    scores = class_scores(train, label, test, classes)
    assert (scores[:, 2] == -np.inf).all()
    known = [roc_auc_score(test_label == c, scores[:, c]) for c in (0, 1)]
    assert found.auroc == pytest.approx((known[0] + known[1] + 0.5) / 3)
    assert found.f1 == pytest.approx(f1_score(test_label, scores.argmax(1), average="macro", labels=classes))


def test_a_rare_class_that_is_absent_from_the_test() -> None:
    train, test = blobs((100, 100, 5), 0, 3.0), blobs((50, 50), 1, 3.0)
    found = utility(*train, *test)
    assert found.f1 > 0.8
    assert found.auroc > 0.95


def test_undefined_is_nan() -> None:
    several, single = blobs((20, 20), 0), blobs((30,), 1)
    nothing_learned = utility(*single, *several, draws=3)
    assert np.isnan([nothing_learned.f1, nothing_learned.auroc, *nothing_learned.f1_replicates]).all()
    one_class = utility(*several, *single, draws=3)
    assert np.isnan([one_class.auroc, *one_class.auroc_replicates]).all()
    assert 0 <= one_class.f1 <= 1
    assert np.isnan(discriminative(told_apart(several[0][:1], several[0])))


def test_equal_distributions_cannot_be_told_apart() -> None:
    scores = [discriminative(told_apart(blobs((200,), i)[0], blobs((300,), 100 + i)[0], seed=i)) for i in range(5)]
    assert max(scores) < 0.1
    different = told_apart(blobs((200,), 0)[0], blobs((300,), 1)[0] + 2)
    assert len(different) == 400, "equally many of both"
    assert discriminative(different) > 0.48


def test_small_sets_can_be_told_apart_too() -> None:
    x, y = blobs((3,), 0)[0], blobs((4,), 1)[0] + 10
    assert told_apart(x, y).all()


def test_discriminative_counts_worse_than_chance() -> None:
    assert discriminative(np.zeros(10, np.bool_)) == 0.5
    assert discriminative(np.array([True, False] * 5)) == 0
