"""Every kind of model in a small size, and training it on whole batches, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ecgan.engine import quiet
from ecgan.models.autoencoder import VAE, Autoencoder
from ecgan.models.base import Model
from ecgan.models.beatgan import VAEGAN, BeatGAN
from ecgan.models.gan import GAN
from ecgan.networks.autoencoders import ConvAutoencoderNet, VariationalNet
from ecgan.networks.players import ConvCritic, ConvGenerator
from ecgan.networks.recurrent import LSTMAutoencoderNet, RecurrentCritic, RecurrentGenerator
from ecgan.types import Batch, DataSpec

SPEC = DataSpec(seq_len=32, channels=2, n_classes=2)
LATENT = 4
Optimizers = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


def adam(lr: float = 1e-2) -> Optimizers:
    return partial(torch.optim.Adam, lr=lr)


def sgd(lr: float = 1e-2) -> Optimizers:
    return partial(torch.optim.SGD, lr=lr)


def conv_net(**settings: Any) -> nn.Module:
    return ConvAutoencoderNet(**{"latent": LATENT, "width": 8, "depth": 2} | settings)


def variational_net(**settings: Any) -> nn.Module:
    return VariationalNet(**{"latent": LATENT, "width": 8, "depth": 2} | settings)


def lstm_net(**settings: Any) -> nn.Module:
    return LSTMAutoencoderNet(**{"latent": LATENT, "patch": 4} | settings)


def conv_generator(**settings: Any) -> nn.Module:
    return ConvGenerator(**{"latent": LATENT, "width": 8, "depth": 2} | settings)


def conv_critic(**settings: Any) -> nn.Module:
    return ConvCritic(**{"width": 8, "depth": 2} | settings)


def recurrent_generator(**settings: Any) -> nn.Module:
    return RecurrentGenerator(**{"latent": LATENT, "units": 8, "patch": 4} | settings)


def recurrent_critic(**settings: Any) -> nn.Module:
    return RecurrentCritic(**{"units": 8, "patch": 4} | settings)


def players(generator: Callable[..., nn.Module], critic: Callable[..., nn.Module]) -> dict[str, Any]:
    """What every model with a critic needs."""
    rules = {"optimizer": adam(), "critic_optimizer": adam()}
    return {"spec": SPEC, "generator": generator, "critic": critic, **rules}


MAKERS: dict[str, Callable[..., Model]] = {
    "autoencoder": lambda **given: Autoencoder(**{"spec": SPEC, "network": conv_net, "optimizer": adam()} | given),
    "lstm_autoencoder": lambda **given: Autoencoder(**{"spec": SPEC, "network": lstm_net, "optimizer": adam()} | given),
    "vae": lambda **given: VAE(**{"spec": SPEC, "network": variational_net, "optimizer": adam()} | given),
    "beatgan": lambda **given: BeatGAN(**players(conv_net, conv_critic) | {"distribution": "encoder"} | given),
    "vaegan": lambda **given: VAEGAN(**players(variational_net, conv_critic) | given),
    "dcgan": lambda **given: GAN(**players(conv_generator, conv_critic) | given),
    "rgan": lambda **given: GAN(**players(recurrent_generator, recurrent_critic) | given),
}
ENCODING = ("autoencoder", "lstm_autoencoder", "vae", "beatgan", "vaegan")
ADVERSARIAL = ("beatgan", "vaegan", "dcgan", "rgan")


def made(name: str, seed: int = 0, **settings: Any) -> Any:
    """A model with weights drawn by a seed."""
    torch.manual_seed(seed)
    return MAKERS[name](**settings)


def batch(n: int = 8, seed: int = 0, abnormal: int = 0) -> Batch:
    """Sine waves of different phase; the last ones are called abnormal."""
    phase = torch.rand(n, 2, 1, generator=torch.Generator().manual_seed(seed)) * 6
    x = torch.sin(torch.linspace(0, 9, 32) + phase)
    y = (torch.arange(n) >= n - abnormal).long()
    return Batch(x, y, torch.arange(n))


def loader(batches: Sequence[Batch]) -> Any:
    return DataLoader(list(batches), batch_size=None)  # type: ignore[arg-type]


def fit(model: Model, batches: Sequence[Batch], epochs: int = 1, **settings: Any) -> pl.Trainer:
    """Train on whole batches, in order; without validation unless ``limit_val_batches`` is given."""
    given = {"limit_val_batches": 0, "num_sanity_val_steps": 0, "logger": False} | settings
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **given,
    )
    with quiet():
        trainer.fit(model, loader(batches), loader(batches))
    return trainer


def evaluated(model: Model, batches: Sequence[Batch], part: str = "validate") -> dict[str, float]:
    """What is logged in ``validate`` or ``test``."""
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False)
    with quiet():
        getattr(trainer, part)(model, loader(batches), verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def state(module: nn.Module) -> dict[str, Tensor]:
    """Copies of weights, buffers and gradients."""
    copies = {name: value.detach().clone() for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        gradient = parameter.grad
        copies[f"{name}.grad"] = torch.empty(0) if gradient is None else gradient.detach().clone()
    return copies


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Names of what differs."""
    assert set(before) == set(after)
    return {name for name in before if not torch.equal(before[name], after[name])}
