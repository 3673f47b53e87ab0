"""All measures together: what identical distributions, collapse, copies, small and broken sets give."""

from __future__ import annotations

import math
import warnings
from dataclasses import FrozenInstanceError
from typing import NamedTuple

import numpy as np
import pytest

from ecgan.errors import DataError, EcganError
from ecgan.evaluate.generation.quality import Measure, judge
from ecgan.types import FloatArray, IntArray

QUICK = {"mmd", "frechet", "precision", "recall", "density", "coverage", "spectrum"}
LABELED = {"tstr_f1", "tstr_auroc", "trts_f1", "trts_auroc"}
ALL = QUICK | LABELED | {"mmd_null_95", "dtw", "discriminative", "memorized"}
SHARES = {"precision", "recall", "coverage", "memorized", "spectrum", "discriminative"} | LABELED


class Sample(NamedTuple):
    x: FloatArray
    label: IntArray


def waves(n: int, seed: int) -> Sample:
    """Two channels of slow waves (class 0) and faster ones (class 1), with random phase, amplitude and noise."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    phase, amplitude = rng.uniform(0, 1, (n, 1, 1)), rng.normal(1, 0.2, (n, 2, 1))
    x = amplitude * np.sin(2 * np.pi * (np.where(label, 3, 2)[:, None, None] * np.linspace(0, 1, 48) + phase))
    return Sample((x + rng.normal(0, 0.2, x.shape)).astype(np.float32), label)


TRAIN, HELD_OUT, FRESH = waves(300, 0), waves(250, 1), waves(300, 2)


def labeled(generated: Sample) -> dict[str, Measure]:
    return judge(
        TRAIN.x,
        HELD_OUT.x,
        generated.x,
        train_label=TRAIN.label,
        held_out_label=HELD_OUT.label,
        generated_label=generated.label,
    )


@pytest.fixture(scope="module")
def perfect() -> dict[str, Measure]:
    return labeled(FRESH)


def test_all_measures_are_there(perfect: dict[str, Measure]) -> None:
    assert set(perfect) == ALL
    for name, measure in perfect.items():
        assert math.isfinite(measure.value), name
        if name != "mmd_null_95":
            assert math.isfinite(measure.reference), name
            assert measure.low <= measure.value <= measure.high, name
        if name in SHARES:
            assert 0 <= measure.low <= measure.high <= 1, name
    with pytest.raises(FrozenInstanceError):
        perfect["mmd"].value = 0.0  # type: ignore[misc]


def test_the_real_distribution_gives_about_the_reference(perfect: dict[str, Measure]) -> None:
    tolerance = {"frechet": 0.03, "density": 0.15, "dtw": 0.2, "mmd": 0.01}
    for name in ALL - {"mmd_null_95"}:
        assert perfect[name].value == pytest.approx(perfect[name].reference, abs=tolerance.get(name, 0.07)), name
    assert perfect["mmd"].value < 2 * perfect["mmd_null_95"].value
    assert perfect["memorized"].value == pytest.approx(0.05, abs=0.04)
    assert perfect["discriminative"].low < 0.05
    assert perfect["tstr_auroc"].value > 0.95


def test_the_training_series_themselves_give_the_reference() -> None:
    found = judge(TRAIN.x, HELD_OUT.x, TRAIN.x)
    for name in QUICK:
        assert found[name].value == pytest.approx(found[name].reference, rel=1e-4, abs=1e-5), name
    assert found["memorized"].value == 1, "but they are known to be copies"
    assert found["memorized"].reference < 0.1


def test_mode_collapse_is_caught(perfect: dict[str, Measure]) -> None:
    one = judge(TRAIN.x, HELD_OUT.x, np.repeat(FRESH.x[:1], 300, axis=0))
    assert one["recall"].value < 0.02 < perfect["recall"].low
    assert one["coverage"].value < 0.1 < perfect["coverage"].low
    assert one["mmd"].low > perfect["mmd"].high
    assert one["frechet"].low > perfect["frechet"].high
    assert one["discriminative"].value > 0.4
    one_class = judge(TRAIN.x, HELD_OUT.x, FRESH.x[FRESH.label == 0])
    assert one_class["precision"].value > 0.85, "every series is a good one"
    assert one_class["coverage"].value < 0.7 < one_class["coverage"].reference
    assert one_class["recall"].value < 0.85 * one_class["recall"].reference


def test_held_out_series_themselves_are_told_apart_worse_than_by_chance() -> None:
    """Each one has a copy with the other label in training: the score counts that, and its interval holds the score."""
    found = judge(TRAIN.x, HELD_OUT.x, HELD_OUT.x)
    assert found["discriminative"].value > 0.1
    assert 0 < found["discriminative"].low <= found["discriminative"].value <= found["discriminative"].high
    assert found["precision"].value == found["recall"].value == found["coverage"].value == 1
    assert found["frechet"].value == pytest.approx(0, abs=1e-9)
    assert found["dtw"].value == found["spectrum"].value == 0


def test_one_class_teaches_nothing_but_can_be_recognized() -> None:
    found = labeled(Sample(FRESH.x[FRESH.label == 1], FRESH.label[FRESH.label == 1]))
    assert math.isnan(found["tstr_f1"].value)
    assert math.isnan(found["trts_auroc"].value)
    assert found["trts_f1"].value > 0.9
    assert found["tstr_f1"].reference == found["trts_f1"].reference > 0.9


def test_wrong_labels_are_caught_by_classifiers_only(perfect: dict[str, Measure]) -> None:
    found = labeled(Sample(FRESH.x, 1 - FRESH.label))
    assert found["tstr_auroc"].high < 0.1
    assert found["trts_f1"].high < 0.1
    assert {name: found[name] for name in ALL - LABELED} == {name: perfect[name] for name in ALL - LABELED}


@pytest.mark.parametrize(
    ("worse", "names"),
    [
        (FRESH.x + 0.3, {"mmd", "frechet", "discriminative"}),
        (FRESH.x * 1.5, {"mmd", "frechet", "discriminative"}),
        (FRESH.x[:, :, ::-1].copy() * np.array([1, -1], np.float32)[:, None], {"mmd", "frechet"}),
        (FRESH.x[:, :, ::4].repeat(4, -1), {"frechet", "spectrum", "dtw", "discriminative"}),
    ],
    ids=["level", "amplitude", "channels in opposite directions", "steps"],
)
def test_faults_are_seen(worse: FloatArray, names: set[str], perfect: dict[str, Measure]) -> None:
    found = judge(TRAIN.x, HELD_OUT.x, worse)
    for name in names:
        assert found[name].low > perfect[name].high, name


def test_the_quick_form_has_the_same_values_and_no_intervals(perfect: dict[str, Measure]) -> None:
    quick = judge(TRAIN.x, HELD_OUT.x, FRESH.x, thorough=False)
    assert set(quick) == QUICK
    for name, measure in quick.items():
        assert (measure.value, measure.reference) == (perfect[name].value, perfect[name].reference)
        assert math.isnan(measure.low)
        assert math.isnan(measure.high)


def test_the_seed_decides_everything_and_nothing_is_changed() -> None:
    parts = [s.x[:80].copy() for s in (TRAIN, HELD_OUT, FRESH)]
    first, again = judge(*parts, bootstrap=20, seed=1), judge(*parts, bootstrap=20, seed=1)
    for name in ALL - LABELED:
        assert repr(first[name]) == repr(again[name])
    assert judge(*parts, bootstrap=20, seed=2)["mmd"].low != first["mmd"].low
    for part, sample in zip(parts, (TRAIN, HELD_OUT, FRESH), strict=True):
        np.testing.assert_array_equal(part, sample.x[:80])


def test_without_labels_classifiers_are_undefined() -> None:
    found = judge(TRAIN.x, HELD_OUT.x, FRESH.x, train_label=TRAIN.label, held_out_label=HELD_OUT.label, bootstrap=5)
    for name in LABELED:
        assert math.isnan(found[name].value)
        assert math.isnan(found[name].reference)


def test_sizes_are_made_equal() -> None:
    """Recall and coverage grow with the number of generated series, so the larger set must not win by size."""
    few = judge(TRAIN.x[:60], HELD_OUT.x, FRESH.x, thorough=False)
    for name in ("recall", "coverage"):
        assert few[name].value == pytest.approx(few[name].reference, abs=0.12), name
    capped = judge(TRAIN.x, HELD_OUT.x, FRESH.x, thorough=False, max_series=60)
    assert capped["coverage"].value != few["coverage"].value
    assert capped["coverage"].value == pytest.approx(capped["coverage"].reference, abs=0.15)


def test_copies_are_found_among_all_training_series() -> None:
    found = judge(TRAIN.x, HELD_OUT.x, TRAIN.x[::-1][:50], bootstrap=5, max_series=50)
    assert found["memorized"].value == 1


@pytest.mark.parametrize("sizes", [(20, 20, 20), (20, 7, 30), (1, 1, 1), (2, 3, 2), (6, 6, 1)])
def test_tiny_sets(sizes: tuple[int, int, int]) -> None:
    parts = [sample.x[:n] for sample, n in zip((TRAIN, HELD_OUT, FRESH), sizes, strict=True)]
    labels = [sample.label[:n] for sample, n in zip((TRAIN, HELD_OUT, FRESH), sizes, strict=True)]
    names = ("train_label", "held_out_label", "generated_label")
    found = judge(*parts, **dict(zip(names, labels, strict=True)), bootstrap=10)
    assert set(found) == ALL
    if min(sizes) == 20:
        assert all(math.isfinite(measure.value) for measure in found.values())


@pytest.mark.parametrize("constant", [(False, False, True), (True, False, False), (True, True, True)])
def test_constant_series(constant: tuple[bool, bool, bool]) -> None:
    parts = [
        np.full_like(sample.x[:60], 0.3) if flat else sample.x[:60]
        for sample, flat in zip((TRAIN, HELD_OUT, FRESH), constant, strict=True)
    ]
    found = judge(*parts, bootstrap=10)
    assert set(found) == ALL
    if constant == (False, False, True):
        assert found["spectrum"].value == 1
        assert found["recall"].value == 0
        assert found["coverage"].value < 0.1
    if all(constant):
        assert math.isnan(found["mmd"].value)
        assert math.isnan(found["spectrum"].value)


@pytest.mark.parametrize("size", [1e12, 1e38])
def test_huge_values_do_not_overflow(size: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = judge(TRAIN.x, HELD_OUT.x, (FRESH.x * size).clip(-3e38, 3e38), bootstrap=10)
    assert all(math.isfinite(found[name].value) for name in ALL - LABELED)
    assert found["precision"].value == found["coverage"].value == 0
    assert found["discriminative"].value > 0.4


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    broken = FRESH.x.copy()
    broken[[3, 70], 1, 5] = value
    with pytest.raises(EcganError, match="2 of 300 generated series hold NaN or infinite values"):
        judge(TRAIN.x, HELD_OUT.x, broken)
    with pytest.raises(DataError, match="2 of 300 held-out series"):
        judge(TRAIN.x, broken, FRESH.x)


def test_series_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"generated series have shape \(2, 40\), the training series \(2, 48\)"):
        judge(TRAIN.x, HELD_OUT.x, FRESH.x[:, :, :40])
    with pytest.raises(DataError, match="no generated series"):
        judge(TRAIN.x, HELD_OUT.x, FRESH.x[:0])
