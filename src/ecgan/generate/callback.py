"""Judging what a model generates, as a callback: briefly while fitting, thoroughly in ``validate`` and ``test``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from torch import Tensor

from ecgan.capabilities import FitsLatents, Samples
from ecgan.errors import DivergedError
from ecgan.evaluate.generation.quality import Measure, judge
from ecgan.files import replacing
from ecgan.generate.figures import draw_generation
from ecgan.generate.writing import Description, write_series
from ecgan.types import Batch, FloatArray, Series

BRIEF, CHUNK = 512, 512
"""Series that are compared after an epoch at most, and series that are generated at once."""
QUALITY, SAMPLES = "quality.csv", "samples.npz"


class InvertibleSeries(Series, Protocol):
    """Series of one part of a fold that can be brought back to their original unit."""

    def inverse(self, x: Tensor, index: Tensor | None = None) -> Tensor:
        """Undo the transform of series x (B, C, T)."""


@dataclass(frozen=True)
class Judgment:
    """How to judge.

    Attributes:
        n: series generated at most; never more than there are training series.
        every: epochs between two brief judgments, None for none.
        bootstrap: draws behind each interval.
        figures: whether to draw.
        seed: of the choice of series, the noise and the intervals.
    """

    n: int
    every: int | None
    bootstrap: int
    figures: bool
    seed: int


@dataclass(frozen=True)
class _Few:
    """A batch as a part of a fold."""

    batch: Batch

    def __len__(self) -> int:
        return len(self.batch.x)

    def __getitems__(self, positions: list[int]) -> Batch:
        return Batch(*(part[positions] for part in self.batch))


@contextmanager
def _latents_of_now(model: LightningModule, train: Batch) -> Iterator[None]:
    """Inside the block, latent vectors are drawn as the encoder gives them now; the training does not notice."""
    if not isinstance(model, FitsLatents):
        yield
        return
    before = {name: value.clone() for name, value in model.latents.state_dict().items()}
    model.fit_latents(_Few(train))
    try:
        yield
    finally:
        model.latents.load_state_dict(before)


class GenerationCallback(Callback):
    """Compares generated series with held-out ones, and as many training series with the same ones.

    In ``validate`` that is the validation part, in ``test`` the test part; both without the classes that the model was
    not trained on. A conditional model is asked for the classes of the training series it is compared with.

    Args:
        parts: series by name (``train``, ``val``, ``test``), of classes that occur in training.
        directory: where ``quality.csv`` and ``samples.npz`` go.
        figures: folder for figures.
        about: shape, unit, sampling rate of the original series, and names of the classes.
        how: how to judge.
        console: where to say that it takes a while.
    """

    def __init__(
        self,
        parts: Mapping[str, InvertibleSeries],
        directory: Path,
        figures: Path,
        about: Description,
        how: Judgment,
        console: Console | None = None,
    ) -> None:
        self.parts, self.directory, self.figures = parts, directory, figures
        self.about, self.how = about, how
        self.console = console or Console(quiet=True)
        self._rows: list[dict[str, object]] = []

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge briefly after every so many epochs of the training."""
        every, epoch = self.how.every, trainer.current_epoch + 1
        if trainer.state.fn != "fit" or every is None or epoch % every:
            return
        train, held_out = (self._taken(name, BRIEF) for name in ("train", "val"))
        with _latents_of_now(pl_module, train):
            fake = self._generated(pl_module, train)
        measures = self._measures(pl_module, train, held_out, fake, thorough=False)
        pl_module.log_dict({f"val/generated_{name}": measure.value for name, measure in measures.items()})
        if self.how.figures:
            name = f"generated_epoch_{epoch:04d}"
            draw_generation(held_out, fake, self.about.classes or (), self.figures, name, self._conditional(pl_module))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge the best weights by the validation part."""
        if trainer.state.fn == "validate":
            self._rows = []
            self._judge(pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge them by the test part, and write everything down."""
        train, held_out, fake = self._judge(pl_module, "test")
        with replacing(self.directory / QUALITY) as temporary:
            pd.DataFrame(self._rows).to_csv(temporary, index=False, lineterminator="\n")
        original = self.parts["test"].inverse(fake.x).numpy()
        label = fake.y.numpy() if self._conditional(pl_module) else None
        (self.directory / SAMPLES).unlink(missing_ok=True)
        about = replace(self.about, n=len(original), classes=None if label is None else self.about.classes)
        write_series(self.directory / SAMPLES, [(original, label)], about)
        if self.how.figures:
            labelled = self._conditional(pl_module)
            draw_generation(
                held_out, fake, self.about.classes or (), self.figures, "generated", labelled, pl_module, train
            )

    def _judge(self, model: LightningModule, part: str) -> tuple[Batch, Batch, Batch]:
        with self.console.status(f"judging generated series by the {part} part"):
            train, held_out = self._taken("train", self.how.n), self._taken(part, self.how.n)
            fake = self._generated(model, train)
            measures = self._measures(model, train, held_out, fake, thorough=True)
        self._rows += [{"split": part, "metric": name} | asdict(measure) for name, measure in measures.items()]
        return train, held_out, fake

    def _taken(self, part: str, at_most: int) -> Batch:
        """Series of a part, drawn without repetition where there are more than wanted."""
        series = self.parts[part]
        order = np.random.default_rng([self.how.seed, len(series)]).permutation(len(series))
        return series.__getitems__(np.sort(order[:at_most]).tolist())

    def _generated(self, model: LightningModule, train: Batch) -> Batch:
        assert isinstance(model, Samples)  # noqa: S101 - no other model gets this callback
        generator = torch.Generator().manual_seed(self.how.seed)
        with torch.no_grad():
            pieces = [
                model.sample(len(y), generator, y.to(model.device)).float().cpu() for y in torch.split(train.y, CHUNK)
            ]
        x = torch.cat(pieces)
        if not torch.isfinite(x).all():
            raise DivergedError(
                f"{type(model).__name__} generates values that are not finite; lower the learning rate "
                "(model.optimizer.lr) or use another transform."
            )
        return Batch(x, train.y, train.index)

    def _measures(
        self, model: LightningModule, train: Batch, held_out: Batch, fake: Batch, thorough: bool
    ) -> dict[str, Measure]:
        labels = (part.y.numpy() if self._conditional(model) else None for part in (train, held_out, fake))
        train_label, held_out_label, generated_label = labels
        return judge(
            train.x.numpy(),
            held_out.x.numpy(),
            fake.x.numpy(),
            train_label=train_label,
            held_out_label=held_out_label,
            generated_label=generated_label,
            seen=self._seen(),
            bootstrap=self.how.bootstrap,
            seed=self.how.seed,
            thorough=thorough,
            max_series=max(self.how.n, BRIEF),
        )

    def _seen(self) -> Iterator[FloatArray]:
        """All training series, in pieces."""
        train = self.parts["train"]
        for start in range(0, len(train), CHUNK):
            yield train.__getitems__(list(range(start, min(start + CHUNK, len(train))))).x.numpy()

    @staticmethod
    def _conditional(model: LightningModule) -> bool:
        return bool(getattr(model, "conditional", False))
