"""The embedding: kernels against a naive loop, the same for everybody, components against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from ecgan.errors import DataError
from ecgan.evaluate.generation.embedding import Embedding, RandomConvolutions, Standard
from ecgan.types import FloatArray


def noise(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def test_features_are_maxima_and_proportions_of_positive_values() -> None:
    x = noise(3, 2, 40)
    convolutions = RandomConvolutions(2, 40)
    expected = []
    for group in convolutions.groups:
        maxima, positive = [], []
        for weight, bias in zip(group.weight.numpy(), group.bias.numpy(), strict=True):
            places = range(40 - 8 * group.dilation)
            taps = np.arange(9) * group.dilation
            out = np.array([[bias + (weight * s[group.channels][:, p + taps]).sum() for p in places] for s in x])
            maxima.append(out.max(1))
            positive.append((out > 0).mean(1))
        expected += maxima + positive
    np.testing.assert_allclose(convolutions(x), np.stack(expected, axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 12])
@pytest.mark.parametrize("seq_len", [9, 16, 140, 1250])
def test_any_length_and_number_of_channels(channels: int, seq_len: int) -> None:
    features = RandomConvolutions(channels, seq_len)(noise(4, channels, seq_len))
    assert features.shape == (4, 512)
    assert np.isfinite(features).all()
    assert (features.std(0) > 0).mean() > 0.7


@pytest.mark.parametrize("channels", [12, 40])
def test_no_channel_is_left_out(channels: int) -> None:
    convolutions = RandomConvolutions(channels, 32)
    x = noise(1, channels, 32)
    for channel in range(channels):
        other = x.copy()
        other[:, channel] *= -1
        assert not np.allclose(convolutions(other), convolutions(x)), f"channel {channel} does not matter"


def test_dilations_reach_over_the_whole_series() -> None:
    dilations = [group.dilation for group in RandomConvolutions(1, 187).groups]
    assert min(dilations) == 1
    assert 187 // 8 / 2 < max(dilations) <= 186 // 8


def test_a_series_has_the_same_features_in_any_company() -> None:
    x = noise(1000, 1, 187)
    convolutions = RandomConvolutions(1, 187)
    np.testing.assert_allclose(convolutions(x)[[0, 555, 999]], convolutions(x[[0, 555, 999]]), atol=1e-5)


def test_the_seed_alone_draws_the_kernels() -> None:
    x = noise(5, 1, 64)
    np.testing.assert_array_equal(RandomConvolutions(1, 64, seed=3)(x), RandomConvolutions(1, 64, seed=3)(x))
    assert not np.allclose(RandomConvolutions(1, 64, seed=3)(x), RandomConvolutions(1, 64, seed=4)(x))


def test_too_short_series_are_refused() -> None:
    with pytest.raises(DataError, match="8 samples are too short"):
        RandomConvolutions(1, 8)


def test_components_are_those_of_scikit_learn() -> None:
    reference, other = noise(200, 2, 50), noise(30, 2, 50, seed=1) + 0.3
    embedding = Embedding(reference, dims=6)
    standard = Standard(embedding.features(reference))
    pca = PCA(6, svd_solver="full").fit(standard(embedding.features(reference)))
    expected = pca.transform(standard(embedding.features(other))) / np.sqrt(512)
    sign = np.sign((pca.components_ * embedding.components.T).sum(1))
    np.testing.assert_allclose(embedding(other), expected * sign, atol=1e-6)


def test_the_embedding_does_not_depend_on_units() -> None:
    x, other = noise(50, 2, 64), noise(10, 2, 64, seed=1)
    unit = np.array([1000.0, 0.001], np.float32)[:, None]
    scaled = Embedding(x * unit + 5 * unit)
    # a PPV may jump by one sample where a value is at the threshold but for rounding
    np.testing.assert_allclose(np.abs(scaled(other * unit + 5 * unit)), np.abs(Embedding(x)(other)), atol=0.01)


def test_few_or_equal_series_give_few_components() -> None:
    assert Embedding(noise(5, 1, 64)).components.shape == (512, 4)
    constant = np.ones((5, 1, 64), np.float32)
    assert np.isfinite(Embedding(constant)(noise(3, 1, 64))).all()


def test_nearly_constant_features_are_not_blown_up() -> None:
    features = np.zeros((100, 2))
    features[:, 1] = np.linspace(-1, 1, 100)
    assert np.abs(Standard(features)(features + 0.1)[:, 0]).max() <= 5
    assert Standard(features)(features)[:, 1].std() == pytest.approx(1)
