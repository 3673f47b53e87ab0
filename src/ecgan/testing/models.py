"""The battery that every model of the suite passes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ecgan.capabilities import Classifies, Discriminates, Encodes, Reconstructs, Samples
from ecgan.engine import quiet
from ecgan.models.adversarial import AdversarialModel
from ecgan.models.base import Model
from ecgan.types import Batch, DataSpec

LENGTHS = (16, 64, 140, 160, 187, 1250)
CHANNELS = (1, 2, 12)
CLASSES = 3
FEW = 8
DRAWN = ("sample", "decode")
"""What begins with random numbers, which differ with how many are drawn at once."""

Make = Callable[[DataSpec], Model]


def check_model(
    make: Make, lengths: Sequence[int] = LENGTHS, channels: Sequence[int] = CHANNELS, epochs: int = 300
) -> None:
    """Run all checks on a model.

    Args:
        make: builds the model for a spec, such as ``lambda spec: build(compose(["model=vae"]).model, spec=spec)``.
        lengths: lengths of series that it must take.
        channels: numbers of channels that it must take.
        epochs: passes over eight series within which it must learn them by heart.

    Raises:
        AssertionError: saying what the model gets wrong.
    """
    for seq_len, n_channels in product(lengths, channels):
        check_shapes(make, DataSpec(seq_len, n_channels, CLASSES, class_counts=(4, 3, 1)))
    spec = DataSpec(64, 2, CLASSES, class_counts=(4, 3, 1))
    check_evaluation(make, spec)
    check_round_trip(make, spec)
    check_players(make, spec)
    check_learns(make, spec, epochs)


def series(spec: DataSpec, n: int = FEW, seed: int = 0) -> Batch:
    """Smooth series within [-1, 1] of every class, made up."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % spec.n_classes
    phase = torch.rand(n, spec.channels, 1, generator=generator) * 6
    t = torch.linspace(0, 6, spec.seq_len)
    return Batch(torch.sin((1 + y[:, None, None]) * t + phase), y, torch.arange(n))


