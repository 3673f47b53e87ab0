"""Training rules of the models: who is stepped when, what is logged, and whether they learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ecgan.assembly import quiet
from ecgan.capabilities import Discriminates, Encodes, Reconstructs
from ecgan.errors import ConfigError
from ecgan.models.autoencoder import Autoencoder
from ecgan.models.base import Model
from ecgan.models.beatgan import BeatGAN
from ecgan.models.lstm_autoencoder import LSTMAutoencoder
from ecgan.types import Batch, DataSpec

SPEC = DataSpec(seq_len=32, channels=2, n_classes=2)
MAKERS: dict[str, Callable[..., Model]] = {
    "autoencoder": lambda lr=1e-2: Autoencoder(SPEC, adam(lr), latent=4, width=8, depth=2),
    "beatgan": lambda lr=1e-2: BeatGAN(SPEC, adam(lr), adam(lr / 10), latent=4, width=8, depth=2),
    "lstm_autoencoder": lambda lr=1e-2: LSTMAutoencoder(SPEC, adam(lr), latent=16, patch=4),
}
every_model = pytest.mark.parametrize("name", MAKERS)


def adam(lr: float) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    return partial(torch.optim.Adam, lr=lr)


def batch(n: int = 8, seed: int = 0, abnormal: int = 0) -> Batch:
    """Sine waves of different phase; the last ones are called abnormal."""
    phase = torch.rand(n, 2, 1, generator=torch.Generator().manual_seed(seed)) * 6
    x = torch.sin(torch.linspace(0, 9, 32) + phase)
    y = (torch.arange(n) >= n - abnormal).long()
    return Batch(x, y, torch.arange(n))


def made(name: str) -> Model:
    torch.manual_seed(0)
    return MAKERS[name]()


def loader(batches: list[Batch]) -> DataLoader[Any]:
    return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


def fit(model: Model, batches: list[Batch], epochs: int = 1) -> pl.Trainer:
    """Train on whole batches, in order."""
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    with quiet():
        trainer.fit(model, loader(batches), loader(batches[:1]))
    return trainer


def state(module: nn.Module) -> dict[str, Tensor]:
    """Copies of weights, buffers and gradients."""
    copies = {name: value.detach().clone() for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        gradient = parameter.grad
        copies[f"{name}.grad"] = torch.empty(0) if gradient is None else gradient.detach().clone()
    return copies


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    assert set(before) == set(after)
    return {name for name in before if not torch.equal(before[name], after[name])}


class Watched(BeatGAN):
    """BeatGAN that notes the state of both players around each optimizer step."""

    def __init__(self, **settings: Any) -> None:
        self.events: list[tuple[str, dict[str, dict[str, Tensor]]]] = []
        self.passes = 0
        super().__init__(
            SPEC, self._watched("generator"), self._watched("critic"), latent=4, width=8, depth=2, **settings
        )
        self.generator.register_forward_pre_hook(self._count)

    def generate(self, batch: Batch) -> Tensor:
        fake = super().generate(batch)
        self.note("generated")
        return fake

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


def test_critic_half_leaves_the_generator_alone(watched: Watched) -> None:
    before: dict[str, Tensor] = {}
    for name, players in watched.events:
        if name == "critic":
            assert changed(before, players["generator"]) == set()
        before = players["generator"]


def test_generator_half_leaves_the_critic_alone(watched: Watched) -> None:
    before: dict[str, Tensor] = {}
    for name, players in watched.events:
        if name == "generator":
            assert changed(before, players["critic"]) == set()
        before = players["critic"]


def test_each_half_moves_its_own_player(watched: Watched) -> None:
    for (_, before), (name, after) in zip(watched.events, watched.events[1:], strict=False):
        if name in after:
            moved = changed(before[name], after[name])
            weights = {key for key, _ in getattr(watched, name).named_parameters()}
            assert weights <= moved


def test_generator_statistics_move_once_per_step(watched: Watched) -> None:
    counts = [
        int(value)
        for _, players in watched.events
        for key, value in players["generator"].items()
        if key.endswith("decoder.layers.0.num_batches_tracked")
    ]
    assert counts == [step for step in (1, 2, 3) for _ in range(watched.n_critic + 2)]


def test_critic_is_thawed_after_each_step(watched: Watched) -> None:
    assert watched.critic.training
    assert all(parameter.requires_grad for parameter in watched.critic.parameters())


def test_generator_learns_from_the_critic() -> None:
    moved = []
    for weight in (0.0, 50.0):
        torch.manual_seed(0)
        model = BeatGAN(SPEC, adam(1e-2), adam(1e-2), latent=4, width=8, depth=2, adversarial_weight=weight)
        fit(model, [batch()])
        moved.append(state(model.generator))
    assert changed(*moved)


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


def test_a_critic_without_steps_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.n_critic is 0"):
        BeatGAN(SPEC, adam(1e-3), adam(1e-3), n_critic=0)


def test_gan_logs_every_part_of_both_losses() -> None:
    torch.manual_seed(0)
    model = BeatGAN(SPEC, adam(1e-3), adam(1e-3), latent=4, width=8, depth=2)
    logged = fit(model, [batch()]).callback_metrics
    assert set(logged) == {f"train/{part}" for part in ("critic_bce", "reconstruction", "feature_matching", "loss")}
    parts = logged["train/reconstruction"] + logged["train/feature_matching"]
    assert float(logged["train/loss"]) == pytest.approx(float(parts), rel=1e-6)


@every_model
def test_capabilities_and_shapes(name: str) -> None:
    model, x = made(name).eval(), batch().x
    assert isinstance(model, Reconstructs)
    assert isinstance(model, Encodes)
    assert model.reconstruct(x).shape == x.shape
    z = model.encode(x)
    assert z.shape == (8, 16 if name == "lstm_autoencoder" else 4)
    assert isinstance(model, Discriminates) == (name == "beatgan")
    if isinstance(model, Discriminates):
        assert model.discriminate(x).shape == (8,)
        assert model.features(x).shape[0] == 8


@every_model
@torch.no_grad()
def test_eval_is_deterministic_and_changes_nothing(name: str) -> None:
    model, x = made(name).eval(), batch().x
    before = state(model)
    first = model.reconstruct(x)  # type: ignore[operator]
    if isinstance(model, Discriminates):
        assert torch.equal(model.discriminate(x), model.discriminate(x))
    assert torch.equal(model.reconstruct(x), first)  # type: ignore[operator]
    assert changed(before, state(model)) == set()


@every_model
def test_a_series_is_reconstructed_alike_in_any_batch(name: str) -> None:
    model, x = made(name).eval(), batch().x
    with torch.no_grad():
        alone = torch.cat([model.reconstruct(x[i : i + 1]) for i in range(8)])  # type: ignore[operator]
        torch.testing.assert_close(model.reconstruct(x), alone, rtol=1e-5, atol=1e-6)  # type: ignore[operator]


@every_model
@torch.no_grad()
def test_weights_come_back_without_unpickling(name: str, tmp_path: Path) -> None:
    model = made(name)
    model.train().loss(batch())  # moves the statistics of normalizations
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    torch.manual_seed(1)
    other = MAKERS[name]()
    assert changed(state(model), state(other))
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    x = batch(seed=2).x
    assert torch.equal(other.eval().reconstruct(x), model.eval().reconstruct(x))  # type: ignore[operator]


@every_model
def test_eight_series_are_learned_by_heart(name: str) -> None:
    model, eight = made(name), batch()
    fit(model, [eight] * 25, epochs=6)
    with torch.no_grad():
        rest = (model.eval().reconstruct(eight.x) - eight.x).abs().mean()  # type: ignore[operator]
    assert rest < eight.x.abs().mean() / 5


@every_model
def test_same_seed_trains_to_the_same_bits(name: str) -> None:
    models = [made(name) for _ in range(2)]
    for model in models:
        fit(model, [batch(seed=seed) for seed in range(2)])
    assert changed(state(models[0]), state(models[1])) == set()


def validated(model: Model, batches: list[Batch]) -> dict[str, float]:
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False)
    with quiet():
        trainer.validate(model, loader(batches), verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@every_model
def test_validation_loss_is_that_of_the_normals(name: str) -> None:
    model, mixed = made(name), batch(10, abnormal=4)
    wild = mixed.x.clone()
    wild[6:] *= 100
    expected = model.eval().loss(Batch(mixed.x[:6], mixed.y[:6], mixed.index[:6])).item()
    assert validated(model, [Batch(wild, mixed.y, mixed.index)])["val/loss"] == pytest.approx(expected, rel=1e-5)


@every_model
def test_validation_loss_does_not_depend_on_the_batches(name: str) -> None:
    model, everyone = made(name), batch(10, abnormal=3)  # the last piece holds abnormal series only
    pieces = [Batch(*(column[a:b] for column in everyone)) for a, b in ((0, 4), (4, 8), (8, 10))]
    together, piecewise = validated(model, [everyone]), validated(model, pieces)
    assert piecewise["val/loss"] == pytest.approx(together["val/loss"], rel=1e-5)


def test_a_part_without_normals_has_no_loss() -> None:
    assert validated(made("autoencoder"), [batch(4, abnormal=4)]) == {}
