"""First weights: their moments, and what is left alone."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import nn

from ecgan.networks.conv import ConvEncoder
from ecgan.networks.initialization import Init, initialize

N_IN, N_OUT = 300, 400
SLOPE = 0.2
EXPECTED: dict[Init, float] = {
    "normal": 0.02,
    "uniform": 0.02,
    "he": math.sqrt(2 / (1 + SLOPE**2) / N_IN),
    "glorot": math.sqrt(2 / (N_IN + N_OUT)),
}


def linear(init: Init, seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    layer = nn.Linear(N_IN, N_OUT)
    initialize(layer, init)
    return layer


@pytest.mark.parametrize("init", EXPECTED)
def test_weights_have_the_promised_spread(init: Init) -> None:
    weight = linear(init).weight.detach().double()
    assert float(weight.std()) == pytest.approx(EXPECTED[init], rel=0.01)  # 120,000 draws: 0.2 % standard error
    assert abs(float(weight.mean())) < 4 * EXPECTED[init] / math.sqrt(weight.numel())


@pytest.mark.parametrize("init", EXPECTED)
def test_weights_have_the_promised_shape(init: Init) -> None:
    weight = linear(init).weight.detach().double()
    z = (weight - weight.mean()) / weight.std()
    kurtosis = float(z.pow(4).mean())
    if init == "uniform":
        assert kurtosis == pytest.approx(1.8, abs=0.05)
        assert float(weight.abs().max()) <= 0.02 * math.sqrt(3)
    else:
        assert kurtosis == pytest.approx(3.0, abs=0.1)


def test_torchs_own_initialization_is_left_alone() -> None:
    torch.manual_seed(3)
    layer = nn.Linear(7, 5)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    state = torch.get_rng_state()
    initialize(layer, "torch")
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("init", get_args(Init))
def test_biases_and_normalizations_stay(init: Init) -> None:
    layers = nn.Sequential(nn.Conv1d(2, 8, 3), nn.BatchNorm1d(8), nn.GroupNorm(2, 8), nn.LSTM(8, 4))
    before = {name: value.clone() for name, value in layers.named_parameters()}
    initialize(layers, init)
    for name, value in layers.named_parameters():
        unchanged = init == "torch" or value.ndim < 2
        assert torch.equal(value, before[name]) == unchanged, name


@pytest.mark.parametrize("init", sorted(EXPECTED))
def test_recurrent_weights_are_drawn_too(init: Init) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(200, 100)
    initialize(layer, init)
    spread = {
        "normal": 0.02,
        "uniform": 0.02,
        "he": math.sqrt(2 / (1 + SLOPE**2) / 200),
        "glorot": math.sqrt(2 / 600),  # four gates of 100 units stand below each other
    }
    assert float(layer.weight_ih_l0.detach().std()) == pytest.approx(spread[init], rel=0.02)


def test_weights_under_spectral_normalization_are_drawn_and_stay_trainable() -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder(1, 64, 1, 32, 3, "none", spectral_norm=True)
    originals = {name: value for name, value in encoder.named_parameters() if name.endswith("original")}
    assert len(originals) == 3
    initialize(encoder, "normal")
    assert all(float(value.detach().std()) == pytest.approx(0.02, rel=0.2) for value in originals.values())
    assert {id(value) for value in originals.values()} <= {id(value) for value in encoder.parameters()}
    assert all(value.requires_grad for value in originals.values())


def test_the_same_seed_draws_the_same_weights() -> None:
    assert torch.equal(linear("he", 5).weight, linear("he", 5).weight)
    assert not torch.equal(linear("he", 5).weight, linear("he", 6).weight)