class _Reached(pl.Callback):
    """Stops a training that has reached what it was to reach."""

    def __init__(self, name: str, below: float) -> None:
        self.name, self.below = name, below

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look every time."""
        trainer.should_stop = bool(trainer.callback_metrics.get(self.name, float("inf")) < self.below)


def fitted(model: Model, batches: Sequence[Batch], epochs: int = 1, below: float = -float("inf")) -> dict[str, float]:
    """Train a model on whole batches, in order, and return what was logged last.

    Args:
        model: to train.
        batches: what every epoch goes through, and validation too.
        epochs: at most.
        below: value of ``model.monitor`` at which to stop; looked at every ten epochs.
    """
    trainer = pl.Trainer(
        max_epochs=epochs,
        callbacks=[_Reached(model.monitor, below)],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=min(epochs, 10),
    )
    loader = cast(Iterable[Any], DataLoader(list(batches), batch_size=None))  # type: ignore[arg-type]
    with quiet():
        trainer.fit(model, loader, loader)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def check_shapes(make: Make, spec: DataSpec) -> None:
    """A training step gives finite losses, what the model declares has the right shape, and the input stays."""
    model, batch = _made(make, spec), series(spec, CLASSES + 1)
    before = batch.x.clone()
    logged = fitted(model, [batch])
    wrong = {name: value for name, value in logged.items() if not torch.isfinite(torch.tensor(value))}
    assert not wrong, f"{_name(model)} logs values that are not finite for {spec}: {wrong}"
    assert model.monitor in logged, f"{_name(model)} does not log {model.monitor}, which picks its best weights"
    for what, (found, expected) in _outputs(model.eval(), spec, batch).items():
        assert tuple(found.shape) == expected, f"{_name(model)}.{what} gives {tuple(found.shape)}, not {expected}"
        assert torch.isfinite(found).all(), f"{_name(model)}.{what} gives values that are not finite for {spec}"
    assert torch.equal(before, batch.x), f"{_name(model)} changes the series that it is given"


def check_evaluation(make: Make, spec: DataSpec) -> None:
    """In eval mode the same input gives the same output, for each series on its own."""
    model, batch = _made(make, spec), series(spec)
    fitted(model, [batch])
    model.eval()
    first, second = _outputs(model, spec, batch), _outputs(model, spec, batch)
    for what, (found, _) in first.items():
        assert torch.equal(found, second[what][0]), f"{_name(model)}.{what} gives something else the second time"
    half = Batch(*(part[: FEW // 2] for part in batch))
    for what, (found, _) in _outputs(model, spec, half).items():
        if what not in DRAWN:
            alone = torch.allclose(found, first[what][0][: len(found)], rtol=1e-4, atol=1e-5)
            assert alone, f"{_name(model)}.{what} of a series depends on the others in its batch"


def check_round_trip(make: Make, spec: DataSpec) -> None:
    """Weights can be saved, loaded without unpickling, and put into a model that never saw the data."""
    model, batch = _made(make, spec), series(spec)
    fitted(model, [batch])
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = _made(make, spec, seed=1)
    other.load_state_dict(torch.load(file, weights_only=True))
    expected, found = (_outputs(one.eval(), spec, batch) for one in (model, other))
    for what in expected:
        assert torch.equal(expected[what][0], found[what][0]), f"{_name(model)}.{what} changes with saving and loading"


def check_players(make: Make, spec: DataSpec) -> None:
    """Each half of an adversarial step moves its own player and leaves the other alone, gradients included."""
    model = _made(make, spec)
    if not isinstance(model, AdversarialModel):
        return
    seen: list[tuple[str, dict[str, Tensor], dict[str, Tensor]]] = []
    players = {"generator": model.generator, "critic": model.critic}

    def note(name: str) -> None:
        seen.append((name, _state(model.generator), _state(model.critic)))

    model.optimizer = _noting(model.optimizer, "generator", note)
    model.critic_optimizer = _noting(model.critic_optimizer, "critic", note)
    first = [_state(player) for player in players.values()]
    generate = model.generate

    def noting_generate(batch: Batch) -> Any:
        made = generate(batch)
        note("made")
        return made

    model.generate = noting_generate  # type: ignore[method-assign]
    fitted(model, [series(spec)] * 2)
    before = dict(zip(players, first, strict=True))
    for name, *after in seen:
        for player, state in zip(players, after, strict=True):
            changed = {key for key in state if not torch.equal(state[key], before[player][key])}
            own = name == player or (name == "made" and player == "generator")
            assert own or not changed, f"a step of the {name} of {_name(model)} changes the {player}: {changed}"
            moved = any(not key.endswith(".grad") for key in changed)
            assert moved or name != player, f"the {name} of {_name(model)} does not move in its own step"
        before = dict(zip(players, after, strict=True))


def check_learns(make: Make, spec: DataSpec, epochs: int = 300) -> None:
    """Eight series are learned by heart: the value that picks the best weights falls to less than half."""
    batch = series(spec)
    first = fitted(_made(make, spec), [batch])
    model = _made(make, spec)
    name = model.monitor
    last = fitted(model, [batch] * 2, epochs, first[name] / 2)
    assert last[name] < first[name] / 2, f"{_name(model)} does not learn 8 series: {name} {first[name]} -> {last[name]}"


def _made(make: Make, spec: DataSpec, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return make(spec)


def _name(model: nn.Module) -> str:
    return type(model).__name__


@torch.no_grad()
def _outputs(model: Model, spec: DataSpec, batch: Batch) -> dict[str, tuple[Tensor, tuple[int, ...]]]:
    """What each declared capability gives, and the shape that it should have."""
    n, shape = len(batch.x), (spec.channels, spec.seq_len)
    outputs: dict[str, tuple[Tensor, tuple[int, ...]]] = {}
    if isinstance(model, Reconstructs):
        outputs["reconstruct"] = model.reconstruct(batch.x), (n, *shape)
    if isinstance(model, Encodes):
        z = model.encode(batch.x)
        outputs["encode"] = z, (n, z.shape[-1])
    if isinstance(model, Samples):
        x = model.sample(n, torch.Generator().manual_seed(0), batch.y)
        outputs["sample"] = x, (n, *shape)
        z = model.draw(n, torch.Generator().manual_seed(0), batch.y)
        outputs["decode"] = model.decode(z, batch.y if model.conditional else None), (n, *shape)
    if isinstance(model, Discriminates):
        outputs["discriminate"] = model.discriminate(batch.x), (n,)
        features = model.features(batch.x)
        outputs["features"] = features, (n, features.shape[-1])
    if isinstance(model, Classifies):
        outputs["classify"] = model.classify(batch.x), (n, spec.n_classes)
    assert outputs, f"{_name(model)} declares no capability; see ecgan.capabilities"
    return outputs


def _state(module: nn.Module) -> dict[str, Tensor]:
    """Copies of weights, buffers and gradients."""
    state = {name: value.detach().clone() for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        gradient = parameter.grad
        state[f"{name}.grad"] = torch.empty(0) if gradient is None else gradient.detach().clone()
    return state


def _noting(
    make: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer], name: str, note: Callable[[str], None]
) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    def noting(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = make(parameters)
        optimizer.register_step_post_hook(lambda *_: note(name))
        return optimizer

    return noting
