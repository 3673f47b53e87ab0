"""What judging generated series during the training costs, against the epochs between two judgments.

For each model the default training on ECG5000 runs as ``ecgan-train`` runs it, with a brief judgment (metrics and
figure) after every epoch. The clock tells apart the training steps of an epoch, its validation, and the judgment. From
the medians follows which share of the epochs' time the judgments cost with ``generation.every=1``, 5 and 10, and the
smallest setting that keeps it at a quarter.

Usage: ``python benchmarks/evaluation_cost.py [--models beatgan autoencoder] [--epochs 8] [--threads 2]``
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint
from rich.console import Console

from ecgan import assembly, engine
from ecgan.capabilities import Samples
from ecgan.checks import models_with
from ecgan.config import build, compose
from ecgan.generate import callback as generation
from ecgan.track.metrics_file import MetricsFile

EVERY = (1, 5, 10)
QUARTER = 0.25
WARM_UP = 1
"""Epochs that are not counted: the first figure imports matplotlib."""


class Clock(Callback):
    """Seconds of each epoch: training steps, and everything until the next epoch begins."""

    def __init__(self) -> None:
        self.training, self.whole, self._started = list[float](), list[float](), 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """The epoch before is over."""
        self._finish()
        self._started = time.perf_counter()

    def on_validation_start(self, *_: Any) -> None:
        """The training steps are over."""
        self.training.append(time.perf_counter() - self._started)

    def on_fit_end(self, *_: Any) -> None:
        """The last epoch is over."""
        self._finish()

    def _finish(self) -> None:
        if len(self.training) > len(self.whole):
            self.whole.append(time.perf_counter() - self._started)


class Watched:
    """A function that notes how long each of its calls takes."""

    def __init__(self, function: Any) -> None:
        self.function, self.seconds = function, list[float]()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        started = time.perf_counter()
        try:
            return self.function(*args, **kwargs)
        finally:
            self.seconds.append(time.perf_counter() - started)


def measure(name: str, epochs: int, threads: int, folder: Path) -> dict[str, float]:
    """Median seconds of the training steps, the rest of an epoch, a judgment and the figure in it."""
    cfg = compose(
        [
            f"model={name}",
            "generation.every=1",
            f"trainer.max_epochs={epochs + WARM_UP}",
            f"trainer.threads={threads}",
            "trainer.accelerator=cpu",
            f"paths.data={folder / 'data'}",
        ]
    )
    store = assembly.open_data(cfg)
    fold = assembly.folds_of(cfg, store)[0]
    seed = engine.seed_fold(cfg.seed, fold.number, threads)
    data = assembly.data_module(cfg, store, fold, seed)
    model, clock, silent = build(cfg.model, spec=data.spec), Clock(), Console(quiet=True)
    (judge,) = assembly.generation(cfg, data, model, folder / name, seed, silent)
    judged = Watched(judge.on_validation_epoch_end)
    judge.on_validation_epoch_end = judged  # type: ignore[method-assign]
    drawn = generation.draw_generation = Watched(generation.draw_generation)
    checkpoints = [
        ModelCheckpoint(folder / name / "checkpoints", "best", model.monitor, enable_version_counter=False),
        ModelCheckpoint(folder / name / "checkpoints", "last", enable_version_counter=False),
    ]
    with engine.quiet():
        engine.make_trainer(cfg, folder / name, [*checkpoints, judge, clock], MetricsFile(folder / name)).fit(
            model, data
        )
    generation.draw_generation = drawn.function
    train = statistics.median(clock.training[WARM_UP:])
    rest = [whole - before for whole, before in zip(clock.whole, clock.training, strict=True)]
    others = [part - own for part, own in zip(rest, judged.seconds, strict=True)]
    return {
        "train": train,
        "validate": statistics.median(others[WARM_UP:]),
        "judge": statistics.median(judged.seconds[WARM_UP:]),
        "figure": statistics.median(drawn.seconds[WARM_UP:]),
    }


def main() -> None:
    """Print one row per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=models_with(Samples))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    shares = "".join(f"{f'every {every}':>10}" for every in EVERY)
    print(
        f"{'model':<18}{'train s':>9}{'validate s':>12}{'judge s':>9}{'figure s':>10}{shares}{'smallest for 25 %':>19}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in given.models:
            found = measure(name, given.epochs, given.threads, Path(folder))
            epoch = found["train"] + found["validate"]
            cost = found["judge"] / epoch
            row = f"{name:<18}{found['train']:>9.2f}{found['validate']:>12.2f}{found['judge']:>9.2f}"
            row += f"{found['figure']:>10.2f}" + "".join(f"{cost / every:>10.0%}" for every in EVERY)
            print(f"{row}{math.ceil(cost / QUARTER):>19}", flush=True)
    print("s: per epoch, of training steps and of the rest (validation, checkpoints); per judgment, and of its figure")
    print("every n: share that judging costs of the n epochs between two judgments, with generation.every=n")


if __name__ == "__main__":
    main()
