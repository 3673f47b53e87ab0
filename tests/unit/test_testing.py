"""The battery for models finds what is wrong with them, and says it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ecgan.models.autoencoder import Autoencoder
from ecgan.models.base import Model
from ecgan.models.beatgan import BeatGAN
from ecgan.testing import models as testing
from ecgan.types import Batch, DataSpec
from small_models import adam, conv_critic, conv_net

SPEC = DataSpec(32, 2, testing.CLASSES, class_counts=(4, 3, 1))


def autoencoder(cls: type[Autoencoder] = Autoencoder) -> testing.Make:
    return lambda spec: cls(spec, conv_net, adam(2e-2))


def test_a_sound_model_passes() -> None:
    testing.check_model(autoencoder(), lengths=(16, 33), channels=(1, 3))


class Spoiling(Autoencoder):
    def reconstruct(self, x: Tensor) -> Tensor:
        return super().reconstruct(x.mul_(2))


class Silent(Autoencoder):
    def validation_step(self, batch: Batch) -> None: ...


class Infinite(Autoencoder):
    def reconstruct(self, x: Tensor) -> Tensor:
        return super().reconstruct(x) / 0


class Short(Autoencoder):
    def reconstruct(self, x: Tensor) -> Tensor:
        return super().reconstruct(x)[..., :-1]


class Unable(Model):
    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Batch) -> Tensor:
        return self.loss(batch)

    def loss(self, batch: Batch) -> Tensor:
        return self.weight.square().sum()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (autoencoder(Spoiling), "Spoiling changes the series that it is given"),
        (autoencoder(Silent), "Silent does not log val/loss"),
        (autoencoder(Infinite), r"Infinite\.reconstruct gives values that are not finite"),
        (autoencoder(Short), r"Short\.reconstruct gives \(\d, 2, 31\), not \(\d, 2, 32\)"),
        (Unable, "Unable declares no capability"),
    ],
)
def test_shapes_and_values(make: testing.Make, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        testing.check_shapes(make, SPEC)


class Noisy(Autoencoder):
    def reconstruct(self, x: Tensor) -> Tensor:
        return super().reconstruct(x) + torch.randn_like(x)


class Mixing(Autoencoder):
    def encode(self, x: Tensor) -> Tensor:
        z = super().encode(x)
        return z - z.mean(0)


@pytest.mark.parametrize(
    ("cls", "complaint"),
    [
        (Noisy, r"Noisy\.reconstruct gives something else the second time"),
        (Mixing, r"Mixing\.encode of a series depends on the others in its batch"),
    ],
)
def test_evaluation(cls: type[Autoencoder], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        testing.check_evaluation(autoencoder(cls), SPEC)


class Forgetful(Autoencoder):
    """What it learned of the scale of series is no part of its weights."""

    scale = 1.0

    def training_step(self, batch: Batch) -> Tensor:
        self.scale = float(batch.x.abs().mean())
        return super().training_step(batch)

    def reconstruct(self, x: Tensor) -> Tensor:
        return super().reconstruct(x) * self.scale


def test_saving_and_loading() -> None:
    with pytest.raises(AssertionError, match=r"Forgetful\.reconstruct changes with saving and loading"):
        testing.check_round_trip(autoencoder(Forgetful), SPEC)


class Stuck(Autoencoder):
    def loss(self, batch: Batch) -> Tensor:
        return super().loss(batch) * 1e-9 + 1


def test_learning() -> None:
    with pytest.raises(AssertionError, match="Stuck does not learn 8 series"):
        testing.check_learns(autoencoder(Stuck), SPEC, epochs=10)


class Meddling(BeatGAN):
    """Its critic's loss reaches into the generator."""

    def critic_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        return super().critic_loss(batch, self.generator(batch.x, batch.y))


class Unfair(BeatGAN):
    """Its critic is never moved."""

    def critic_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        return {name: part * 0 for name, part in super().critic_loss(batch, fake).items()}


class Wasteful(BeatGAN):
    """Its critic's half passes through the generator once more."""

    def critic_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generator(batch.x, batch.y)
        return super().critic_loss(batch, fake)


def gan(cls: type[BeatGAN]) -> testing.Make:
    rates = {"optimizer": adam(), "critic_optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.1)}
    return lambda spec: cls(spec=spec, generator=conv_net, critic=conv_critic, **rates)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (gan(Meddling), "a step of the critic of Meddling changes the generator"),
        (gan(Unfair), "the critic of Unfair does not move in its own step"),
        (gan(Wasteful), r"a step of the critic of Wasteful changes the generator: .*running_mean"),
    ],
)
def test_players(make: testing.Make, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        testing.check_players(make, SPEC)


def test_a_model_without_players_is_passed_over() -> None:
    testing.check_players(autoencoder(), SPEC)


def test_made_up_series_are_of_every_class_and_within_bounds() -> None:
    batch = testing.series(SPEC)
    assert set(batch.y.tolist()) == set(range(testing.CLASSES))
    assert batch.x.shape == (testing.FEW, 2, 32)
    assert float(batch.x.abs().max()) <= 1
    assert torch.equal(testing.series(SPEC).x, batch.x)
    assert not torch.equal(testing.series(SPEC, seed=1).x, batch.x)


def test_training_stops_when_the_goal_is_reached() -> None:
    batch = testing.series(SPEC)
    model = autoencoder()(SPEC)
    logged = testing.fitted(model, [batch], epochs=200, below=math.inf)
    assert model.trainer.current_epoch == 10
    assert math.isfinite(logged["val/loss"])
