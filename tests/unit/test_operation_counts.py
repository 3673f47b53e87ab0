"""The operations that ``benchmarks/models.py`` counts, against counts by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "models.py"
B, T = 4, 14


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_models", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def counted(script: ModuleType, network: nn.Module, x: Tensor, backward: bool) -> int:
    with torch.set_grad_enabled(backward), script.Operations() as operations:
        out = network(x)
        first = out[0] if isinstance(out, tuple) else out
        if backward:
            first.sum().backward()
    return int(operations.total)


CONV = 2 * B * 5 * (T // 2) * 3 * 4  # outputs x inputs of each
TRANSPOSED = 2 * B * 3 * T * 5 * 4  # inputs x outputs that each goes into
LINEAR = 2 * B * 3 * T * 7


def lstm_by_hand(features: int, units: int) -> int:
    """Four gates, each a linear layer of input and hidden state, at every step."""
    return sum(4 * 2 * B * units * size for _ in range(T) for size in (features, units))


CASES = {
    "convolution": (nn.Conv1d(3, 5, 4, stride=2, padding=1), (B, 3, T), CONV),
    "transposed": (nn.ConvTranspose1d(3, 5, 4, stride=2, padding=1), (B, 3, T), TRANSPOSED),
    "linear": (nn.Linear(T, 7), (B, 3, T), LINEAR),
    "lstm": (nn.LSTM(10, 16, batch_first=True), (B, T, 10), lstm_by_hand(10, 16)),
    "lstm of two layers": (
        nn.LSTM(10, 16, 2, batch_first=True),
        (B, T, 10),
        lstm_by_hand(10, 16) + lstm_by_hand(16, 16),
    ),
    "lstm in both directions": (
        nn.LSTM(10, 16, batch_first=True, bidirectional=True),
        (B, T, 10),
        2 * lstm_by_hand(10, 16),
    ),
}


@pytest.mark.parametrize(("network", "shape", "by_hand"), CASES.values(), ids=CASES)
def test_a_layer_is_counted_as_by_hand(
    script: ModuleType, network: nn.Module, shape: tuple[int, ...], by_hand: int
) -> None:
    assert counted(script, network, torch.randn(shape), backward=False) == by_hand
    # the gradient of the input and that of the weights cost as much as the layer each
    x = torch.randn(shape, requires_grad=True)
    assert counted(script, network, x, backward=True) == 3 * by_hand


def test_without_a_gradient_of_the_input_a_convolution_costs_a_third_less(script: ModuleType) -> None:
    network = CASES["convolution"][0]
    assert counted(script, network, torch.randn(B, 3, T), backward=True) == 2 * CONV


def test_a_gradient_that_is_differentiated_is_counted(script: ModuleType) -> None:
    network, x = nn.Conv1d(3, 5, 4, stride=2, padding=1), torch.randn(B, 3, T, requires_grad=True)
    with script.Operations() as operations:
        (slope,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
        slope.square().sum().backward()
    # forward, gradient of the input, and of that the derivatives by weights and by the gradient of the output
    assert operations.total == 4 * CONV


def test_a_recurrent_layer_of_another_kind_is_counted_too(script: ModuleType) -> None:
    found = counted(script, nn.GRU(10, 16, batch_first=True), torch.randn(B, T, 10), backward=False)
    assert found == lstm_by_hand(10, 16) * 3 // 4


def test_the_operations_of_a_model_are_those_of_its_layers(script: ModuleType) -> None:
    batch = script.series(script.SPEC, 5)
    training, inference = script.counted("rnn", batch)
    network = script.made("rnn").network
    steps, (hidden, head) = -(-script.SPEC.seq_len // 4), (128, 128 * script.SPEC.n_classes)
    assert isinstance(network.recurrent, nn.LSTM)
    assert network.recurrent.hidden_size == hidden
    assert inference == steps * 4 * 2 * hidden * (4 + hidden) + 2 * head
    # the linear layer does without a gradient of nothing, the LSTM computes that of the series all the same
    assert training == 3 * inference
    for name in ("autoencoder", "rgan"):
        training, inference = script.counted(name, batch)
        assert training > 2 * inference > 0
