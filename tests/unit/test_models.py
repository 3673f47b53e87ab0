"""What all models have in common: what they are judged by, what they can do, and that a seed fixes them.

That each config learns, saves and evaluates as it should is in ``tests/contract``.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import ExponentialLR, ReduceLROnPlateau

from ecgan.capabilities import Discriminates, Encodes, Reconstructs, Samples
from ecgan.errors import ConfigError, DataError, DivergedError
from ecgan.evaluate.generation.mmd import class_mmd
from ecgan.losses import Reconstruction
from ecgan.models import gan
from ecgan.models.base import Model
from ecgan.models.gan import GAN
from ecgan.types import Batch
from small_models import (
    ADVERSARIAL,
    ENCODING,
    LATENT,
    MAKERS,
    SPEC,
    adam,
    batch,
    changed,
    conv_critic,
    conv_generator,
    evaluated,
    fit,
    made,
    state,
)

every_model = pytest.mark.parametrize("name", MAKERS)
every_encoder = pytest.mark.parametrize("name", ENCODING)


@every_model
@torch.no_grad()
def test_capabilities_and_shapes(name: str) -> None:
    model, x = made(name).eval(), batch().x
    assert isinstance(model, Samples)
    assert model.sample(3, torch.Generator()).shape == (3, 2, 32)
    assert isinstance(model, Reconstructs) == isinstance(model, Encodes) == (name in ENCODING)
    if isinstance(model, Reconstructs) and isinstance(model, Encodes):
        assert model.reconstruct(x).shape == x.shape
        assert model.encode(x).shape == (8, LATENT)
        torch.testing.assert_close(model.decode(model.encode(x)), model.reconstruct(x))
    assert isinstance(model, Discriminates) == (name in ADVERSARIAL)
    if isinstance(model, Discriminates):
        assert model.discriminate(x).shape == (8,)
        assert model.features(x).shape[0] == 8


@every_model
def test_same_seed_trains_to_the_same_bits(name: str) -> None:
    models = [made(name) for _ in range(2)]
    for model in models:
        torch.manual_seed(1)
        fit(model, [batch(seed=seed) for seed in range(2)])
    assert changed(state(models[0]), state(models[1])) == set()


@every_model
def test_series_are_drawn_by_the_generator_alone(name: str) -> None:
    model = made(name).eval()
    with torch.no_grad():
        first = model.sample(5, torch.Generator().manual_seed(3))
        torch.manual_seed(99)
        assert torch.equal(model.sample(5, torch.Generator().manual_seed(3)), first)
        assert not torch.equal(model.sample(5, torch.Generator().manual_seed(4)), first)
        z = model.draw(5, torch.Generator().manual_seed(3))
        assert torch.equal(model.decode(z), first)


@pytest.mark.parametrize("part", ["validate", "test"])
@every_encoder
def test_evaluation_loss_is_that_of_the_normals(name: str, part: str) -> None:
    model, mixed = made(name), batch(10, abnormal=4)
    wild = mixed.x.clone()
    wild[6:] *= 100
    expected = model.eval().loss(Batch(mixed.x[:6], mixed.y[:6], mixed.index[:6])).item()
    logged = evaluated(model, [Batch(wild, mixed.y, mixed.index)], part)
    assert logged == {f"{part.removesuffix('idate')}/loss": pytest.approx(expected, rel=1e-5)}


@every_encoder
def test_a_model_that_knows_classes_is_judged_by_all(name: str) -> None:
    model, mixed = made(name, conditional=True), batch(10, abnormal=4)
    expected = model.eval().loss(mixed).item()
    assert evaluated(model, [mixed])["val/loss"] == pytest.approx(expected, rel=1e-5)
    assert model.learns_classes


@every_model
def test_validation_loss_does_not_depend_on_the_batches(name: str) -> None:
    model, everyone = made(name), batch(10, abnormal=3)  # the last piece holds abnormal series only
    pieces = [Batch(*(column[a:b] for column in everyone)) for a, b in ((0, 4), (4, 8), (8, 10))]
    together, piecewise = evaluated(model, [everyone]), evaluated(model, pieces)
    assert piecewise["val/loss"] == pytest.approx(together["val/loss"], rel=1e-5)


@every_model
def test_a_part_without_normals_has_no_loss(name: str) -> None:
    assert evaluated(made(name), [batch(4, abnormal=4)]) == {}


@every_encoder
def test_the_reconstruction_loss_is_the_one_that_was_chosen(name: str) -> None:
    x, losses = batch(), {}
    for error in ("l1", "huber"):
        model = made(name, reconstruction=Reconstruction(error)).eval()  # type: ignore[arg-type]
        model.kl = lambda *_: 0.0
        with torch.no_grad():
            difference = model.reconstruct(x.x) - x.x
            losses[error] = float(model.loss(x))
        expected = difference.abs()
        if error == "huber":
            expected = torch.where(expected < 1, expected.square() / 2, expected - 0.5)
        assert losses[error] == pytest.approx(float(expected.mean()), rel=1e-5)
    assert losses["l1"] != losses["huber"]


def test_schedules_step_once_per_epoch_or_wait_for_better_values() -> None:
    rates: dict[str, list[float]] = {}
    makers = {
        "halved": partial(ExponentialLR, gamma=0.5),
        "waiting": partial(ReduceLROnPlateau, patience=0, factor=0.1),
        "constant": None,
    }
    for name, scheduler in makers.items():
        model = made("autoencoder", optimizer=adam(0.08), scheduler=scheduler)
        model.loss = lambda _, weights=model.parameters: 1 + 0 * sum(w.sum() for w in weights())
        noted = rates[name] = []
        model.on_train_epoch_start = lambda own=model, to=noted: to.append(own.optimizers().param_groups[0]["lr"])
        fit(model, [batch(), batch(seed=1)], epochs=4, limit_val_batches=1)
    assert rates["halved"] == pytest.approx([0.08, 0.04, 0.02, 0.01])
    assert rates["waiting"] == pytest.approx([0.08, 0.08, 0.008, 0.0008])  # nothing gets better
    assert rates["constant"] == [0.08] * 4


def test_training_losses_are_means_over_the_series_of_an_epoch() -> None:
    model = made("autoencoder", optimizer=adam(0.0))
    batches = [batch(8), batch(2, seed=1)]
    logged = fit(model, batches).callback_metrics
    model.train()
    losses = [float(model.loss(one).detach()) for one in batches]
    assert float(logged["train/loss"]) == pytest.approx((8 * losses[0] + 2 * losses[1]) / 10, rel=1e-5)


@pytest.mark.parametrize("name", ["vae", "vaegan"])
def test_parts_of_a_loss_are_logged_beside_it(name: str) -> None:
    logged = {key: float(value) for key, value in fit(made(name), [batch()]).callback_metrics.items()}
    parts = [logged[f"train/{part}"] for part in ("reconstruction", "kl")]
    parts += [logged["train/feature_matching"]] if name == "vaegan" else []
    assert logged["train/loss"] == pytest.approx(sum(parts), rel=1e-5)


class Breaks(Model):
    """Has one weight, and a loss that stops being finite at a given batch."""

    def __init__(self, at: int, value: float, validation: bool = False) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.at, self.value, self.validation, self.seen = at, value, validation, 0

    def training_step(self, batch: Batch) -> torch.Tensor:
        self.seen += 1
        loss = self.weight.sum() + (self.value if self.seen == self.at and not self.validation else 1.0)
        self.log_epoch({"train/odd": loss}, batch)
        return loss

    def loss(self, batch: Batch) -> torch.Tensor:
        return torch.tensor(self.value if self.validation and self.current_epoch == 1 else 1.0)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("validation", "what"), [(False, "training value 'odd'"), (True, "validation value 'loss'")])
@pytest.mark.parametrize("validates", [True, False])
def test_a_loss_that_is_not_finite_stops_the_training_with_a_sentence(
    value: float, validation: bool, what: str, validates: bool
) -> None:
    if validation and not validates:
        pytest.skip("there is no validation to stop at")
    model = Breaks(4, value, validation)  # the second batch of the second epoch
    with pytest.raises(DivergedError) as caught:
        fit(model, [batch(), batch()], epochs=3, limit_val_batches=int(validates))
    message = str(caught.value)
    assert f"Breaks diverged in epoch 2: the {what} is {value}" in message
    assert "model.optimizer.lr" in message
    assert "\n" not in message


def test_a_gan_is_judged_by_the_discrepancy_of_its_series_from_the_normals() -> None:
    model, mixed = made("dcgan").eval(), batch(40, abnormal=10)
    with torch.no_grad():
        fake = model.sample(30, torch.Generator().manual_seed(0))
    expected = class_mmd(mixed.x[:30].numpy(), fake.numpy(), torch.zeros(30, dtype=torch.int64).numpy())
    for part, name in (("validate", "val/loss"), ("test", "test/loss")):
        assert evaluated(model, [mixed], part) == {name: pytest.approx(expected, rel=1e-4)}


def test_a_conditional_gan_is_judged_class_by_class() -> None:
    model, mixed = made("dcgan", conditional=True).eval(), batch(40, abnormal=15)
    with torch.no_grad():
        fake = model.sample(40, torch.Generator().manual_seed(0), mixed.y)
    expected = class_mmd(mixed.x.numpy(), fake.numpy(), mixed.y.numpy())
    assert evaluated(model, [mixed])["val/loss"] == pytest.approx(expected, rel=1e-4)


def test_a_gan_looks_at_no_more_series_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gan, "COMPARED", 12)
    model = made("dcgan")
    many = batch(50, seed=3)
    thinned = Batch(*(part[::4] for part in many))  # every second one, and again, until no more than 24 are left
    pieces = [Batch(*(part[start : start + 7] for part in many)) for start in range(0, 50, 7)]
    assert evaluated(model, [many]) == evaluated(model, pieces) == evaluated(model, [thinned])
    assert model._real == ()  # nothing is kept in memory afterwards


def test_a_gan_whose_series_fit_better_has_the_smaller_value() -> None:
    class Fixed(GAN):
        """Draws series around one value."""

        offset = 0.0

        def decode(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            noise = torch.randn(len(z), 2, 32, generator=torch.Generator().manual_seed(len(z)))
            return noise + self.offset

    model = Fixed(SPEC, conv_generator, conv_critic, adam(), adam())
    x = torch.randn(64, 2, 32, generator=torch.Generator().manual_seed(7))
    real = Batch(x, torch.zeros(64, dtype=torch.int64), torch.arange(64))
    values = []
    for offset in (0.0, 0.5, 1.0, 3.0):
        model.offset = offset
        values.append(evaluated(model, [real])["val/loss"])
    assert values == sorted(values)
    assert abs(values[0]) < 0.05


def test_a_validation_part_that_a_gan_cannot_be_judged_by_is_no_divergence() -> None:
    one, equal = batch(1), Batch(torch.ones(6, 2, 32), torch.zeros(6, dtype=torch.int64), torch.arange(6))
    for part in (one, equal):
        with pytest.raises(DataError, match="needs two different ones of a class"):
            evaluated(made("dcgan"), [part])
        assert evaluated(made("dcgan"), [part], "test") == {}


def test_a_gan_that_diverged_is_told_so_by_the_validation() -> None:
    model = made("dcgan")
    with torch.no_grad():
        next(model.generator.parameters()).fill_(math.nan)
    with pytest.raises(DivergedError, match="GAN diverged in epoch 1: the validation value 'loss' is nan"):
        evaluated(model, [batch(12)])


@pytest.mark.parametrize("name", ["dcgan", "rgan"])
def test_a_model_without_an_encoder_has_no_distribution_of_encodings(name: str) -> None:
    with pytest.raises(ConfigError, match=r"GAN has no encoder; set model\.distribution to normal"):
        made(name, distribution="encoder")
