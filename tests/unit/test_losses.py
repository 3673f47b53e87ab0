"""Losses against loops and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.losses import critic_bce, feature_matching, reconstruction_error

logits = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=8)


@pytest.mark.parametrize(("error", "power"), [("l1", 1), ("l2", 2)])
def test_reconstruction_error_is_the_mean_over_channels_and_time(error: str, power: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, x_hat = torch.randn(4, 3, 7, generator=generator), torch.randn(4, 3, 7, generator=generator)
    expected = [
        sum(abs(a - b) ** power for a, b in zip(one.flatten().tolist(), two.flatten().tolist(), strict=True)) / 21
        for one, two in zip(x, x_hat, strict=True)
    ]
    assert reconstruction_error(x, x_hat, error).tolist() == pytest.approx(expected, rel=1e-5)  # type: ignore[arg-type]


def test_usual_errors_are_divided_out_sample_by_sample() -> None:
    x, x_hat = torch.tensor([[[1.0, 2.0]], [[0.0, 8.0]]]), torch.zeros(2, 1, 2)
    usual = torch.tensor([[0.5, 4.0]])
    assert reconstruction_error(x, x_hat, "l1", usual).tolist() == [(1 / 0.5 + 2 / 4) / 2, 1.0]
    assert torch.equal(reconstruction_error(x, x_hat, "l1", torch.ones(1, 2)), reconstruction_error(x, x_hat, "l1"))


@settings(deadline=None, derandomize=True)
@given(logits, logits)
def test_critic_bce_is_the_cross_entropy_of_both(real: list[float], fake: list[float]) -> None:
    # log(1 + e^-r) = -log sigmoid(r), and log(1 + e^f) = -log(1 - sigmoid(f))
    expected = sum(math.log1p(math.exp(-r)) for r in real) / len(real)
    expected += sum(math.log1p(math.exp(f)) for f in fake) / len(fake)
    assert float(critic_bce(torch.tensor(real), torch.tensor(fake))) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_an_undecided_critic_pays_two_bits() -> None:
    assert float(critic_bce(torch.zeros(3), torch.zeros(5))) == pytest.approx(2 * math.log(2))


def test_a_sure_critic_pays_nothing_and_a_wrong_one_stays_finite() -> None:
    assert float(critic_bce(torch.full((2,), 1e4), torch.full((2,), -1e4))) == 0
    assert float(critic_bce(torch.full((2,), -1e4), torch.full((2,), 1e4))) == pytest.approx(2e4)


def test_feature_matching_takes_the_real_features_as_constant() -> None:
    real = torch.tensor([[1.0, 2.0]], requires_grad=True)
    fake = torch.tensor([[3.0, 5.0]], requires_grad=True)
    loss = feature_matching(real, fake)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == (4 + 9) / 2
    assert real.grad is None
    assert fake.grad is not None
    assert fake.grad.tolist() == [[2.0, 3.0]]
