"""One fold of a run: trained, judged, and written down; one that was interrupted goes on."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import EarlyStopping
from rich.console import Console

from ecgan import assembly, engine, provenance
from ecgan.checkpointing import BestCheckpoint
from ecgan.config import build
from ecgan.data.datamodule import DataModule
from ecgan.data.store import Store
from ecgan.detect.callback import STATE
from ecgan.devices import Place, averaging, together
from ecgan.errors import DivergedError
from ecgan.figures import draw_fold, draw_gallery, draw_reconstructions
from ecgan.files import sha256_of, write_json
from ecgan.interruption import StopsWhenAsked
from ecgan.models.base import Model
from ecgan.track.going_on import LastCheckpoint, epochs_of
from ecgan.track.metrics_file import MetricsFile
from ecgan.track.progress import FoldProgress
from ecgan.track.pruning import pruning
from ecgan.types import Fold

log = logging.getLogger(__name__)

SILENT = Console(quiet=True)
BEST, LAST = Path("checkpoints", "best.ckpt"), Path("checkpoints", "last.ckpt")


@dataclass(frozen=True)
class Training:
    """What every process of a training makes alike.

    Attributes:
        directory: of the fold.
        seed: of the fold.
        data: its loaders.
        model: with its first weights.
        metrics: all that is logged.
        best: keeps the best weights.
        last: keeps what the training goes on from.
        stopping: ends it early, if anything does.
        epochs: how many it has behind it, None for a new training.
    """

    directory: Path
    seed: int
    data: DataModule
    model: Model
    metrics: MetricsFile
    best: BestCheckpoint
    last: LastCheckpoint
    stopping: list[pl.Callback]
    epochs: int | None

    @property
    def callbacks(self) -> list[pl.Callback]:
        """All that decides how the training goes."""
        return [self.best, self.last, *self.stopping]


def run_fold(
    cfg: DictConfig,
    store: Store,
    fold: Fold,
    run_directory: Path,
    console: Console = SILENT,
    title: str = "training",
    watchers: Sequence[pl.Callback] = (),
) -> None:
    """Train one fold, choose thresholds on its validation part, score its test part.

    The result depends on the config, the store and the fold, never on which folds ran before. A fold that was
    interrupted goes on after its last whole epoch, and ends as if nothing had happened.

    Raises:
        DivergedError: when the training gives values that are not finite; the last good weights are kept.
    """
    training = prepared(cfg, store, fold, run_directory)
    directory, model, data = training.directory, training.model, training.data
    if training.epochs is not None and training.epochs < cfg.trainer.max_epochs:
        console.print(f"{title}: goes on after epoch {training.epochs}", soft_wrap=True, highlight=False, markup=False)
    write_json(directory / "transform.json", {"transform": cfg.transform._target_, **data.transform.state()})
    metrics, devices = training.metrics, cfg.trainer.devices
    callbacks = [*training.callbacks, *_judges(cfg, training, console), *watchers]
    callbacks += pruning(fold.number, cfg.trainer.max_epochs)
    if cfg.trainer.progress_bar:
        callbacks.append(FoldProgress(title, console, model.monitor))
    trainer = engine.make_trainer(cfg, directory, callbacks, metrics, averaging(Place(0, devices), model))
    with together(run_directory, fold.number, devices, trainer.strategy.root_device):
        fit(trainer, training)
    _refuse_divergence(training.best, model)
    if devices > 1:  # one device judges, on whole parts in the order of the store
        progress, trainer = trainer.fit_loop.state_dict(), engine.make_trainer(cfg, directory, callbacks, metrics)
        trainer.fit_loop.load_state_dict(progress)  # what is logged stands at its epochs and steps
    _judge(trainer, training)
    metrics.save()
    if cfg.trainer.figures:
        _draw(model, data, directory)
    facts = {"seed": training.seed, "device": str(trainer.strategy.root_device), "threads": torch.get_num_threads()}
    facts |= {"devices": devices, "fit_s": round(training.last.seconds, 3), "spec": asdict(data.spec)}
    resumed = {} if training.epochs is None else {"resumed_after": training.epochs}
    _record_fold(run_directory, directory, **facts, **resumed)
    log.info("%s: weights %s", directory.name, training.best.best_model_path)


def prepared(cfg: DictConfig, store: Store, fold: Fold, run_directory: Path) -> Training:
    """Make what a fold is trained with."""
    directory = run_directory / f"fold_{fold.number}"
    seed = engine.seed_fold(cfg.seed, fold.number, engine.threads_of(cfg))
    data = assembly.data_module(cfg, store, fold, seed)
    model = build(cfg.model, spec=data.spec)
    if cfg.trainer.compile:
        model.compile_networks()
    metrics = MetricsFile(directory)
    best = BestCheckpoint(directory / BEST, model.monitor, newest=cfg.trainer.weights == "last")
    last = LastCheckpoint(directory / LAST, metrics)
    patience = cfg.trainer.patience
    stopping: list[pl.Callback] = [] if patience is None else [EarlyStopping(model.monitor, patience=patience)]
    return Training(directory, seed, data, model, metrics, best, last, stopping, epochs_of(last.path))


def fit(trainer: pl.Trainer, training: Training) -> None:
    """Train from the first epoch, or from the last whole one."""
    checkpoint = None if training.epochs is None else training.last.path
    trainer.fit(training.model, training.data, ckpt_path=checkpoint, weights_only=True)


def clear(directory: Path, failed: bool) -> None:
    """Remove what a fold has left that does not go on: one that failed, or was interrupted in its first epoch."""
    if failed or epochs_of(directory / LAST) is None:
        shutil.rmtree(directory, ignore_errors=True)


def _judge(trainer: pl.Trainer, training: Training) -> None:
    """Validate and test the best weights, with all that accompanies it."""
    weights = Path(training.best.best_model_path)
    assembly.fit_latents(training.model, training.data, weights)
    for judge in (trainer.validate, trainer.test):
        engine.return_memory()
        judge(training.model, training.data, ckpt_path=weights, verbose=False, weights_only=True)
    engine.return_memory()


def _draw(model: Model, data: DataModule, directory: Path) -> None:
    classes, test = data.store.manifest["classes"], data.fold.test
    draw_fold(directory, classes)
    draw_reconstructions(model, data.part(test), data.label[test], directory, data.classes)
    draw_gallery(data.part(test), directory, classes)


def _judges(cfg: DictConfig, training: Training, console: Console) -> list[pl.Callback]:
    """What judges a model, or stops its training when asked; nothing that decides how the training goes."""
    data, directory = training.data, training.directory
    return [
        StopsWhenAsked(),
        assembly.detection(cfg, data, directory / "detection", training.seed, None, console),
        *assembly.classification(data, training.model, directory / "classification"),
        *assembly.generation(cfg, data, training.model, directory, training.seed, console),
    ]


def _refuse_divergence(best: BestCheckpoint, model: pl.LightningModule) -> None:
    score = best.best_model_score
    if score is None or not torch.isfinite(score) or not best.best_model_path:
        raise DivergedError(
            f"The training of {type(model).__name__} diverged: {best.monitor} is {score}; "
            "lower model.optimizer.lr or use another transform."
        )


def record_failure(run_directory: Path, name: str, error: DivergedError) -> None:
    """Write down in ``run.json`` that a fold has failed."""
    folds = provenance.read_facts(run_directory).get("folds", {})
    folds[name] = {"status": "failed", "error": str(error)}
    provenance.record(run_directory, folds=folds)


def _record_fold(run_directory: Path, directory: Path, **facts: Any) -> None:
    folds = provenance.read_facts(run_directory).get("folds", {})
    states = sorted((directory / "detection").glob(f"*/{STATE}"))
    checksums = {
        "weights": sha256_of(directory / BEST),
        "transform": sha256_of(directory / "transform.json"),
        "scorers": {state.parent.name: sha256_of(state) for state in states},
    }
    folds[directory.name] = {"status": "finished"} | checksums | facts
    provenance.record(run_directory, folds=folds)
