"""What the framework costs: training steps per second of ecgan against a bare PyTorch loop.

Both train the same network on the same series with the same batch size, in turn, several rounds in one process. The
framework's side is what ``ecgan-train`` runs: data loader, transform, progress bar, logging, checkpoints, callbacks.
The bare side indexes a tensor in memory and calls the network, loss and optimizer. Validation is outside both clocks.

Usage: ``python benchmarks/overhead.py [--rounds 5] [--epochs 3] [--models autoencoder lstm_autoencoder beatgan]``
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint
from rich.console import Console

from ecgan import assembly, engine
from ecgan.config import build, compose
from ecgan.models.adversarial import AdversarialModel
from ecgan.track.metrics_file import MetricsFile
from ecgan.track.progress import FoldProgress
from ecgan.types import Batch


class Stopwatch(Callback):
    """Seconds and steps inside training epochs."""

    def __init__(self) -> None:
        self.seconds, self.steps, self._start = 0.0, 0, 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        """Count; the clock of the epoch's last step is stopped here, before validation begins."""
        self.steps += 1
        self._last = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        """Add the epoch."""
        self.seconds += self._last - self._start


def framework(cfg: Any, data: Any, folder: Path, epochs: int) -> float:
    """Steps per second of a fit as ``ecgan-train`` does it."""
    seed_everything(0, verbose=False)
    model = build(cfg.model, spec=data.spec)
    watch = Stopwatch()
    best = ModelCheckpoint(folder, "best", model.monitor, enable_version_counter=False)
    last = ModelCheckpoint(folder, "last", enable_version_counter=False)
    progress = FoldProgress("fold 0", Console(stderr=True), model.monitor)
    callbacks = [best, last, assembly.detection(cfg, data, folder / "detection", 0), progress, watch]
    cfg.trainer.max_epochs = epochs
    with engine.quiet():
        engine.make_trainer(cfg, folder, callbacks, MetricsFile(folder)).fit(model, data)
    return watch.steps / watch.seconds


def bare(cfg: Any, data: Any, epochs: int) -> float:
    """Steps per second of a hand-written loop."""
    seed_everything(0, verbose=False)
    model = build(cfg.model, spec=data.spec).train()
    part = data.part(data.fold.train)
    batch = part.__getitems__(list(range(len(part))))
    step = adversarial_step(model) if isinstance(model, AdversarialModel) else plain_step(model)
    start, steps = time.perf_counter(), 0
    for _ in range(epochs):
        for index in torch.split(torch.randperm(len(batch.x)), cfg.data.batch_size):
            step(Batch(batch.x[index], batch.y[index], index))
            steps += 1
    return steps / (time.perf_counter() - start)


def plain_step(model: Any) -> Any:
    """One optimizer, one loss."""
    optimizer = model.optimizer(model.parameters())

    def step(batch: Batch) -> None:
        loss = model.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def adversarial_step(model: Any) -> Any:
    """Critic on detached fakes, then generator through the frozen critic."""
    (generator_optimizer, critic_optimizer), _ = model.configure_optimizers()

    def step(batch: Batch) -> None:
        fake, own_parts = model.generate(batch)
        critic_optimizer.zero_grad()
        sum(model.critic_loss(batch, fake.detach()).values()).backward()
        critic_optimizer.step()
        model.critic.requires_grad_(False).eval()
        generator_optimizer.zero_grad()
        sum((own_parts | model.generator_loss(batch, fake)).values()).backward()
        generator_optimizer.step()
        model.critic.requires_grad_(True).train()

    return step


def main() -> None:
    """Print one row per model: steps per second of both sides and the ratio of each round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["lstm_autoencoder", "autoencoder", "beatgan"])
    given = parser.parse_args()
    print(f"{'model':<18}{'ecgan steps/s':>15}{'bare steps/s':>15}{'ratio':>8}   rounds")
    for name in given.models:
        pairs = []
        with tempfile.TemporaryDirectory() as folder:
            cfg = compose([f"model={name}", f"paths.data={folder}/data", "trainer.accelerator=cpu"])
            store = assembly.open_data(cfg)
            data = assembly.data_module(cfg, store, assembly.folds_of(cfg, store)[0], 0)
            bare(cfg, data, 1)  # warm up
            for number in range(given.rounds):
                fit = framework(cfg, data, Path(folder) / f"{number}", given.epochs)
                pairs.append((fit, bare(cfg, data, given.epochs)))
        ratios = [fit / loop for fit, loop in pairs]
        fit, loop = (statistics.median(side) for side in zip(*pairs, strict=True))
        shown = " ".join(f"{ratio:.3f}" for ratio in ratios)
        print(f"{name:<18}{fit:>15.1f}{loop:>15.1f}{statistics.median(ratios):>8.3f}   {shown}", flush=True)


if __name__ == "__main__":
    main()
