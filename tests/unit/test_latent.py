"""Distributions of latent vectors: their moments, what is fitted, and that they are drawn alike again."""

from __future__ import annotations

import io
import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from ecgan.networks.latent import BOUND, Distribution, Latent

N, SIZE = 40_000, 3
DISTRIBUTIONS = get_args(Distribution)


def truncated_variance() -> float:
    """Variance of the standard normal within [-BOUND, BOUND]: 1 - 2 b phi(b) / (2 Phi(b) - 1)."""
    density = math.exp(-(BOUND**2) / 2) / math.sqrt(2 * math.pi)
    return 1 - 2 * BOUND * density / math.erf(BOUND / math.sqrt(2))


VARIANCE: dict[Distribution, float] = {
    "normal": 1.0,
    "truncated_normal": truncated_variance(),
    "uniform": 1 / 3,
    "encoder": 1.0,  # before it is fitted
}


def drawn(latent: Latent, n: int = N, seed: int = 0, y: Tensor | None = None) -> Tensor:
    return latent.draw(n, torch.Generator().manual_seed(seed), torch.device("cpu"), y)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_moments(distribution: Distribution) -> None:
    z = drawn(Latent(SIZE, distribution)).double()
    assert z.shape == (N, SIZE)
    assert z.mean(0).abs().max() < 5 * math.sqrt(VARIANCE[distribution] / N)
    covariance = torch.cov(z.T)
    assert float((covariance - torch.eye(SIZE) * VARIANCE[distribution]).abs().max()) < 0.03


def test_bounds() -> None:
    truncated, uniform = (drawn(Latent(SIZE, name)) for name in ("truncated_normal", "uniform"))
    assert BOUND - 1e-2 < float(truncated.abs().max()) <= BOUND
    assert -1 <= float(uniform.min()) < -0.999
    assert 0.999 < float(uniform.max()) < 1


def test_truncation_keeps_the_shape_of_the_normal() -> None:
    z = drawn(Latent(1, "truncated_normal")).flatten()
    inside = math.erf(BOUND / math.sqrt(2))
    for point in (-1.5, -0.5, 0.0, 1.0):
        cdf = (0.5 * (1 + math.erf(point / math.sqrt(2))) - (1 - inside) / 2) / inside
        assert float((z < point).double().mean()) == pytest.approx(cdf, abs=0.01)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_same_seed_draws_the_same_vectors(distribution: Distribution) -> None:
    latent = Latent(SIZE, distribution)
    if latent.fitted:
        latent.fit(*clusters())
    assert torch.equal(drawn(latent, 100, 5), drawn(latent, 100, 5))
    assert not torch.equal(drawn(latent, 100, 5), drawn(latent, 100, 6))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_generator_leaves_torchs_own_stream_alone(distribution: Distribution) -> None:
    latent = Latent(SIZE, distribution)
    state = torch.get_rng_state()
    drawn(latent, 10)
    assert torch.equal(torch.get_rng_state(), state)
    latent.draw(10, None, torch.device("cpu"))
    assert not torch.equal(torch.get_rng_state(), state)


CENTERS = np.array([[6.0, 0.0, 0.0], [-6.0, 0.0, 0.0], [0.0, 8.0, 0.0]])
SHARES = np.array([0.5, 0.3, 0.2])
SPREAD = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 2.0]])
"""Cholesky factor of the covariance within each cluster."""


