"""Whitening: uncorrelated over time, shrunk as scikit-learn shrinks, and invertible."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf

from ecgan.data.transforms import whitening
from ecgan.data.transforms.whitening import Whitening
from ecgan.errors import ConfigError, DataError, RunError
from ecgan.types import FloatArray

few = settings(max_examples=30, deadline=None, derandomize=True)


def example(n: int = 40, channels: int = 3, length: int = 20, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(3, 2, (n, channels, length)).astype(np.float32)


def pieces(x: FloatArray, sizes: list[int]) -> Iterator[FloatArray]:
    yield from np.split(x, np.cumsum(sizes))


def colored(n: int, channels: int, length: int, seed: int = 0) -> FloatArray:
    """Series whose neighboring samples are alike, on a mean that changes over time."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, channels, length + 4))
    smooth = sum(x[..., k : k + length] * weight for k, weight in enumerate((0.2, 0.5, 1, 0.5, 0.2)))
    scale = np.asarray([[5.0], [0.1]])[:channels]
    x = np.asarray(smooth * scale + 30 * np.sin(np.arange(length)))
    return x.astype(np.float32)


@few
@given(st.lists(st.integers(1, 8), min_size=1, max_size=5), st.sampled_from([0.0, 1e4, -3e4]), st.integers(0, 99))
def test_whitening_is_fitted_in_chunks_as_at_once(sizes: list[int], offset: float, seed: int) -> None:
    x = (example(n=40, seed=seed).astype(np.float64) + offset).astype(np.float32)
    whole, chunked = Whitening(), Whitening()
    whole.fit([x])
    chunked.fit(chunk for chunk in pieces(x, sizes) if len(chunk))
    for name, values in whole.learned.items():
        size = np.abs(values).max()
        assert np.allclose(values, chunked.learned[name], rtol=1e-6, atol=1e-9 * size), name


def test_whitened_training_series_are_uncorrelated_with_variance_one() -> None:
    x = colored(3000, 2, 12)
    transform = Whitening(shrinkage=0)
    transform.fit(pieces(x, [1000, 17]))
    y = transform(x).astype(np.float64)
    assert np.abs(y.mean(axis=0)).max() < 1e-3
    for channel in range(2):
        assert np.allclose(np.cov(y[:, channel], rowvar=False, bias=True), np.eye(12), atol=2e-3)
        # of all whitening transforms ZCA is the symmetric one: each sample remains most like itself
        correlation = np.corrcoef(x[:, channel], y[:, channel], rowvar=False)[:12, 12:]
        assert (correlation.argmax(axis=1) == np.arange(12)).all()
        assert np.allclose(transform._matrices()[0][channel], transform._matrices()[0][channel].T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 5, 40, 1000])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_default_shrinkage_is_that_of_ledoit_and_wolf(n: int, offset: float) -> None:
    x = (colored(n + 3, 2, 16).astype(np.float64) + offset).astype(np.float32)
    transform = Whitening()
    transform.fit(pieces(x, [1, n]))
    for channel in range(2):
        covariance, shrinkage = ledoit_wolf(x[:, channel].astype(np.float64))
        assert transform["shrinkage"][channel] == pytest.approx(shrinkage, rel=1e-6)
        assert np.allclose(transform["covariance"][channel], covariance, rtol=1e-6, atol=1e-9 * covariance.max())
    assert transform.state()["shrinkage"] == pytest.approx(transform["shrinkage"].tolist(), rel=1e-5)


def test_whitening_of_fewer_series_than_samples_is_invertible_and_floored() -> None:
    x = colored(4, 1, 30)
    for shrinkage in (None, 0.0, 1.0):
        transform = Whitening(shrinkage)
        transform.fit([x])
        other = colored(3, 1, 30, seed=9)
        assert np.allclose(transform.inverse(transform(other)), other, atol=2e-3 * np.abs(other).max())
        whiten, color = transform._matrices()
        assert np.linalg.cond(color[0].astype(np.float64)) < 1.1e3
        assert np.allclose(whiten[0] @ color[0], np.eye(30), atol=1e-2)
    deviation = np.sqrt(((x - x.mean(axis=0)) ** 2).mean())
    assert np.allclose(transform(x), (x - x.mean(axis=0)) / deviation, atol=1e-4), "only scaled at full shrinkage"


def test_state_of_a_whitening_is_small_and_tells_training_parts_apart() -> None:
    x = example(n=60)
    states = []
    for data in (x, x.copy(), np.concatenate([x[:-1], x[-1:] + np.float32(1e-3)])):
        transform = Whitening()
        transform.fit([data])
        states.append(transform.state())
    assert states[0] == states[1]
    assert states[0]["sha256"] != states[2]["sha256"]
    assert len(json.dumps(states[0])) < 300
    loaded = Whitening()
    with pytest.raises(RunError, match="by its checksum only"):
        loaded.load_state(states[2])
    loaded.load_state(transform.learned)
    assert np.array_equal(loaded(x), transform(x))
    assert loaded.state() == states[2]


def test_whitening_refuses_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match=r"transform\.shrinkage is .* between 0 and 1"):
            Whitening(wrong)
    monkeypatch.setattr(whitening, "LARGEST", 100)
    with pytest.raises(DataError, match=r"3 channels of 20 samples is too large"):
        Whitening().fit([example()])


@pytest.mark.parametrize("shrinkage", [None, 0.0, 1.0])
def test_training_series_that_do_not_differ_are_refused_in_words_of_their_own(shrinkage: float | None) -> None:
    x = example(n=6)
    with pytest.raises(DataError, match="only one training series, but transform=whitening needs some that differ"):
        Whitening(shrinkage).fit([x[:1]])
    alike = x.copy()
    alike[:, 2] = x[0, 2]
    with pytest.raises(DataError, match=r"Channel 2 is the same in all 6 training series.*transform=per_series"):
        Whitening(shrinkage).fit(pieces(alike, [1, 2]))
    alike[:, 0] = 4
    with pytest.raises(DataError, match="Channel 0 is constant over the training part"):
        Whitening(shrinkage).fit([alike])
