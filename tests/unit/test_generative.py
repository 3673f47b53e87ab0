"""Generating: by class, from encodings, and through noise that grows with the epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ecgan.losses import KL, Reconstruction
from ecgan.models import generative
from ecgan.networks.autoencoders import VariationalNet
from ecgan.types import Batch
from small_models import ENCODING, LATENT, MAKERS, SPEC, adam, batch, changed, fit, made, state, variational_net

every_model = pytest.mark.parametrize("name", MAKERS)
every_encoder = pytest.mark.parametrize("name", ENCODING)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def labels(n: int) -> Tensor:
    return torch.arange(n) % 2


@every_model
@torch.no_grad()
def test_a_conditional_model_generates_by_class(name: str) -> None:
    model = made(name, conditional=True).eval()
    normal = model.sample(6, generator())
    assert torch.equal(model.sample(6, generator(), torch.zeros(6, dtype=torch.int64)), normal)
    same = (model.sample(6, generator(), labels(6)) == normal).flatten(1).all(1)
    assert same.tolist() == [True, False] * 3


@every_model
@torch.no_grad()
def test_another_model_does_not_care_about_classes(name: str) -> None:
    model = made(name).eval()
    assert torch.equal(model.sample(6, generator(), labels(6)), model.sample(6, generator()))
    assert not model.learns_classes
    assert model.n_classes == 0


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_what_was_learned_of_a_class_comes_out_for_that_class(name: str) -> None:
    """Two classes that are flat lines: each series generated is nearer to the line of its own class."""
    n = 32
    y = labels(n)
    x = (2.0 * y - 1)[:, None, None].expand(n, 2, 32) + 0.05 * torch.randn(n, 2, 32, generator=generator())
    settings = {"kl": KL(5.0)} if name == "vae" else {}  # so heavy that the class alone tells the lines apart
    model = made(name, conditional=True, optimizer=adam(2e-2), **settings)
    flat = Batch(x, y, torch.arange(n))
    fit(model, [flat] * 100)
    if model.latents.fitted:
        model.fit_latents(Fixed(flat))
    with torch.no_grad():
        made_up = model.eval().sample(40, generator(), labels(40)).flatten(1).mean(1)
    right = ((made_up > 0) == (labels(40) == 1)).float().mean()
    assert right > 0.9


@every_encoder
@torch.no_grad()
def test_a_conditional_model_reconstructs_as_if_all_were_normal(name: str) -> None:
    model, x = made(name, conditional=True).eval(), batch().x
    normal = torch.zeros(8, dtype=torch.int64)
    expected = model.decode(model.code(x, normal), normal)
    torch.testing.assert_close(model.reconstruct(x), expected)
    torch.testing.assert_close(model.encode(x), model.code(x, normal))
    assert not torch.allclose(model.code(x, 1 - normal), model.encode(x))


@every_encoder
def test_a_conditional_model_learns_with_the_true_classes(name: str) -> None:
    mixed = batch(8, abnormal=4)
    as_normal = Batch(mixed.x, torch.zeros_like(mixed.y), mixed.index)
    trained = []
    for one in (mixed, as_normal):
        model = made(name, conditional=True)
        torch.manual_seed(0)
        fit(model, [one])
        trained.append(state(model))
    assert changed(*trained)


@dataclass
class Fixed:
    """Series of a batch, as a part of a fold gives them."""

    batch: Batch

    def __len__(self) -> int:
        return len(self.batch.x)

    def __getitems__(self, positions: list[int]) -> Batch:
        return Batch(*(part[positions] for part in self.batch))


@every_encoder
def test_latent_vectors_are_fitted_to_the_encodings(name: str) -> None:
    model, train = made(name, distribution="encoder"), batch(200)
    model.fit_latents(Fixed(train))
    assert not model.training
    with torch.no_grad():
        codes = model.encode(train.x)
        z = model.draw(20_000, generator())
    spread = float(codes.std())
    torch.testing.assert_close(z.mean(0), codes.mean(0), rtol=0, atol=0.1 * spread)
    torch.testing.assert_close(torch.cov(z.T), torch.cov(codes.T), rtol=0, atol=0.2 * spread**2)


@every_encoder
def test_those_of_a_conditional_model_are_fitted_by_class(name: str) -> None:
    model, mixed = made(name, distribution="encoder", conditional=True), batch(200, abnormal=100)
    shifted = Batch(mixed.x + 3 * mixed.y[:, None, None], mixed.y, mixed.index)
    model.fit_latents(Fixed(shifted))
    for label in (0, 1):
        y = torch.full((5000,), label)
        with torch.no_grad():
            codes = model.code(shifted.x[mixed.y == label], mixed.y[mixed.y == label])
            z = model.draw(5000, generator(), y)
        torch.testing.assert_close(z.mean(0), codes.mean(0), rtol=0, atol=0.15 * float(codes.std()))
    assert model.latents.mean.shape[0] == SPEC.n_classes


@every_encoder
def test_fitting_latents_changes_nothing_else(name: str) -> None:
    model = made(name, distribution="encoder")
    before = state(model)
    model.fit_latents(Fixed(batch(50)))
    assert changed(before, state(model)) == {f"latents.{part}" for part in ("share", "mean", "factor")}


@pytest.mark.parametrize("distribution", ["normal", "truncated_normal", "uniform"])
def test_fixed_distributions_are_not_fitted(distribution: str) -> None:
    model = made("autoencoder", distribution=distribution)
    before = state(model)
    model.fit_latents(Fixed(batch(50)))
    assert changed(before, state(model)) == set()


def test_very_many_series_are_thinned_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generative, "ENCODED", 10)
    monkeypatch.setattr(generative, "CHUNK", 4)
    asked: list[int] = []

    class Counting(Fixed):
        """Notes which series are asked for."""

        def __getitems__(self, positions: list[int]) -> Batch:
            asked.extend(positions)
            return super().__getitems__(positions)

    model = made("autoencoder")
    model.fit_latents(Counting(batch(91)))
    assert asked == np.linspace(0, 90, 10).astype(int).tolist()


def test_fitted_latents_are_stored_with_the_weights_and_draw_the_same() -> None:
    model, other = made("beatgan"), made("beatgan", seed=1)
    model.fit_latents(Fixed(batch(100)))
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(model.eval().sample(5, generator()), other.eval().sample(5, generator()))


class Clocked(KL):
    """Notes the epochs for which it is asked."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.asked: list[int | None] = []

    def factor(self, epoch: int | None) -> float:
        self.asked.append(epoch)
        return super().factor(epoch)


