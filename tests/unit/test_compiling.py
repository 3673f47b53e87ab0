"""``trainer.compile`` compiles chains of layers in place: what is compiled, and that no name changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from commands import TINY
from ecgan.config import build, compose
from ecgan.experiment import run
from ecgan.losses import BCE, WGANGP
from ecgan.models.base import Model
from ecgan.networks.layers import Layers
from ecgan.types import DataSpec
from ecgan.usage import options
from small_models import MAKERS, batch, changed, fit, made, state

SPEC = DataSpec(32, 1, 3, class_counts=(4, 3, 1))


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was given to torch.compile, which does nothing else here."""
    given: list[Any] = []

    def pretend(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        given.append(function)
        return function

    monkeypatch.setattr(torch, "compile", pretend)
    return given


def chains(module: torch.nn.Module) -> set[str]:
    """Names of the chains of layers that are compiled."""
    return {
        name
        for name, part in module.named_modules()
        if isinstance(part, Layers) and part._compiled_call_impl is not None
    }


@pytest.mark.parametrize("name", options("model"))
def test_every_model_keeps_its_names(name: str, compiled: list[Any]) -> None:
    model = build(compose([f"model={name}", "detector=none"]).model, spec=SPEC)
    assert isinstance(model, Model)
    names = list(model.state_dict())
    trainable = [key for key, _ in model.named_parameters()]
    model.compile_networks()
    assert list(model.state_dict()) == names
    assert [key for key, _ in model.named_parameters()] == trainable
    convolutional = any(isinstance(part, torch.nn.Conv1d | torch.nn.Conv2d) for part in model.modules())
    assert bool(compiled) == convolutional  # torch has fast recurrent layers of its own


@pytest.mark.parametrize("name", MAKERS)
def test_a_compiled_model_trains_to_the_same_weights(name: str, compiled: list[Any]) -> None:
    trained = []
    for compiles in (False, True):
        model = made(name)
        if compiles:
            model.compile_networks()
        torch.manual_seed(1)
        fit(model, [batch(), batch(seed=1)], limit_val_batches=1)
        trained.append(state(model))
    assert changed(*trained) == set()


def test_a_critic_whose_gradient_is_differentiated_is_left_alone(compiled: list[Any]) -> None:
    both = {"generator.decoder.layers", "critic.network.layers"}
    for adversarial, expected in ((BCE(), both), (WGANGP(), {"generator.decoder.layers"})):
        model = made("dcgan", adversarial=adversarial)
        model.compile_networks()
        assert chains(model) == expected


def test_the_average_is_not_compiled_and_can_still_be_saved(compiled: list[Any]) -> None:
    model = made("beatgan", ema=0.9)
    model.compile_networks()
    assert not [name for name in chains(model) if name.startswith("averaged")]
    fit(model, [batch()], limit_val_batches=1)
    assert set(made("beatgan", ema=0.9).state_dict()) == set(model.state_dict())


def weights(directory: Path) -> dict[str, torch.Tensor]:
    content: dict[str, Any] = torch.load(directory / "fold_0" / "checkpoints" / "best.ckpt", weights_only=True)
    return dict(content["state_dict"])


def test_a_run_compiles_when_asked_to_and_its_files_are_the_same(tmp_path: Path, compiled: list[Any]) -> None:
    for compiles in ("false", "true"):
        settings = [*TINY, "split=holdout", "paths.mirror=null", f"trainer.compile={compiles}"]
        run(compose([*settings, f"paths.data={tmp_path}/data"]), tmp_path / compiles)
        assert bool(compiled) == (compiles == "true")
    one, other = (weights(tmp_path / compiles) for compiles in ("false", "true"))
    assert changed(one, other) == set()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the compiler looks at it
@pytest.mark.parametrize("name", ["dcgan", "autoencoder"])
def test_really_compiled_it_gives_nearly_the_same(name: str) -> None:
    plain, fast = (made(name).eval() for _ in range(2))
    fast.compile_networks()
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(fast.decode(z), plain.decode(z), rtol=1e-4, atol=1e-5)
    before = state(fast)
    torch.manual_seed(1)
    logged = fit(fast.train(), [batch(), batch(4, seed=1)], limit_val_batches=1).callback_metrics
    torch.manual_seed(1)
    expected = fit(plain.train(), [batch(), batch(4, seed=1)], limit_val_batches=1).callback_metrics
    assert set(logged) == set(expected)
    for key, value in expected.items():
        torch.testing.assert_close(logged[key], value, rtol=1e-2, atol=1e-3)
    assert changed(before, state(fast))
    assert list(fast.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(fast.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(fast.eval().decode(z), plain.eval().decode(z), rtol=1e-4, atol=1e-5)
