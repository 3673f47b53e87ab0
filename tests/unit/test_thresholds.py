"""Threshold rules against naive implementations, and what each of them may see."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.detect.detector import Detector, Threshold
from ecgan.detect.labelled_thresholds import Cost, MaxF1, Oracle, Youden
from ecgan.detect.scorers import Reconstruction
from ecgan.detect.thresholds import Fixed, MeanStd, Quantile
from ecgan.errors import ConfigError, DataError, RunError
from ecgan.types import BoolArray, FloatArray, Supervision, ThresholdRule

exact = settings(deadline=None, derandomize=True, max_examples=100)
finite = st.floats(-1e300, 1e300)
tied = st.sampled_from([0.0, 0.5, 1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0), 3.0])
NORMAL_ONLY: tuple[ThresholdRule, ...] = (Quantile(0.9), Quantile(0.98), MeanStd(3.0), Fixed(0.25, "normal_only"))
LABELLED: tuple[ThresholdRule, ...] = (MaxF1(), Youden(), Cost(), Oracle())


@st.composite
def labelled(draw: st.DrawFn) -> tuple[FloatArray, BoolArray]:
    """Scores with ties and neighboring floats, of both classes."""
    n = draw(st.integers(2, 25))
    scores = draw(st.lists(tied | finite, min_size=n, max_size=n))
    abnormal = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda a: any(a) and not all(a)))
    return np.array(scores), np.array(abnormal)


def none_of(scores: FloatArray) -> BoolArray:
    """No series is abnormal."""
    return np.zeros(len(scores), bool)


@exact
@given(st.lists(tied | finite, min_size=1, max_size=60), st.integers(1, 999))
def test_quantile_is_the_conformal_rank(values: list[float], permille: int) -> None:
    q, scores = Fraction(permille, 1000), np.array(values)
    promised = [t for t in sorted(values) if sum(v <= t for v in values) >= q * (len(values) + 1)]
    expected = promised[0] if promised else max(values)
    assert Quantile(float(q)).choose(scores, none_of(scores)) == expected


def test_quantile_ranks_are_exact_where_floats_are_not() -> None:
    # 100 x 0.07 is 7.000000000000001, which must not become rank 8
    wrong = []
    for n, percent in product(range(1, 121), range(1, 100)):
        rank = min(n, math.ceil(Fraction((n + 1) * percent, 100)))
        scores = np.arange(1.0, n + 1)
        if Quantile(percent / 100).choose(scores, none_of(scores)) != rank:
            wrong.append((n, percent))
    assert wrong == []


@pytest.mark.parametrize("q", [1e-12, 1e-5])
def test_quantile_of_a_tiny_share_is_the_smallest_score(q: float) -> None:
    assert Quantile(q).choose(np.array([3.0, 1.0, 2.0]), np.zeros(3, bool)) == 1.0


@pytest.mark.parametrize(("n", "q"), [(19, 0.9), (49, 0.9), (100, 0.95), (293, 0.98), (60, 0.98)])
def test_quantile_covers_new_normals_as_promised(n: int, q: float) -> None:
    # uniform scores: the share of new normals that passes a threshold is the threshold itself
    rng, repetitions = np.random.default_rng([n, round(1000 * q)]), 3000
    rule, nobody = Quantile(q), np.zeros(n, bool)
    passing = np.array([rule.choose(rng.random(n), nobody) for _ in range(repetitions)])
    rank = math.ceil(round((n + 1) * q, 9))
    error = 5 * math.sqrt(rank * (n + 1 - rank) / ((n + 1) ** 2 * (n + 2)) / repetitions)
    assert passing.mean() == pytest.approx(rank / (n + 1), abs=error)
    assert passing.mean() >= q - error


def test_quantile_cannot_promise_with_too_few_normals_and_takes_the_largest() -> None:
    scores = np.arange(48.0)
    assert Quantile(0.98).choose(scores, none_of(scores)) == 47.0
    longer = np.arange(99.0)
    assert Quantile(0.98).choose(longer, none_of(longer)) == 97.0


@exact
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40), st.floats(0, 6))
def test_mean_std_equals_the_statistics_module(values: list[float], k: float) -> None:
    scores = np.array(values)
    expected = statistics.fmean(values) + k * statistics.stdev(values)
    assert MeanStd(k).choose(scores, none_of(scores)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_mean_std_needs_two_normals() -> None:
    with pytest.raises(DataError, match="two validation normals"):
        MeanStd().choose(np.array([1.0, 2.0]), np.array([False, True]))


def f1_of(alarm: BoolArray, abnormal: BoolArray) -> Fraction:
    """F1 of the abnormal class, exactly."""
    return Fraction(2 * int((alarm & abnormal).sum()), int(alarm.sum() + abnormal.sum()))


def gain_of(alarm: BoolArray, abnormal: BoolArray) -> Fraction:
    """Sensitivity + specificity - 1, exactly."""
    hits, false = int((alarm & abnormal).sum()), int((alarm & ~abnormal).sum())
    return Fraction(hits, int(abnormal.sum())) - Fraction(false, int((~abnormal).sum()))


@pytest.mark.parametrize(
    ("rule", "quality"),
    [(MaxF1(), f1_of), (Oracle(), f1_of), (Youden(), gain_of)],
    ids=["max_f1", "oracle", "youden"],
)
@exact
@given(labelled())
def test_labelled_rules_equal_brute_force(
    rule: ThresholdRule,
    quality: Callable[[BoolArray, BoolArray], Fraction],
    data: tuple[FloatArray, BoolArray],
) -> None:
    scores, abnormal = data
    # every different set of alarms: those above each score, and all
    cuts = [-math.inf, *sorted(set(scores.tolist()))]
    best = max(quality(scores > cut, abnormal) for cut in cuts)
    alarm = scores > rule.choose(scores, abnormal)
    assert quality(alarm, abnormal) == best
    most_alarms = max(int((scores > cut).sum()) for cut in cuts if quality(scores > cut, abnormal) == best)
    assert int(alarm.sum()) == most_alarms  # of equal ones the lowest threshold


def test_youden_is_not_misled_by_rounding() -> None:
    # 3/5 - 1/5 equals 2/5, though not in floats: the lower threshold is the answer
    scores = np.array([10.0, 9.0, 8.0, 7.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    abnormal = np.array([True, True, False, True, False, False, False, False, True, True])
    assert Youden().choose(scores, abnormal) == 6.0


@pytest.mark.parametrize("rule", LABELLED)
def test_constant_scores_leave_one_cut(rule: ThresholdRule) -> None:
    threshold = rule.choose(np.full(5, 2.0), np.array([True, False, False, True, False]))
    assert threshold < 2.0


@pytest.mark.parametrize("rule", LABELLED)
def test_separable_scores_are_cut_half_way(rule: ThresholdRule) -> None:
    scores, abnormal = np.array([5.0, 1.0, 9.0, 2.0]), np.array([True, False, True, False])
    assert rule.choose(scores, abnormal) == 3.5


@pytest.mark.parametrize("rule", LABELLED)
@pytest.mark.parametrize("abnormal", [False, True])
def test_labelled_rules_refuse_a_part_of_one_class(rule: ThresholdRule, abnormal: bool) -> None:
    part = "test" if isinstance(rule, Oracle) else "validation"
    with pytest.raises(DataError, match=f"needs normal and abnormal series in the {part} part.*threshold=quantile"):
        rule.choose(np.arange(4.0), np.full(4, abnormal))


@pytest.mark.parametrize("rule", LABELLED)
def test_what_a_labelled_rule_has_seen(rule: ThresholdRule) -> None:
    oracle = isinstance(rule, Oracle)
    assert rule.supervision == ("oracle" if oracle else "val_labelled")
    assert Detector("d", Reconstruction(), rule).on_test == oracle


@pytest.mark.parametrize("rule", [Quantile(), MeanStd()])
def test_normal_only_rules_need_normals(rule: ThresholdRule) -> None:
    with pytest.raises(DataError, match=r"no normal series|two validation normals"):
        rule.choose(np.arange(4.0), np.ones(4, bool))


@pytest.mark.parametrize("rule", NORMAL_ONLY, ids=lambda rule: type(rule).__name__)
@exact
@given(labelled(), st.floats(-1e300, 1e300))
def test_abnormal_scores_cannot_move_a_normal_only_threshold(
    rule: ThresholdRule, data: tuple[FloatArray, BoolArray], other: float
) -> None:
    scores, abnormal = data
    scores = np.clip(scores, -1e150, 1e150)  # so that the square of a deviation stays finite
    if (~abnormal).sum() < 2:
        return
    assert rule.supervision == "normal_only"
    before = Detector("d", Reconstruction(), rule).choose(scores, abnormal)
    changed = np.where(abnormal, other, scores)
    without = scores[~abnormal]
    assert Detector("d", Reconstruction(), rule).choose(changed, abnormal) == before
    assert Detector("d", Reconstruction(), rule).choose(without, none_of(without)) == before
    assert rule.choose(changed, abnormal) == before.value


class Witness:
    """A rule that remembers what it was handed."""

    def __init__(self, supervision: Supervision) -> None:
        self.supervision: Supervision = supervision
        self.scores: FloatArray = np.zeros(0)
        self.abnormal: BoolArray = np.zeros(0, bool)

    def choose(self, scores: FloatArray, abnormal: BoolArray) -> float:
        self.scores, self.abnormal = scores, abnormal
        return 1.0


def test_a_normal_only_rule_is_never_handed_abnormal_scores() -> None:
    scores, abnormal = np.array([4.0, 1.0, 3.0]), np.array([True, False, False])
    blind, sighted = Witness("normal_only"), Witness("val_labelled")
    threshold = Detector("d", Reconstruction(), blind).choose(scores, abnormal)
    assert blind.scores.tolist() == [1.0, 3.0]
    assert not blind.abnormal.any()
    assert (threshold.n_normal, threshold.n_abnormal, threshold.supervision) == (2, 0, "normal_only")
    threshold = Detector("d", Reconstruction(), sighted).choose(scores, abnormal)
    assert sighted.scores.tolist() == scores.tolist()
    assert (threshold.n_normal, threshold.n_abnormal) == (2, 1)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_scores_that_are_not_finite_choose_nothing(broken: float) -> None:
    detector = Detector("knn", Reconstruction(), Quantile())
    with pytest.raises(RunError, match=r"'knn'.*not finite"):
        detector.choose(np.array([1.0, broken]), np.array([False, True]))
    assert detector.threshold is None


def test_fixed_returns_its_value_and_what_was_admitted() -> None:
    for supervision in ("normal_only", "val_labelled", "oracle"):
        rule = Fixed(0.75, supervision)
        assert rule.choose(np.zeros(0), np.zeros(0, bool)) == 0.75
        assert rule.supervision == supervision


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1, 98.0])
def test_quantile_refuses_what_is_no_share(q: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Quantile(q)


def test_threshold_file_keeps_every_digit(tmp_path: Path) -> None:
    threshold = Threshold(0.1 + 0.2, "Quantile", "normal_only", 293, 0)
    threshold.write(tmp_path / "threshold.json")
    assert Threshold.read(tmp_path / "threshold.json") == threshold


def test_damaged_threshold_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "threshold.json"
    with pytest.raises(RunError, match="missing"):
        Threshold.read(path)
    path.write_text('{"value": 1.0}', encoding="utf-8")
    with pytest.raises(RunError, match="no threshold file"):
        Threshold.read(path)
    path.write_text('{"value": 1.', encoding="utf-8")
    with pytest.raises(RunError, match="damaged"):
        Threshold.read(path)