@pytest.mark.parametrize("name", ["vae", "vaegan"])
def test_divergence_grows_with_epochs_and_not_with_steps(name: str) -> None:
    kl = Clocked(warmup=1, annealing=1)
    model = made(name, kl=kl)
    fit(model, [batch(seed=seed) for seed in range(3)], epochs=4, limit_val_batches=1)
    # Lightning counts two optimizer steps per batch of a GAN; epochs are the same for both
    assert kl.asked == [epoch for number in range(4) for epoch in (*[number] * 3, None)]


@pytest.mark.parametrize("name", ["vae", "vaegan"])
def test_during_warm_up_the_divergence_has_no_gradient(name: str) -> None:
    trained = []
    for warmup, weight in ((1, 1.0), (1, 50.0), (0, 50.0)):
        model = made(name, kl=KL(weight, warmup=warmup))
        torch.manual_seed(0)
        fit(model, [batch(seed=seed) for seed in range(3)])
        trained.append({key: value for key, value in state(model).items() if not key.endswith(".grad")})
    assert changed(trained[0], trained[1]) == set()
    assert changed(trained[1], trained[2])


@pytest.mark.parametrize("name", ["vae", "vaegan"])
@torch.no_grad()
def test_the_loss_that_is_compared_between_epochs_is_the_final_one_without_noise(name: str) -> None:
    model, x = made(name, kl=KL(0.3, warmup=5), reconstruction=Reconstruction("l1")).eval(), batch()
    net = model.generator
    assert isinstance(net, VariationalNet)
    mean, log_variance = net.moments(x.x)
    error = (net.decode(mean) - x.x).abs().mean()
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean() / x.x[0].numel()
    assert float(model.loss(x)) == pytest.approx(float(error + 0.3 * divergence), rel=1e-5)
    assert float(model.loss(x)) == float(model.loss(x))


@torch.no_grad()
def test_a_heavier_divergence_leaves_less_in_the_latent_vector() -> None:
    torch.manual_seed(0)
    net = variational_net(spec=SPEC, n_classes=0)
    x = batch().x
    light, heavy = KL(0.1), KL(1.0)
    _, mean, log_variance = net.through_noise(x)  # type: ignore[operator]
    assert float(heavy(mean, log_variance, 64)) == pytest.approx(10 * float(light(mean, log_variance, 64)))
    assert mean.shape == (8, LATENT)
