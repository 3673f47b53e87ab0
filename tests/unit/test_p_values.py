"""Conformal p-values against counting, and what they promise of new normals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.errors import DataError
from ecgan.evaluate.p_values import calibration_metrics, p_values
from ecgan.evaluate.predictions import scores as table_of

exact = settings(deadline=None, derandomize=True, max_examples=100)
tied = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0, math.inf]) | st.floats(-10, 10), min_size=1, max_size=20)


@exact
@given(tied, tied)
def test_p_values_count_the_normals_that_score_as_high(scores: list[float], normals: list[float]) -> None:
    expected = [(1 + sum(normal >= score for normal in normals)) / (len(normals) + 1) for score in scores]
    found = p_values(np.array(scores), np.array(normals))
    assert found.tolist() == expected
    assert (found >= 1 / (len(normals) + 1)).all()


def test_p_values_of_new_normals_are_as_rare_as_they_say() -> None:
    rng, rates = np.random.default_rng(3), []
    for _ in range(2000):
        p = p_values(rng.gumbel(size=20), rng.gumbel(size=39))
        rates.append([(p <= level).mean() for level in (0.05, 0.25, 0.5)])
    # 39 normals: exactly 2, 10 and 20 of 40 ranks
    np.testing.assert_allclose(np.mean(rates, axis=0), [0.05, 0.25, 0.5], atol=0.01)


@pytest.mark.parametrize(("scores", "normals"), [([1.0], []), ([math.nan], [1.0]), ([1.0], [1.0, math.nan])])
def test_what_has_no_p_value_is_refused(scores: list[float], normals: list[float]) -> None:
    with pytest.raises(DataError, match=r"no validation normals|is NaN"):
        p_values(np.array(scores), np.array(normals))


def part(label: list[int], score: list[float]) -> object:
    return table_of(np.arange(len(label)), None, np.array(label), np.array(score))


def test_false_alarms_are_those_of_test_normals_against_validation_normals() -> None:
    validation = part([0] * 39 + [1, 2], [float(i) for i in range(39)] + [900.0, 901.0])
    # of four normals, two score as high as one validation normal or none; the abnormal one does not count
    test = part([0, 0, 0, 0, 1], [38.0, 39.0, 37.0, 5.0, 50.0])
    assert calibration_metrics(test, validation) == {"false_alarms_at_5": 0.5}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("test", "n_normal"), [(([1, 1], [1.0, 2.0]), 50), (([0, 1], [1.0, 2.0]), 18), (([0, 1], [1.0, 2.0]), 0)]
)
def test_false_alarms_are_undefined_where_nothing_could_be_one(
    test: tuple[list[int], list[float]], n_normal: int
) -> None:
    validation = part([0] * n_normal + [1], [0.0] * n_normal + [3.0])
    assert math.isnan(calibration_metrics(part(*test), validation)["false_alarms_at_5"])  # type: ignore[arg-type]
