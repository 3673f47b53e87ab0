"""One fold of a run: trained, judged, and written down; one that was interrupted goes on."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import EarlyStopping
from rich.console import Console

from ecgan import assembly, provenance
from ecgan.checkpointing import BestCheckpoint
from ecgan.config import build
from ecgan.data.datamodule import DataModule
from ecgan.data.store import Store
from ecgan.detect.callback import STATE
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
    epochs = epochs_of(directory / LAST)
    if epochs is not None and epochs < cfg.trainer.max_epochs:
        console.print(f"{title}: goes on after epoch {epochs}", soft_wrap=True, highlight=False, markup=False)
    seed = assembly.seed_fold(cfg.seed, fold.number, cfg.trainer.threads)
    data = assembly.data_module(cfg, store, fold, seed)
    write_json(directory / "transform.json", {"transform": cfg.transform._target_, **data.transform.state()})
    model = build(cfg.model, spec=data.spec)
    metrics = MetricsFile(directory)
    best, last = BestCheckpoint(directory / BEST, model.monitor), LastCheckpoint(directory / LAST, metrics)
    callbacks = [best, last, *_callbacks(cfg, data, model, directory, seed, console), *watchers]
    callbacks += pruning(fold.number, cfg.trainer.max_epochs)
    if cfg.trainer.compile:
        model.compile_networks()
    if cfg.trainer.progress_bar:
        callbacks.append(FoldProgress(title, console, model.monitor))
    trainer = assembly.trainer(cfg, directory, callbacks, metrics)
    trainer.fit(model, data, ckpt_path=None if epochs is None else last.path, weights_only=True)
    _refuse_divergence(best, model)
    _judge(trainer, model, data, Path(best.best_model_path))
    metrics.save()
    if cfg.trainer.figures:
        _draw(model, data, directory)
    device, threads, fit_s = str(trainer.strategy.root_device), torch.get_num_threads(), round(last.seconds, 3)
    facts = {"seed": seed, "device": device, "threads": threads, "fit_s": fit_s, "spec": asdict(data.spec)}
    _record_fold(run_directory, directory, **facts, **({} if epochs is None else {"resumed_after": epochs}))
    log.info("%s: best weights %s, validation loss %s", directory.name, best.best_model_path, best.best_model_score)


def clear(directory: Path, failed: bool) -> None:
    """Remove what a fold has left that does not go on: one that failed, or was interrupted in its first epoch."""
    if failed or epochs_of(directory / LAST) is None:
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
    """What accompanies the training of a fold besides its checkpoints."""
    patience = cfg.trainer.patience
    return [
        StopsWhenAsked(),
        assembly.detection(cfg, data, directory / "detection", seed, None, console),
        *assembly.classification(data, model, directory / "classification"),
        *assembly.generation(cfg, data, model, directory, seed, console),
        *([] if patience is None else [EarlyStopping(model.monitor, patience=patience)]),
    ]


def _refuse_divergence(best: BestCheckpoint, model: pl.LightningModule) -> None:
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
        "weights": sha256_of(directory / BEST),
        "transform": sha256_of(directory / "transform.json"),
        "scorers": {state.parent.name: sha256_of(state) for state in states},
    }
    folds[directory.name] = {"status": "finished"} | checksums | facts
    provenance.record(run_directory, folds=folds)
