"""From a checked config to a run directory."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rich.console import Console

from ecgan import assembly, provenance, report
from ecgan.config import build, compose, plain, plan_of
from ecgan.data.datamodule import DataModule
from ecgan.data.splits.protocol import protocol_of
from ecgan.data.splits.splits_file import data_facts, write_splits
from ecgan.data.store import Store, verify
from ecgan.detect.callback import STATE
from ecgan.errors import DivergedError, EcganError, IncompleteError
from ecgan.figures import draw_fold, draw_gallery, draw_reconstructions
from ecgan.files import read_json, sha256_of, write_json, write_text
from ecgan.models.base import Model
from ecgan.nodes import TARGET
from ecgan.track.progress import FoldProgress
from ecgan.track.pruning import pruning
from ecgan.types import Fold

log = logging.getLogger(__name__)

Summary = dict[str, dict[str, dict[str, float]]]
SILENT = Console(quiet=True)


def run(
    cfg: DictConfig, directory: Path, console: Console = SILENT, composed: Mapping[str, Any] | None = None
) -> Summary:
    """Execute a checked config: data, folds, training, detection, results.

    Args:
        cfg: from ``ecgan.config.compose``.
        directory: the run directory; it must not hold a run yet.
        console: where to show progress.
        composed: what else to keep in ``.hydra``, by name: the overrides, and Hydra's own settings.

    Returns:
        The metrics of all detectors, as in ``summary.json``.

    Raises:
        EcganError: when something is wrong that the user can mend; ``run.json`` then says ``failed``.
    """
    provenance.claim(directory)
    with _recorded(directory):
        for name, node in {"config": cfg, **(composed or {})}.items():
            write_text(directory / ".hydra" / f"{name}.yaml", OmegaConf.to_yaml(node))
        store = assembly.open_data(cfg)
        verify(store)
        folds = assembly.folds_of(cfg, store)
        chosen = assembly.chosen_folds(folds, cfg.split.only)
        division = {name: store.manifest[name] for name in ("partition", "grouping")}
        protocol = protocol_of(folds, store.label, store.group, store.part, plan_of(cfg), **division)
        facts = data_facts(store.label, store.group)
        sha256 = write_splits(directory / "splits.json", folds, facts, protocol | plain(cfg.split))
        provenance.record(
            directory,
            dataset=_about(store, folds),
            protocol=protocol,
            seed=cfg.seed,
            splits=sha256,
            detectors=list(cfg.detector or {}),
        )
        model, name = plain(cfg.model)[TARGET].rpartition(".")[2], store.manifest["name"]
        console.print(
            f"{model} on {len(store):,} series of {name}, {len(chosen)} fold(s), in {directory}",
            soft_wrap=True,
            markup=False,
        )
        for line in assembly.about_store(store)[1:]:
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        failed: dict[str, str] = {}
        for fold in chosen:
            title = f"fold {fold.number} of {len(folds)}" if len(folds) > 1 else "training"
            try:
                with assembly.quiet():
                    run_fold(cfg, store, fold, directory, console, title)
            except DivergedError as error:  # the other folds do not depend on it
                _record_failure(directory, f"fold_{fold.number}", error)
                failed[f"fold {fold.number}"] = str(error)
                console.print(f"{title}: {error}", soft_wrap=True, highlight=False, markup=False)
        return _written(directory, failed, len(chosen))


def _written(directory: Path, failed: Mapping[str, str], folds: int) -> Summary:
    """Write the results of the folds that did not fail.

    Raises:
        IncompleteError: after that, when others failed.
        DivergedError: when all failed.
    """
    told = "; ".join(f"{name} failed: {error.rstrip('.')}" for name, error in failed.items()) + "."
    if len(failed) == folds:
        raise DivergedError(told)
    summary = report.write(directory)
    if failed:
        raise IncompleteError(f"{told} The results of the other folds are in {directory}.")
    return summary


def run_fold(
    cfg: DictConfig,
    store: Store,
    fold: Fold,
    run_directory: Path,
    console: Console = SILENT,
    title: str = "training",
) -> None:
    """Train one fold, choose thresholds on its validation part, score its test part.

    The result depends on the config, the store and the fold, never on which folds ran before.

    Raises:
        DivergedError: when the training gives values that are not finite; the last good weights are kept.
    """
    directory = run_directory / f"fold_{fold.number}"
    seed = assembly.seed_fold(cfg.seed, fold.number, cfg.trainer.threads)
    data = assembly.data_module(cfg, store, fold, seed)
    write_json(directory / "transform.json", {"transform": cfg.transform._target_, **data.transform.state()})
    model = build(cfg.model, spec=data.spec)
    best = ModelCheckpoint(directory / "checkpoints", "best", model.monitor, enable_version_counter=False)
    callbacks = [best, *_callbacks(cfg, data, model, directory, seed, console)]
    callbacks += pruning(fold.number, cfg.trainer.max_epochs)
    if cfg.trainer.compile:
        model.compile_networks()
    if cfg.trainer.progress_bar:
        callbacks.append(FoldProgress(title, console, model.monitor))
    trainer = assembly.trainer(cfg, directory, callbacks, record=True)
    started = time.perf_counter()
    trainer.fit(model, data)
    fit_s = round(time.perf_counter() - started, 3)
    _refuse_divergence(best, model)
    assembly.fit_latents(model, data, Path(best.best_model_path))
    for judge in (trainer.validate, trainer.test):
        assembly.return_memory()
        judge(model, data, ckpt_path=best.best_model_path, verbose=False, weights_only=True)
    assembly.return_memory()
    for logger in trainer.loggers:
        logger.save()
    device, threads = str(trainer.strategy.root_device), torch.get_num_threads()
    facts = {"seed": seed, "device": device, "threads": threads, "fit_s": fit_s, "spec": asdict(data.spec)}
    _record_fold(run_directory, directory, **facts)
    log.info("%s: best weights %s, validation loss %s", directory.name, best.best_model_path, best.best_model_score)
    if cfg.trainer.figures:
        classes = store.manifest["classes"]
        draw_fold(directory, classes)
        draw_reconstructions(model, data.part(fold.test), data.label[fold.test], directory, data.classes)
        draw_gallery(data.part(fold.test), directory, classes)


def _callbacks(
    cfg: DictConfig, data: DataModule, model: Model, directory: Path, seed: int, console: Console
) -> list[pl.Callback]:
    """What accompanies the training of a fold besides the choice of its best weights."""
    # save_last=True would write the last weights only when they are the best
    last = ModelCheckpoint(directory / "checkpoints", "last", enable_version_counter=False)
    patience = cfg.trainer.patience
    return [
        last,
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


def _record_failure(run_directory: Path, name: str, error: DivergedError) -> None:
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


def _about(store: Store, folds: Sequence[Fold]) -> dict[str, Any]:
    keys = ("name", "note", "hash", "raw", "classes", "counts", "unit", "fs_hz", "groups_known")
    about = {key: store.manifest[key] for key in keys}
    return about | {
        "shape": list(store.data.shape),
        "arrays": store.manifest["arrays"],
        "dropped": store.manifest.get("dropped", {}),
        "test_shared_by_folds": all(np.array_equal(fold.test, folds[0].test) for fold in folds),
    }


@contextmanager
def _recorded(directory: Path) -> Iterator[None]:
    """Log to ``ecgan.log`` and write into ``run.json`` how the block ended."""
    handler = logging.FileHandler(directory / "ecgan.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ecgan")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
        provenance.finish(directory, "finished")
    except IncompleteError as error:
        provenance.finish(directory, "incomplete", error)
        raise
    except (KeyboardInterrupt, SystemExit) as error:
        provenance.finish(directory, "interrupted", error)
        raise
    except BaseException as error:
        logger.log(logging.ERROR, "%s", error, exc_info=not isinstance(error, EcganError))
        provenance.finish(directory, "failed", error)
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()


def resume(directory: Path, console: Console = SILENT) -> Summary:
    """Execute an unfinished run again from its config; a finished one keeps its results.

    Args:
        directory: of the run.
        console: where to show progress.
    """
    if provenance.read_facts(directory).get("status") == "finished":
        stored: Summary = read_json(directory / "summary.json")
        return stored
    cfg = compose(file=directory / ".hydra" / "config.yaml")
    for path in directory.glob("fold_*"):
        shutil.rmtree(path)
    (directory / "run.json").unlink()
    return run(cfg, directory, console)
