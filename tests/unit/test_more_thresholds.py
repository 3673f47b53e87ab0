"""The rules mad, extreme_value and cost against independent references, and what all rules refuse."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto

from ecgan.detect.extreme_value import ExtremeValue, fit_tail
from ecgan.detect.labelled_thresholds import Cost, MaxF1, Oracle, Youden
from ecgan.detect.thresholds import Fixed, Mad, MeanStd, Quantile
from ecgan.errors import ConfigError, DataError
from ecgan.types import BoolArray, FloatArray, ThresholdRule

exact = settings(deadline=None, derandomize=True, max_examples=100)
NORMAL_ONLY: tuple[ThresholdRule, ...] = (Quantile(), MeanStd(), Mad(), ExtremeValue())
LABELLED: tuple[ThresholdRule, ...] = (MaxF1(), Youden(), Cost(), Oracle())
by_name = {"ids": lambda rule: type(rule).__name__}


def none_of(scores: FloatArray) -> BoolArray:
    """No series is abnormal."""
    return np.zeros(len(scores), bool)


@exact
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), st.floats(-1, 6))
def test_mad_equals_the_statistics_module(values: list[float], k: float) -> None:
    median = statistics.median(values)
    deviation = statistics.median(abs(value - median) for value in values)
    scores = np.array(values)
    if deviation == 0:
        with pytest.raises(DataError, match=r"half of the validation normals or more.*threshold=quantile"):
            Mad(k).choose(scores, none_of(scores))
    else:
        expected = median + k * 1.4826 * deviation
        assert Mad(k).choose(scores, none_of(scores)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_mad_of_normal_scores_is_that_of_mean_std_and_does_not_mind_strays() -> None:
    scores = np.random.default_rng(0).normal(2.0, 0.5, 20_000)
    assert Mad(3.0).choose(scores, none_of(scores)) == pytest.approx(3.5, abs=0.05)
    scores[:1000] = 100.0
    assert Mad(3.0).choose(scores, none_of(scores)) < 3.8
    assert MeanStd(3.0).choose(scores, none_of(scores)) > 60


@pytest.mark.parametrize("shape", [-0.25, -0.1, 0.0, 0.3, 0.8])
def test_tail_is_as_likely_as_the_one_that_scipy_finds(shape: float) -> None:
    excess = genpareto.rvs(shape, scale=3e-4, size=300, random_state=np.random.default_rng(4))
    found, scale = fit_tail(excess)
    reference = genpareto.fit(excess / 3e-4, shape, floc=0)
    of_reference = genpareto.logpdf(excess / 3e-4, *reference).sum()
    assert genpareto.logpdf(excess / 3e-4, found, 0, scale / 3e-4).sum() >= of_reference - 1e-5
    assert found == pytest.approx(reference[0], abs=1e-3)
    assert scale / 3e-4 == pytest.approx(reference[2], rel=1e-3)


@exact
@given(st.lists(st.floats(1e-3, 1e3), min_size=10, max_size=40))
def test_tail_scales_with_the_scores_and_keeps_its_shape_in_bounds(values: list[float]) -> None:
    excess = np.array(values)
    shape, scale = fit_tail(excess)
    assert -0.5 - 1e-6 <= shape <= 1 + 1e-6
    assert 0 < scale < math.inf
    larger = fit_tail(excess * 1024)  # exact in floats
    assert larger == pytest.approx((shape, scale * 1024), rel=1e-9)


@pytest.mark.parametrize("draw", ["exponential", "standard_normal", "gumbel"])
def test_extreme_value_keeps_the_rate_beyond_what_it_has_seen(draw: str) -> None:
    rng, rate = np.random.default_rng(8), 1e-3
    new = np.sort(getattr(rng, draw)(size=500_000))
    shares = []
    for _ in range(60):
        seen = getattr(rng, draw)(size=400)  # of which 0.4 are expected above the wanted quantile
        threshold = ExtremeValue(rate).choose(seen, none_of(seen))
        shares.append(1 - np.searchsorted(new, threshold, side="right") / len(new))
    assert rate / 2 < np.median(shares) < 2 * rate


def test_extreme_value_is_the_quantile_of_the_fitted_tail() -> None:
    scores = np.random.default_rng(2).gamma(3.0, size=500)
    start = np.quantile(scores, 0.9)
    shape, scale = fit_tail(scores[scores > start] - start)
    expected = start + genpareto.ppf(1 - 0.002 * 500 / 50, shape, 0, scale)
    assert ExtremeValue(0.002).choose(scores, none_of(scores)) == pytest.approx(expected)


def test_extreme_value_refuses_a_tail_that_says_nothing() -> None:
    rule = ExtremeValue()
    few = np.arange(90.0)
    with pytest.raises(DataError, match=r"needs 10 validation normals or more above .* there are 9; lower"):
        rule.choose(few, none_of(few))
    enough = np.arange(100.0)
    assert rule.choose(enough, none_of(enough)) > np.quantile(enough, 0.9)
    flat = np.repeat([0.0, 1.0], [90, 10])
    with pytest.raises(DataError, match=r"all of the 10 highest are equal"):
        rule.choose(flat, none_of(flat))
    tied = np.repeat([1.0, 2.0, 3.0], [150, 50, 12])  # 12 above the quantile where 17 may be
    with pytest.raises(DataError, match=r"needs 17 validation normals .* there are 12"):
        ExtremeValue(0.08).choose(tied, none_of(tied))


def test_extreme_value_and_cost_refuse_wrong_settings() -> None:
    with pytest.raises(ConfigError, match=r"threshold\.level is 1\.5"):
        ExtremeValue(level=1.5)
    for rate in (0.0, 0.2, math.nan):
        with pytest.raises(ConfigError, match=rf"threshold\.rate is {rate} .*1 - threshold\.level"):
            ExtremeValue(rate, 0.9)
    for miss, false_alarm, key in ((0.0, 1.0, "miss"), (1.0, -1.0, "false_alarm"), (math.inf, 1.0, "miss")):
        with pytest.raises(ConfigError, match=rf"threshold\.{key} is .* above 0"):
            Cost(miss, false_alarm)
    for share in (0.0, 1.0, math.nan):
        with pytest.raises(ConfigError, match=r"threshold\.prevalence"):
            Cost(prevalence=share)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_settings_that_are_no_numbers_are_refused(value: float) -> None:
    for make in (MeanStd, Mad):
        with pytest.raises(ConfigError, match=r"threshold\.k is .* finite"):
            make(value)
    with pytest.raises(ConfigError, match=r"threshold\.value is .* finite"):
        Fixed(value, "normal_only")


@exact
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.5]), st.booleans()), min_size=2, max_size=30),
    st.integers(1, 20),
    st.integers(1, 20),
    st.none() | st.integers(1, 99),
)
def test_cost_equals_brute_force(
    series: list[tuple[float, bool]], miss: int, false_alarm: int, percent: int | None
) -> None:
    scores = np.array([score for score, _ in series])
    abnormal = np.array([odd for _, odd in series])
    if abnormal.all() or not abnormal.any():
        return
    positives, negatives = int(abnormal.sum()), int((~abnormal).sum())
    share = Fraction(positives, len(series)) if percent is None else Fraction(percent, 100)

    def cost(alarm: BoolArray) -> Fraction:
        missed, false = int((abnormal & ~alarm).sum()), int((alarm & ~abnormal).sum())
        return miss * share * Fraction(missed, positives) + false_alarm * (1 - share) * Fraction(false, negatives)

    cuts = [-math.inf, *sorted(set(scores.tolist()))]
    best = min(cost(scores > cut) for cut in cuts)
    alarm = scores > Cost(miss, false_alarm, None if percent is None else percent / 100).choose(scores, abnormal)
    assert cost(alarm) == best
    assert int(alarm.sum()) == max(int((scores > cut).sum()) for cut in cuts if cost(scores > cut) == best)


def test_dear_misses_lower_the_threshold_and_rare_anomalies_raise_it() -> None:
    rng = np.random.default_rng(0)
    abnormal = rng.random(400) < 0.3
    scores = rng.normal(size=400) + 1.5 * abnormal
    by_miss = [Cost(miss, 1.0).choose(scores, abnormal) for miss in (0.01, 1, 5, 1000)]
    assert by_miss == sorted(by_miss, reverse=True)
    assert by_miss[0] >= scores[~abnormal].max()  # no false alarm at all
    assert by_miss[-1] < scores[abnormal].min()
    rare, frequent = (Cost(5.0, 1.0, share).choose(scores, abnormal) for share in (0.01, 0.6))
    assert rare > frequent


@pytest.mark.parametrize(("miss", "alarms"), [(10.0, 4), (0.1, 0)])
def test_cost_of_constant_scores_calls_all_or_none_abnormal(miss: float, alarms: int) -> None:
    scores, abnormal = np.full(4, 2.0), np.array([True, False, False, True])
    assert (scores > Cost(miss).choose(scores, abnormal)).sum() == alarms


CONSTANT = {Quantile: 2.0, MeanStd: 2.0, Mad: DataError, ExtremeValue: DataError}
ONE = {Quantile: 2.0, MeanStd: DataError, Mad: DataError, ExtremeValue: DataError}


@pytest.mark.parametrize("rule", NORMAL_ONLY, **by_name)
@pytest.mark.parametrize(("count", "answers"), [(200, CONSTANT), (1, ONE)], ids=["constant", "one"])
def test_constant_scores_and_a_single_normal(
    rule: ThresholdRule, count: int, answers: dict[type, float | type[DataError]]
) -> None:
    answer, scores = answers[type(rule)], np.full(count, 2.0)
    if isinstance(answer, float):
        assert rule.choose(scores, none_of(scores)) == answer
    else:
        with pytest.raises(answer, match=r"threshold=|enlarge"):
            rule.choose(scores, none_of(scores))


@pytest.mark.parametrize("rule", NORMAL_ONLY, **by_name)
def test_a_part_without_normals_is_refused(rule: ThresholdRule) -> None:
    for count in (0, 4):
        with pytest.raises(DataError, match="no normal series to choose a threshold from"):
            rule.choose(np.arange(float(count)), np.ones(count, bool))


@pytest.mark.parametrize("rule", [*NORMAL_ONLY, *LABELLED], **by_name)
@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_no_rule_chooses_from_what_is_no_number(rule: ThresholdRule, broken: float) -> None:
    scores = np.concatenate([np.arange(300.0), [broken]])
    with pytest.raises(DataError, match="A score is not finite"):
        rule.choose(scores, np.arange(301) % 3 == 1)


@pytest.mark.parametrize("rule", NORMAL_ONLY, **by_name)
@exact
@given(st.integers(0, 1000), st.floats(-1e6, 1e6))
def test_abnormal_scores_cannot_move_a_normal_only_threshold(rule: ThresholdRule, seed: int, other: float) -> None:
    rng = np.random.default_rng(seed)
    scores, abnormal = rng.gumbel(size=300), rng.random(300) < 0.3
    before = rule.choose(scores, abnormal)
    assert rule.choose(np.where(abnormal, other, scores), abnormal) == before
    assert math.isfinite(before)
