"""Telling a network the class: the code itself, and that networks listen to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ecgan.networks.autoencoders import ConvAutoencoderNet, VariationalNet
from ecgan.networks.conditioning import with_class
from ecgan.networks.players import ConvCritic, ConvGenerator
from ecgan.networks.recurrent import LSTMAutoencoderNet, RecurrentCritic, RecurrentGenerator
from ecgan.types import DataSpec

CLASSES = 3
SPEC = DataSpec(seq_len=33, channels=2, n_classes=CLASSES)
Y = torch.tensor([2, 0, 1, 1])


def test_vectors_get_a_one_hot_code_behind_them() -> None:
    z = torch.arange(8.0).view(4, 2)
    told = with_class(z, Y, CLASSES)
    assert torch.equal(told[:, :2], z)
    assert told[:, 2:].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_series_get_channels_that_are_constant_over_time() -> None:
    x = torch.arange(24.0).view(4, 2, 3)
    told = with_class(x, Y, CLASSES)
    assert told.shape == (4, 2 + CLASSES, 3)
    assert torch.equal(told[:, :2], x)
    for row, label in enumerate(Y.tolist()):
        for channel in range(CLASSES):
            assert told[row, 2 + channel].tolist() == [float(channel == label)] * 3


@pytest.mark.parametrize("shape", [(4, 2), (4, 2, 3)])
def test_without_classes_nothing_is_added(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape)
    assert with_class(x, Y, 0) is x
    assert with_class(x, None, 0) is x


def test_nobody_knows_means_normal() -> None:
    z = torch.rand(4, 2)
    assert torch.equal(with_class(z, None, CLASSES), with_class(z, torch.zeros(4, dtype=torch.int64), CLASSES))


def test_classes_are_repeated_for_real_and_generated_series_in_one_batch() -> None:
    both = torch.rand(8, 2)
    assert torch.equal(with_class(both, Y, CLASSES), with_class(both, torch.cat([Y, Y]), CLASSES))


def test_the_code_has_the_precision_of_what_it_is_appended_to() -> None:
    assert with_class(torch.rand(4, 2).bfloat16(), Y, CLASSES).dtype == torch.bfloat16


def noise(n: int) -> Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0))


def real(n: int) -> Tensor:
    return torch.randn(n, 2, 33, generator=torch.Generator().manual_seed(1))


MAKERS: dict[str, Callable[[int], nn.Module]] = {
    "conv generator": lambda k: ConvGenerator(SPEC, 4, 8, 3, n_classes=k),
    "recurrent generator": lambda k: RecurrentGenerator(SPEC, 4, 8, n_classes=k),
    "conv critic": lambda k: ConvCritic(SPEC, 8, 3, n_classes=k),
    "recurrent critic": lambda k: RecurrentCritic(SPEC, 8, n_classes=k),
    "autoencoder": lambda k: ConvAutoencoderNet(SPEC, 4, 8, n_classes=k),
    "variational": lambda k: VariationalNet(SPEC, 4, 8, n_classes=k),
    "recurrent autoencoder": lambda k: LSTMAutoencoderNet(SPEC, 4, 5, n_classes=k),
}
LISTENERS = [(name, "forward") for name in MAKERS]
LISTENERS += [
    (name, what) for name in MAKERS for what in ("encode", "decode") if "auto" in name or name == "variational"
]
LISTENERS += [(name, "features") for name in MAKERS if "critic" in name]
every_listener = pytest.mark.parametrize(("name", "method"), LISTENERS)


def call(network: nn.Module, name: str, method: str, y: Tensor | None) -> Tensor:
    """What a method makes of four series or latent vectors, (4, F)."""
    latent = method == "decode" or "generator" in name
    out: Tensor = getattr(network, method)(noise(4) if latent else real(4), y)
    return out.reshape(4, -1)


@every_listener
@torch.no_grad()
def test_a_network_that_is_told_the_class_listens(name: str, method: str) -> None:
    torch.manual_seed(0)
    network = MAKERS[name](CLASSES).eval()
    normal = call(network, name, method, None)
    assert torch.equal(call(network, name, method, torch.zeros(4, dtype=torch.int64)), normal)
    same = (call(network, name, method, Y) == normal).all(1)
    assert same.tolist() == [False, True, False, False]  # each series hears its own class and no other's


@every_listener
@torch.no_grad()
def test_a_network_that_is_not_told_ignores_it(name: str, method: str) -> None:
    torch.manual_seed(0)
    network = MAKERS[name](0).eval()
    assert torch.equal(call(network, name, method, Y), call(network, name, method, None))