def clusters(n: int = 3000, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds of known shares, centers and covariance."""
    rng = np.random.default_rng(0)
    which = np.repeat(np.arange(3), (n * SHARES).astype(int))
    z = CENTERS[which] + rng.normal(size=(n, 3)) @ SPREAD.T + shift
    return z.astype(np.float32), np.zeros(n, np.int64)


def test_known_clusters_are_found_again() -> None:
    latent = Latent(SIZE, "encoder", components=3)
    latent.fit(*clusters())
    order = [int(np.argmin(((CENTERS - mean) ** 2).sum(1))) for mean in latent.mean[0].numpy()]
    assert sorted(order) == [0, 1, 2]
    for row, cluster in enumerate(order):
        assert float(latent.share[0, row]) == pytest.approx(SHARES[cluster], abs=0.01)
        np.testing.assert_allclose(latent.mean[0, row], CENTERS[cluster], atol=0.2)
        covariance = (latent.factor[0, row] @ latent.factor[0, row].T).numpy()
        np.testing.assert_allclose(covariance, SPREAD @ SPREAD.T, atol=0.35)


@pytest.mark.parametrize("components", [1, 3, 10])
def test_draws_have_the_moments_of_what_was_fitted(components: int) -> None:
    z, y = clusters()
    latent = Latent(SIZE, "encoder", components=components)
    latent.fit(z, y)
    new = drawn(latent).numpy()
    np.testing.assert_allclose(new.mean(0), z.mean(0), atol=0.15)
    np.testing.assert_allclose(np.cov(new.T), np.cov(z.T), atol=0.6)


def test_one_normal_mistakes_clusters_for_a_cloud_and_a_mixture_does_not() -> None:
    z, y = clusters()

    def near_a_center(components: int) -> float:
        latent = Latent(SIZE, "encoder", components=components)
        latent.fit(z, y)
        new = drawn(latent, 5000).numpy()
        return float((((new[:, None] - CENTERS) ** 2).sum(2).min(1) < 20).mean())

    real = float((((z[:, None] - CENTERS) ** 2).sum(2).min(1) < 20).mean())
    assert near_a_center(3) == pytest.approx(real, abs=0.02)
    assert near_a_center(1) < real - 0.2


def test_each_class_has_a_mixture_of_its_own() -> None:
    latent = Latent(SIZE, "encoder", groups=3, components=4)
    (a, _), (b, _) = clusters(600), clusters(900, shift=100.0)
    latent.fit(np.concatenate([a, b]), np.repeat([0, 2], [600, 900]))
    y = torch.tensor([0, 2]).repeat(2000)
    z = drawn(latent, 4000, y=y)
    assert float(z[y == 0].max()) < 50 < float(z[y == 2].min())
    torch.testing.assert_close(z[y == 0].mean(0), torch.from_numpy(a.mean(0)), rtol=0, atol=0.5)
    torch.testing.assert_close(z[y == 2].mean(0), torch.from_numpy(b.mean(0)), rtol=0, atol=0.5)
    nobody = drawn(latent, 4000, y=torch.ones(4000, dtype=torch.int64))  # a class without series
    torch.testing.assert_close(nobody.std(0), torch.ones(SIZE), rtol=0.05, atol=0)
    assert torch.equal(drawn(latent, 50), drawn(latent, 50, y=torch.zeros(50, dtype=torch.int64)))


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_is_fitted_to_a_single_encoding(n: int) -> None:
    latent, untouched = Latent(SIZE, "encoder", components=4), Latent(SIZE, "encoder", components=4)
    latent.fit(np.full((n, SIZE), 7.0, np.float32), np.zeros(n, np.int64))
    for name, value in untouched.state_dict().items():
        assert torch.equal(latent.state_dict()[name], value)


@pytest.mark.parametrize("n", [2, 3, 13])
def test_few_encodings_give_one_normal_with_finite_draws(n: int) -> None:
    latent = Latent(SIZE, "encoder", components=4)
    z = np.random.default_rng(0).normal(5, 1, (n, SIZE)).astype(np.float32)
    latent.fit(z, np.zeros(n, np.int64))
    assert latent.share[0].tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(latent.mean[0, 0], z.mean(0), rtol=1e-5)
    assert torch.isfinite(drawn(latent, 100)).all()


@pytest.mark.parametrize("n", [20, 400])
def test_equal_encodings_are_drawn_again_without_a_warning(n: int) -> None:
    latent = Latent(SIZE, "encoder")
    latent.fit(np.full((n, SIZE), 3.0, np.float32), np.zeros(n, np.int64))
    torch.testing.assert_close(drawn(latent, 50), torch.full((50, SIZE), 3.0), rtol=0, atol=1e-4)


def test_what_was_fitted_is_stored_with_shapes_that_do_not_depend_on_it() -> None:
    latent, fresh = (Latent(SIZE, "encoder", groups=2) for _ in range(2))
    latent.fit(*clusters())
    assert {name: value.shape for name, value in latent.state_dict().items()} == {
        name: value.shape for name, value in fresh.state_dict().items()
    }
    file = io.BytesIO()
    torch.save(latent.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    y = torch.arange(60) % 2
    assert torch.equal(drawn(fresh, 60, y=y), drawn(latent, 60, y=y))


@pytest.mark.parametrize("distribution", ["normal", "truncated_normal", "uniform"])
def test_fixed_distributions_store_nothing(distribution: Distribution) -> None:
    assert dict(Latent(SIZE, distribution).state_dict()) == {}


def test_fitting_again_forgets_what_was_fitted_before() -> None:
    twice, once = (Latent(SIZE, "encoder", components=5) for _ in range(2))
    twice.fit(*clusters(shift=50.0))
    few = np.random.default_rng(1).normal(size=(14, SIZE)).astype(np.float32)
    for latent in (twice, once):
        latent.fit(few, np.zeros(14, np.int64))
    assert torch.equal(drawn(twice, 100), drawn(once, 100))
