"""Terms that compare two things, against loops, closed forms and torch's own distributions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from ecgan.errors import ConfigError
from ecgan.losses import KL, ErrorName, FeatureMatching, Reconstruction, pointwise_error, reconstruction_error

DELTA = 0.7


def one_error(difference: float, error: str) -> float:
    """Error of one sample, spelled out."""
    d = abs(difference)
    if error == "huber":
        return d * d / 2 if d <= DELTA else DELTA * (d - DELTA / 2)
    return d if error == "l1" else d * d


def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 3, 7, generator=generator), torch.randn(4, 3, 7, generator=generator)


@pytest.mark.parametrize("error", ["l1", "l2", "huber"])
def test_reconstruction_error_is_the_mean_over_channels_and_time(error: ErrorName) -> None:
    x, x_hat = pair()
    expected = [
        sum(one_error(a - b, error) for a, b in zip(one.flatten().tolist(), two.flatten().tolist(), strict=True)) / 21
        for one, two in zip(x, x_hat, strict=True)
    ]
    assert reconstruction_error(x, x_hat, error, delta=DELTA).tolist() == pytest.approx(expected, rel=1e-5)
    loss = Reconstruction(error, weight=3.0, delta=DELTA)(x, x_hat)
    assert float(loss) == pytest.approx(3 * sum(expected) / 4, rel=1e-5)
    assert torch.equal(pointwise_error(x, x_hat, error, DELTA), pointwise_error(x_hat, x, error, DELTA))


def test_huber_changes_from_square_to_line_without_a_step_or_a_kink() -> None:
    d = torch.tensor([DELTA - 1e-4, DELTA + 1e-4], dtype=torch.float64).view(1, 1, 2)
    d.requires_grad_()
    values = pointwise_error(torch.zeros(1, 1, 2, dtype=torch.float64), d, "huber", DELTA)
    values.sum().backward()  # type: ignore[no-untyped-call]
    assert d.grad is not None
    assert float(values.detach().max() - values.detach().min()) < 3e-4
    assert d.grad.flatten().tolist() == pytest.approx([DELTA, DELTA], abs=2e-4)


def test_usual_errors_are_divided_out_sample_by_sample() -> None:
    x, x_hat = torch.tensor([[[1.0, 2.0]], [[0.0, 8.0]]]), torch.zeros(2, 1, 2)
    usual = torch.tensor([[0.5, 4.0]])
    assert reconstruction_error(x, x_hat, "l1", usual).tolist() == [(1 / 0.5 + 2 / 4) / 2, 1.0]
    assert torch.equal(reconstruction_error(x, x_hat, "l1", torch.ones(1, 2)), reconstruction_error(x, x_hat, "l1"))


def test_feature_matching_takes_the_real_features_as_constant() -> None:
    real = torch.tensor([[1.0, 2.0]], requires_grad=True)
    fake = torch.tensor([[3.0, 5.0]], requires_grad=True)
    loss = FeatureMatching(weight=2.0)(real, fake)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 2 * (4 + 9) / 2
    assert real.grad is None
    assert fake.grad is not None
    assert fake.grad.tolist() == [[4.0, 6.0]]


def moments(n: int = 6, latent: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, latent, generator=generator), torch.randn(n, latent, generator=generator) * 2


def test_kl_is_the_divergence_of_torchs_distributions_per_value() -> None:
    mean, log_variance = moments()
    of_torch = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert float(KL()(mean, log_variance, 64)) == pytest.approx(float(of_torch) / 64, rel=1e-5)
    assert float(KL(weight=0.25)(mean, log_variance, 64)) == pytest.approx(float(of_torch) / 256, rel=1e-5)


def test_kl_is_zero_for_the_prior_alone_and_never_negative() -> None:
    zero = torch.zeros(3, 4)
    assert float(KL()(zero, zero, 10)) == 0
    generator = torch.Generator().manual_seed(2)
    near = torch.randn(100, 1, generator=generator) * 1e-3
    assert all(float(KL()(near[i : i + 1], -near[i : i + 1], 1)) >= 0 for i in range(100))


def test_kl_pulls_towards_the_prior() -> None:
    mean, log_variance = torch.full((2, 1), 0.5, requires_grad=True), torch.full((2, 1), 1.0, requires_grad=True)
    KL()(mean, log_variance, 1).backward()  # type: ignore[no-untyped-call]
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert mean.grad.flatten().tolist() == pytest.approx([0.25, 0.25])  # mean / batch
    expected = (torch.e - 1) / 2 / 2  # (variance - 1) / 2 / batch
    assert log_variance.grad.flatten().tolist() == pytest.approx([expected, expected])


@pytest.mark.parametrize(
    ("settings", "factors"),
    [
        ({}, [2, 2, 2, 2, 2, 2, 2]),
        ({"warmup": 2}, [0, 0, 2, 2, 2, 2, 2]),
        ({"annealing": 3}, [0.5, 1, 1.5, 2, 2, 2, 2]),
        ({"warmup": 2, "annealing": 3}, [0, 0, 0.5, 1, 1.5, 2, 2]),
    ],
)
def test_kl_grows_along_a_line_after_its_warm_up(settings: dict[str, int], factors: list[float]) -> None:
    kl = KL(2.0, **settings)
    assert [kl.factor(epoch) for epoch in range(7)] == pytest.approx(factors)
    assert kl.factor(None) == 2
    mean, log_variance = moments()
    final = float(kl(mean, log_variance, 8))
    found = [float(kl(mean, log_variance, 8, epoch)) for epoch in range(7)]
    assert found == pytest.approx([final * factor / 2 for factor in factors], rel=1e-6)


@pytest.mark.parametrize("make", [Reconstruction, FeatureMatching, KL])
def test_terms_refuse_a_negative_weight(make: Any) -> None:
    with pytest.raises(ConfigError, match="must not be negative"):
        make(weight=-0.1)


def test_terms_refuse_what_has_no_meaning() -> None:
    with pytest.raises(ConfigError, match="delta must be above 0"):
        Reconstruction("huber", delta=0.0)
    for settings in ({"warmup": -1}, {"annealing": -1}):
        with pytest.raises(ConfigError, match="must not be negative"):
            KL(**settings)  # type: ignore[arg-type]


def test_half_precision_does_not_cost_digits_where_they_matter() -> None:
    x, x_hat = (part.bfloat16() for part in pair())
    assert Reconstruction("huber")(x, x_hat).dtype == torch.float32
    assert KL()(*(part.bfloat16() for part in moments()), 8).dtype == torch.float32
    assert FeatureMatching()(x.flatten(1), x_hat.flatten(1)).dtype == torch.float32
