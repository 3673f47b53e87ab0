"""Verdicts on arrays: scores in batches, p-values by a naive loop, and refusals in one sentence each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ecgan.errors import ConfigError, DataError, RunError
from published_detectors import Mean, by_hand


def test_scores_of_batches_are_those_of_single_series(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    true = Mean.score
    monkeypatch.setattr(Mean, "score", lambda *given: sizes.append(len(given[2])) or true(*given))
    detector = by_hand()
    x = np.random.default_rng(0).normal(0.5, 1, (11, 2, 8))
    score = detector.score(x)
    assert score.dtype == np.float64
    assert sizes == [4, 4, 3]
    assert np.allclose(score, [series.mean() for series in x], atol=1e-6)
    assert np.array_equal(detector.predict(x), [int(value > 0.5) for value in score])
    assert 0 < detector.predict(x).sum() < 11


def test_p_values_count_the_normals_that_score_as_high() -> None:
    detector = by_hand()
    values = [-1.0, 0.0, 0.25, 0.5, 0.9, 2.0]
    x = np.repeat(values, 16).reshape(6, 2, 8)
    score, normals = detector.score(x), np.arange(10) / 10
    naive = [(1 + sum(normal >= value for normal in normals)) / 11 for value in score]
    assert np.array_equal(detector.p_value(x), naive)
    assert naive[0] == 1.0
    assert naive[-1] == 1 / 11


def test_a_score_at_the_threshold_is_normal() -> None:
    assert by_hand().predict(np.full((1, 2, 8), 0.5)).tolist() == [0]
    assert by_hand().predict(np.full((1, 2, 8), np.nextafter(np.float32(0.5), np.float32(1)))).tolist() == [1]


@pytest.mark.parametrize("kind", ["float16", "float64", "int16", "uint8", ">f4"])
def test_any_real_type_is_taken(kind: str) -> None:
    x = np.arange(16).reshape(1, 2, 8)
    assert by_hand().score(x.astype(kind)).tolist() == [7.5]
    assert by_hand().score(x.tolist()).tolist() == [7.5]


REFUSED: dict[str, tuple[Any, str]] = {
    "two axes": (np.zeros((2, 8)), r"have the shape \(2, 8\)"),
    "no series": (np.zeros((0, 2, 8)), "the input is empty"),
    "one channel": (np.zeros((3, 1, 8)), r"1 channel\(s\), but the detector was trained on 2"),
    "too short": (np.zeros((3, 2, 7)), "have 7 samples, but the detector was trained on 8"),
    "missing value": (np.where(np.arange(48).reshape(3, 2, 8) == 20, np.nan, 0), "Series 1 holds a missing"),
    "infinite value": (np.where(np.arange(48).reshape(3, 2, 8) == 40, -np.inf, 0), "Series 2 holds a missing"),
    "beyond float32": (np.full((1, 2, 8), 1e300), "Series 0 holds a missing or infinite"),
    "text": (np.full((1, 2, 8), "a"), "give an array of real numbers"),
    "complex": (np.zeros((1, 2, 8), complex), "give an array of real numbers"),
    "objects": (np.full((1, 2, 8), None), "give an array of real numbers"),
    "ragged": ([[[0.0] * 8, [0.0] * 7]], "differ in length"),
}


@pytest.mark.parametrize(("x", "part"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("method", ["score", "predict", "p_value"])
def test_what_cannot_be_scored_is_refused(method: str, x: Any, part: str) -> None:
    with pytest.raises(DataError, match=part) as refused:
        getattr(by_hand(), method)(x)
    assert "\n" not in str(refused.value)


def test_a_score_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(RunError, match="'mean' gives a score that is not finite"):
        by_hand().score(np.full((1, 2, 8), 3e38))


def test_one_of_several_by_name() -> None:
    detector = by_hand(names=("one", "two"))
    assert detector.names == ("one", "two")
    assert detector.name == "one"
    assert detector.using("two").name == "two"
    assert list(detector.verdicts(np.zeros((1, 2, 8)))) == ["one", "two"]
    assert list(detector.verdicts(np.zeros((1, 2, 8)), ("two",))) == ["two"]
    with pytest.raises(ConfigError, match="did you mean 'two'"):
        detector.using("tw")
    with pytest.raises(ConfigError, match="did you mean 'two'"):
        detector.verdicts(np.zeros((1, 2, 8)), ("tw",))


def test_threads_of_the_caller_and_gradients_stay_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        by_hand().score(np.zeros((1, 2, 8)))
        assert torch.get_num_threads() == 2
        with pytest.raises(RunError):
            by_hand().score(np.full((1, 2, 8), 3e38))
        assert torch.get_num_threads() == 2
        assert torch.is_grad_enabled()
    finally:
        torch.set_num_threads(before)


def test_a_detector_shows_itself_in_one_line() -> None:
    shown = repr(by_hand())
    assert shown.startswith("PublishedDetector(")
    assert "2 x 8" in shown
    assert "0.5" in shown
    assert len(shown) < 200
