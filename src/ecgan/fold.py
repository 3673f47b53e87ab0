"""One fold of a run: trained, judged, and written down; one that was interrupted goes on."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rich.console import Console

from ecgan import assembly, provenance
from ecgan.config import build
from ecgan.data.datamodule import DataModule
from ecgan.data.store import Store
from ecgan.detect.callback import STATE
from ecgan.errors import DivergedError
from ecgan.figures import draw_fold, draw_gallery, draw_reconstructions
from ecgan.files import sha256_of, write_json
from ecgan.interruption import StopsWhenAsked
from ecgan.models.base import Model
from ecgan.track.going_on import TrainingState, epochs_of, stopped_early
from ecgan.track.metrics_file import MetricsFile
from ecgan.track.progress import FoldProgress
from ecgan.track.pruning import pruning
from ecgan.types import Fold

log = logging.getLogger(__name__)

SILENT = Console(quiet=True)
CHECKPOINTS, BEST, LAST = "checkpoints", "best", "last"


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
    directory = run_directory / f"fold_{fold.number}"
    last = directory / CHECKPOINTS / f"{LAST}.ckpt"
    epochs = epochs_of(last)
    if epochs is not None and epochs < cfg.trainer.max_epochs:
        console.print(f"{title}: goes on after epoch {epochs}", soft_wrap=True, highlight=False, markup=False)
    seed = assembly.seed_fold(cfg.seed, fold.number, cfg.trainer.threads)
    data = assembly.data_module(cfg, store, fold, seed)
    write_json(directory / "transform.json", {"transform": cfg.transform._target_, **data.transform.state()})
    model = build(cfg.model, spec=data.spec)
    metrics = MetricsFile(directory)
    best = ModelCheckpoint(directory / CHECKPOINTS, BEST, model.monitor, enable_version_counter=False)
    callbacks = [best, *_callbacks(cfg, data, model, directory, seed, console), TrainingState(metrics), *watchers]
    callbacks += pruning(fold.number, cfg.trainer.max_epochs)
    if cfg.trainer.compile:
        model.compile_networks()
    if cfg.trainer.progress_bar:
        callbacks.append(FoldProgress(title, console, model.monitor))
    trainer = assembly.trainer(cfg, directory, callbacks, metrics)
    if epochs is not None and stopped_early(last):
        trainer.fit_loop.max_epochs = epochs
    started = time.perf_counter()
    trainer.fit(model, data, ckpt_path=None if epochs is None else last, weights_only=True)
    fit_s = round(time.perf_counter() - started, 3)
    _refuse_divergence(best, model)
    _judge(trainer, model, data, Path(best.best_model_path))
    metrics.save()
    if cfg.trainer.figures:
        _draw(model, data, directory)
    device, threads = str(trainer.strategy.root_device), torch.get_num_threads()
    facts = {"seed": seed, "device": device, "threads": threads, "fit_s": fit_s, "spec": asdict(data.spec)}
    _record_fold(run_directory, directory, **facts, **({} if epochs is None else {"resumed_after": epochs}))
    log.info("%s: best weights %s, validation loss %s", directory.name, best.best_model_path, best.best_model_score)


def clear(directory: Path, failed: bool) -> None:
    """Remove what a fold has left that does not go on: one that failed, or was interrupted in its first epoch."""
    if failed or epochs_of(directory / CHECKPOINTS / f"{LAST}.ckpt") is None:
        shutil.rmtree(directory, ignore_errors=True)


def _judge(trainer: pl.Trainer, model: Model, data: DataModule, weights: Path) -> None:
    """Validate and test the best weights, with all that accompanies it."""
    assembly.fit_latents(model, data, weights)
    for judge in (trainer.validate, trainer.test):
        assembly.return_memory()
        judge(model, data, ckpt_path=weights, verbose=False, weights_only=True)
    assembly.return_memory()


def _draw(model: Model, data: DataModule, directory: Path) -> None:
    classes, test = data.store.manifest["classes"], data.fold.test
    draw_fold(directory, classes)
    draw_reconstructions(model, data.part(test), data.label[test], directory, data.classes)
    draw_gallery(data.part(test), directory, classes)


def _callbacks(
    cfg: DictConfig, data: DataModule, model: Model, directory: Path, seed: int, console: Console
) -> list[pl.Callback]:
    """What accompanies the training of a fold besides the choice of its best weights."""
    # after the epoch and not after its validation, so that a training can go on from it; save_last=True would write the
    # last weights only when they are the best
    last = ModelCheckpoint(directory / CHECKPOINTS, LAST, save_on_train_epoch_end=True, enable_version_counter=False)
    patience = cfg.trainer.patience
    return [
        last,
        StopsWhenAsked(),
        assembly.detection(cfg, data, directory / "detection", seed, None, console),
        *assembly.classification(data, model, directory / "classification"),
        *assembly.generation(cfg, data, model, directory, seed, console),
        *([] if patience is None else [EarlyStopping(model.monitor, patience=patience)]),
    ]


def _refuse_divergence(best: ModelCheckpoint, model: pl.LightningModule) -> None:
    score = best.best_model_score
    if score is None or not torch.isfinite(score) or not best.best_model_path:
        raise DivergedError(
            f"The training of {type(model).__name__} diverged: the best {best.monitor} is {score}; "
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
        "weights": sha256_of(directory / "checkpoints" / "best.ckpt"),
        "transform": sha256_of(directory / "transform.json"),
        "scorers": {state.parent.name: sha256_of(state) for state in states},
    }
    folds[directory.name] = {"status": "finished"} | checksums | facts
    provenance.record(run_directory, folds=folds)
