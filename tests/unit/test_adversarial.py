"""The training rule of models with a critic: who is stepped when and on what, averages, schedules, clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ExponentialLR, ReduceLROnPlateau, StepLR

from ecgan.errors import ConfigError
from ecgan.losses import BCE, LSGAN, WGANGP, FeatureMatching, Hinge, WGANClip
from ecgan.models.adversarial import frozen
from ecgan.models.beatgan import BeatGAN
from ecgan.types import Batch
from small_models import ADVERSARIAL, SPEC, adam, batch, changed, conv_critic, conv_net, fit, made, sgd, state

every_gan = pytest.mark.parametrize("name", ADVERSARIAL)
GAMES = {"bce": BCE, "lsgan": LSGAN, "hinge": Hinge, "wgan_gp": WGANGP, "wgan_clip": WGANClip}


class Watched(BeatGAN):
    """BeatGAN that notes the state of both players around each optimizer step."""

    def __init__(self, **settings: Any) -> None:
        self.events: list[tuple[str, dict[str, dict[str, Tensor]]]] = []
        self.passes = 0
        makers = {"optimizer": self._watched("generator"), "critic_optimizer": self._watched("critic")}
        super().__init__(spec=SPEC, generator=conv_net, critic=conv_critic, **makers, **settings)
        self.generator.register_forward_pre_hook(self._count)

    def generate(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        made = super().generate(batch)
        self.note("generated")
        return made

    def note(self, event: str) -> None:
        self.events.append((event, {"generator": state(self.generator), "critic": state(self.critic)}))

    def _count(self, *_: Any) -> None:
        self.passes += 1

    def _watched(self, player: str) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
        def make(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
            optimizer = torch.optim.Adam(parameters, lr=1e-2)
            optimizer.register_step_post_hook(lambda *_: self.note(player))
            return optimizer

        return make


@pytest.fixture(scope="module", params=[1, 3], ids=["one critic step", "three critic steps"])
def watched(request: pytest.FixtureRequest) -> Watched:
    """Trained for three batches."""
    torch.manual_seed(0)
    model = Watched(n_critic=request.param)
    fit(model, [batch(8, seed) for seed in range(3)])
    return model


def test_players_take_turns(watched: Watched) -> None:
    names = [name for name, _ in watched.events]
    assert names == ["generated", *["critic"] * watched.n_critic, "generator"] * 3


def test_generator_runs_once_per_training_step(watched: Watched) -> None:
    assert watched.passes == 3


@pytest.mark.parametrize(("half", "other"), [("critic", "generator"), ("generator", "critic")])
def test_a_half_moves_its_own_player_and_leaves_the_other_alone(watched: Watched, half: str, other: str) -> None:
    for (_, before), (name, after) in pairwise(watched.events):
        if name == half:
            assert changed(before[other], after[other]) == set()
            weights = {key for key, _ in getattr(watched, half).named_parameters()}
            assert weights <= changed(before[half], after[half])


def test_generator_statistics_move_once_per_step(watched: Watched) -> None:
    counts = [
        int(value)
        for _, players in watched.events
        for key, value in players["generator"].items()
        if key.endswith("decoder.layers.0.num_batches_tracked")
    ]
    assert counts == [step for step in (1, 2, 3) for _ in range(watched.n_critic + 2)]


def test_critic_is_thawed_after_each_step(watched: Watched) -> None:
    assert all(module.training for module in watched.critic.modules())
    assert all(parameter.requires_grad for parameter in watched.critic.parameters())


def test_a_frozen_network_passes_gradients_on_and_keeps_none() -> None:
    critic = conv_critic(spec=SPEC, spectral_norm=True).train()
    before = state(critic)
    x = batch().x.clone().requires_grad_()
    with frozen(critic):
        critic(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert changed(before, state(critic)) == set()
    with pytest.raises(ZeroDivisionError), frozen(critic):
        raise ZeroDivisionError
    assert all(module.training for module in critic.modules())
    assert all(parameter.requires_grad for parameter in critic.parameters())


@every_gan
def test_the_generator_listens_to_its_critic(name: str) -> None:
    """With another critic the generator takes another step."""
    moved = []
    for seed in (1, 2):
        model = made(name)
        other = made(name, seed=seed).critic
        model.critic.load_state_dict(other.state_dict())
        torch.manual_seed(0)
        fit(model, [batch()])
        moved.append(state(model.generator))
    assert changed(*moved)


@pytest.mark.parametrize("name", ["beatgan", "vaegan"])
def test_without_feature_matching_the_critic_has_no_say(name: str) -> None:
    moved = []
    for seed in (1, 2):
        model = made(name, feature_matching=FeatureMatching(0.0))
        model.critic.load_state_dict(made(name, seed=seed).critic.state_dict())
        torch.manual_seed(0)
        fit(model, [batch()])
        moved.append(dict(model.generator.named_parameters()))
    assert all(torch.equal(moved[0][key], moved[1][key]) for key in moved[0])


@every_gan
@pytest.mark.parametrize("game", GAMES)
def test_every_game_can_be_played_by_every_model(name: str, game: str) -> None:
    model = made(name, adversarial=GAMES[game](), n_critic=2)
    before = state(model)
    logged = fit(model, [batch(abnormal=3)] * 2).callback_metrics
    critic_parts = {key for key in logged if key.startswith("train/critic_")}
    expected = {"wgan_gp": {"wasserstein", "penalty"}, "wgan_clip": {"wasserstein"}}.get(game, {game})
    assert critic_parts == {f"train/critic_{part}" for part in expected}
    assert all(torch.isfinite(value) for value in logged.values())
    after = state(model)
    assert {key.partition(".")[0] for key in changed(before, after)} >= {"generator", "critic"}
    largest = max(float(value.detach().abs().max()) for value in model.critic.parameters())
    assert (largest <= 0.01) == (game == "wgan_clip")


def test_every_part_of_both_losses_is_logged() -> None:
    logged = fit(made("beatgan"), [batch()]).callback_metrics
    assert set(logged) == {f"train/{part}" for part in ("critic_bce", "reconstruction", "feature_matching", "loss")}
    parts = logged["train/reconstruction"] + logged["train/feature_matching"]
    assert float(logged["train/loss"]) == pytest.approx(float(parts), rel=1e-6)


def test_the_critic_is_told_the_classes_of_the_batch() -> None:
    seen: list[tuple[int, list[int]]] = []
    model = made("dcgan", conditional=True)
    model.critic.register_forward_pre_hook(lambda _, given: seen.append((len(given[0]), given[1].tolist())))
    mixed = batch(6, abnormal=2)
    fit(model, [mixed])
    labels = mixed.y.tolist()
    assert seen == [(12, labels), (6, labels)]  # real and generated series together, then the generator's alone


def test_clipping_bounds_the_gradients_of_both_players() -> None:
    norms: dict[str, list[float]] = {"generator": [], "critic": []}
    for limit in (None, 1e-3):
        torch.manual_seed(0)
        model = Watched(clip_norm=limit)
        fit(model, [batch()])
        for name, players in model.events[1:]:
            gradients = [value.flatten() for key, value in players[name].items() if key.endswith(".grad")]
            norms[name].append(float(torch.cat(gradients).norm()))
    for free, clipped in norms.values():
        assert free > 1e-2
        assert clipped == pytest.approx(1e-3, rel=1e-2)


class Noting(BeatGAN):
    """BeatGAN that notes both learning rates at the beginning of each epoch."""

    def __init__(self, scheduler: Any, critic_scheduler: Any) -> None:
        self.rates: list[tuple[float, float]] = []
        rules = {"optimizer": sgd(0.08), "critic_optimizer": sgd(0.04)}
        rules |= {"scheduler": scheduler, "critic_scheduler": critic_scheduler}
        super().__init__(spec=SPEC, generator=conv_net, critic=conv_critic, n_critic=2, **rules)

    def on_train_epoch_start(self) -> None:
        generator, critic = self.optimizers()  # type: ignore[misc]
        self.rates.append((generator.param_groups[0]["lr"], critic.param_groups[0]["lr"]))


@pytest.mark.parametrize("scheduled", [("generator",), ("critic",), ("generator", "critic"), ()])
def test_schedules_of_either_player_step_once_per_epoch(scheduled: tuple[str, ...]) -> None:
    makers = {"generator": partial(ExponentialLR, gamma=0.5), "critic": partial(StepLR, step_size=2, gamma=0.1)}
    given = {name: maker if name in scheduled else None for name, maker in makers.items()}
    model = Noting(given["generator"], given["critic"])
    fit(model, [batch(), batch(seed=1)], epochs=4, limit_val_batches=1)
    generator, critic = zip(*model.rates, strict=True)
    assert generator == pytest.approx([0.08, 0.04, 0.02, 0.01] if "generator" in scheduled else [0.08] * 4)
    assert critic == pytest.approx([0.04, 0.04, 0.004, 0.004] if "critic" in scheduled else [0.04] * 4)


def test_a_schedule_that_waits_for_better_values_is_told_them() -> None:
    model = Noting(partial(ReduceLROnPlateau, patience=1, factor=0.5), None)
    model.loss = lambda _: torch.tensor(1.0)  # type: ignore[method-assign]
    fit(model, [batch()], epochs=6, limit_val_batches=1)
    assert [rate for rate, _ in model.rates] == pytest.approx([0.08, 0.08, 0.08, 0.04, 0.04, 0.02])


@every_gan
def test_the_average_is_that_of_a_loop_over_the_steps(name: str) -> None:
    decay, weights = 0.8, []
    model = made(name, ema=decay)
    step = model.optimizer

    def noting(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = step(parameters)
        optimizer.register_step_post_hook(
            lambda *_: weights.append({key: value.clone() for key, value in model.generator.state_dict().items()})
        )
        return optimizer

    model.optimizer = noting
    fit(model, [batch(seed=seed) for seed in range(5)])
    assert len(weights) == 5
    average = weights[0]
    for later in weights[1:]:
        average = {key: decay * average[key] + (1 - decay) * later[key] for key in average}
    found = model.averaged.module.state_dict()
    for key, expected in average.items():  # statistics of normalization are averaged as the weights are
        if "num_batches" not in key:
            torch.testing.assert_close(found[key], expected, rtol=1e-5, atol=1e-6)


@every_gan
def test_the_average_is_used_outside_of_the_training_only(name: str) -> None:
    model = made(name, ema=0.9)
    fit(model, [batch(seed=seed) for seed in range(3)])
    z, x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), batch(3).x
    model.eval()
    assert model.player is model.averaged.module
    apply = model.decode if name in ("dcgan", "rgan") else lambda _: model.reconstruct(x)
    with torch.no_grad():
        averaged = apply(z)
        for parameter in model.generator.parameters():
            parameter.fill_(0.0)
        assert torch.equal(apply(z), averaged)
    model.train()
    assert model.player is model.generator


@every_gan
def test_the_average_does_not_touch_the_training(name: str) -> None:
    trained = []
    for ema in (None, 0.9):
        model = made(name, ema=ema)
        torch.manual_seed(1)
        fit(model, [batch(seed=seed) for seed in range(3)], limit_val_batches=1)
        trained.append({**state(model.generator), **state(model.critic)})
    assert changed(*trained) == set()


def test_the_average_is_part_of_the_weights() -> None:
    model, other = made("dcgan", ema=0.9), made("dcgan", seed=1, ema=0.9)
    fit(model, [batch(seed=seed) for seed in range(3)])
    other.load_state_dict(model.state_dict())
    sampled = [one.eval().sample(3, torch.Generator().manual_seed(0)) for one in (model, other)]
    assert torch.equal(*sampled)
    parameters = {id(value) for value in model.generator.parameters()}
    assert not parameters & {id(value) for value in model.averaged.parameters()}


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"n_critic": 0}, r"model\.n_critic is 0"),
        ({"ema": 1.0}, r"model\.ema is 1\.0"),
        ({"ema": 0.0}, r"model\.ema is 0\.0"),
        ({"clip_norm": 0.0}, r"model\.clip_norm is 0\.0 but must be above 0"),
        ({"clip_norm": -1.0}, r"model\.clip_norm is -1\.0"),
    ],
)
def test_meaningless_settings_are_refused(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        made("beatgan", **settings)


def test_the_optimizers_hold_each_players_weights_and_nothing_else() -> None:
    model = made("vaegan", ema=0.9, optimizer=adam(1e-3))
    optimizers, schedules = model.configure_optimizers()
    held = [{id(value) for group in one.param_groups for value in group["params"]} for one in optimizers]
    assert held == [{id(value) for value in player.parameters()} for player in (model.generator, model.critic)]
    assert schedules == []
