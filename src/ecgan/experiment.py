"""The only orchestration: from a checked config to a run directory, and detection on one that exists."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rich.console import Console

from ecgan import assembly, provenance, report
from ecgan.config import build, plain, plan_of, reconfigured
from ecgan.data.splits.protocol import protocol_of
from ecgan.data.splits.splits_file import data_facts, digest_of, read_splits, write_splits
from ecgan.data.store import Store, verify
from ecgan.detect.callback import STATE
from ecgan.errors import ConfigError, EcganError, RunError
from ecgan.figures import draw_fold, draw_reconstructions
from ecgan.files import read_json, replacing, sha256_of, write_json, write_text
from ecgan.nodes import TARGET
from ecgan.track.progress import FoldProgress
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
        for fold in chosen:
            title = f"fold {fold.number} of {len(folds)}" if len(folds) > 1 else "training"
            with assembly.quiet():
                run_fold(cfg, store, fold, directory, console, title)
        return report.write(directory)


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
    """
    directory = run_directory / f"fold_{fold.number}"
    seed = assembly.seed_fold(cfg.seed, fold.number, cfg.trainer.threads)
    data = assembly.data_module(cfg, store, fold, seed)
    write_json(directory / "transform.json", {"transform": cfg.transform._target_, **data.transform.state()})
    model = build(cfg.model, spec=data.spec)
    best = ModelCheckpoint(directory / "checkpoints", "best", model.monitor, enable_version_counter=False)
    # save_last=True would write the last one only when it is the best
    last = ModelCheckpoint(directory / "checkpoints", "last", enable_version_counter=False)
    callbacks: list[pl.Callback] = [
        best,
        last,
        assembly.detection(cfg, data, directory / "detection", seed, None, console),
    ]
    if cfg.trainer.patience is not None:
        callbacks.append(EarlyStopping(model.monitor, patience=cfg.trainer.patience))
    if cfg.trainer.progress_bar:
        callbacks.append(FoldProgress(title, console, model.monitor))
    trainer = assembly.trainer(cfg, directory, callbacks, record=True)
    started = time.perf_counter()
    trainer.fit(model, data)
    fit_s = round(time.perf_counter() - started, 3)
    _refuse_divergence(best, model)
    for judge in (trainer.validate, trainer.test):
        assembly.return_memory()
        judge(model, data, ckpt_path=best.best_model_path, verbose=False, weights_only=True)
    assembly.return_memory()
    for logger in trainer.loggers:
        logger.save()
    device, threads = str(trainer.strategy.root_device), torch.get_num_threads()
    _record_fold(run_directory, directory, seed=seed, device=device, threads=threads, fit_s=fit_s)
    log.info("%s: best weights %s, validation loss %s", directory.name, best.best_model_path, best.best_model_score)
    if cfg.trainer.figures:
        classes = store.manifest["classes"]
        draw_fold(directory, classes)
        draw_reconstructions(model, data.part(fold.test), store.label[fold.test], directory, classes)


def redetect(
    run_directory: Path, overrides: Sequence[str] = (), out: Path | None = None, console: Console = SILENT
) -> Path:
    """Score a finished run again, with its weights and splits, with its own or with other detectors.

    Args:
        run_directory: of a finished run.
        overrides: such as ``detector=knn`` or ``threshold=max_f1``; without any, all is as it was.
        out: where to write; ``<run>/detections/<n>`` by default. The run itself is never changed.
        console: where to say what was found.

    Returns:
        Directory with ``fold_<k>/detection/…``, ``results.csv`` and ``summary.json``.

    Raises:
        RunError: when the directory is no finished run, or its weights, splits or data are not those of the run.
    """
    facts = provenance.read_finished(run_directory)
    if out is not None and out.exists():
        raise RunError(f"{out} exists and is not overwritten; name another folder with out=….")
    cfg = reconfigured(run_directory / ".hydra" / "config.yaml", Path(facts["cwd"]), overrides)
    if not cfg.detector:
        raise ConfigError("There is no detector to score with; choose one or more, such as detector=[knn,pca].")
    store = assembly.open_data(cfg)
    folds = _unchanged(run_directory, facts, store)
    out = out or _next_free(run_directory / "detections")
    with replacing(out) as unfinished:
        for name in facts["folds"]:
            with assembly.quiet():
                threads = cfg.trainer.threads or facts["folds"][name]["threads"]  # sums depend on their number
                _redetect_fold(cfg, store, folds[int(name.removeprefix("fold_"))], run_directory, unfinished, threads)
            console.print(f"{name}: scored")
        write_text(unfinished / ".hydra" / "config.yaml", OmegaConf.to_yaml(cfg))
        provenance.record_detection(unfinished, run_directory, list(cfg.detector))
        report.write(unfinished, out.name)
    return out


def reproduced(run_directory: Path, out: Path) -> dict[str, bool]:
    """For each prediction file that both have: whether the two are equal byte for byte."""
    pattern = "fold_*/detection/*/predictions.csv"
    pairs = {file.relative_to(out): run_directory / file.relative_to(out) for file in sorted(out.glob(pattern))}
    return {
        str(name.parent): (out / name).read_bytes() == original.read_bytes()
        for name, original in pairs.items()
        if original.is_file()
    }


def _unchanged(run_directory: Path, facts: dict[str, Any], store: Store) -> list[Fold]:
    """Refuse data, splits, weights and scorers that are not those of the run, before anything is scored."""
    about = facts["dataset"]
    if store.manifest["hash"] != about["hash"] or store.manifest["arrays"] != about["arrays"]:
        raise RunError("The data differ from those of the run (another raw file or preprocessing); restore them.")
    verify(store)
    splits = run_directory / "splits.json"
    folds, _ = read_splits(splits)
    if digest_of(folds) != facts["splits"]:
        raise RunError(f"{splits} holds other folds than those that the run was trained on; restore the file.")
    for name, entry in facts["folds"].items():
        files = {run_directory / name / "checkpoints" / "best.ckpt": entry["weights"]}
        files |= {run_directory / name / "detection" / key / STATE: sha for key, sha in entry["scorers"].items()}
        for file, sha256 in files.items():
            if not file.is_file() or sha256_of(file) != sha256:
                raise RunError(f"{file} is missing or damaged (its checksum is not the one in run.json); train again.")
    return folds


def _redetect_fold(cfg: DictConfig, store: Store, fold: Fold, run_directory: Path, out: Path, threads: int) -> None:
    original = run_directory / f"fold_{fold.number}"
    weights = original / "checkpoints" / "best.ckpt"
    seed = assembly.seed_fold(cfg.seed, fold.number, threads)
    data = assembly.data_module(cfg, store, fold, seed)
    learned = {"transform": cfg.transform._target_, **data.transform.state()}
    if learned != read_json(original / "transform.json"):
        raise RunError(f"{original / 'transform.json'} is not what the training part gives; data or file were changed.")
    model = build(cfg.model, spec=data.spec)
    saved = OmegaConf.load(run_directory / ".hydra" / "config.yaml")
    same = [name for name, node in cfg.detector.items() if _same_scorer(node, saved.detector.get(name))]
    fitted = {name: original / "detection" / name for name in same}
    directory = out / original.name
    callback = assembly.detection(cfg, data, directory / "detection", seed, fitted)
    trainer = assembly.trainer(cfg, directory, [callback], record=False)
    try:
        trainer.validate(model, data, ckpt_path=str(weights), verbose=False, weights_only=True)
    except RuntimeError as error:
        if "loading state_dict" not in str(error):
            raise
        raise RunError(f"{weights} does not fit the model in the run's config; one of them was changed.") from error
    trainer.test(model, data, ckpt_path=str(weights), verbose=False, weights_only=True)


def _same_scorer(node: DictConfig, saved: DictConfig | None) -> bool:
    return saved is not None and plain(node.scorer) == plain(saved.scorer)


def _refuse_divergence(best: ModelCheckpoint, model: pl.LightningModule) -> None:
    score = best.best_model_score
    if score is None or not torch.isfinite(score) or not best.best_model_path:
        raise RunError(
            f"The training of {type(model).__name__} diverged: the best {best.monitor} is {score}; "
            "lower model.optimizer.lr or use another transform."
        )


def _record_fold(run_directory: Path, directory: Path, **facts: Any) -> None:
    folds = provenance.read_facts(run_directory).get("folds", {})
    states = sorted((directory / "detection").glob(f"*/{STATE}"))
    checksums = {
        "weights": sha256_of(directory / "checkpoints" / "best.ckpt"),
        "scorers": {state.parent.name: sha256_of(state) for state in states},
    }
    folds[directory.name] = checksums | facts
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


def _next_free(folder: Path) -> Path:
    number = 1
    while (folder / f"{number:03d}").exists():
        number += 1
    return folder / f"{number:03d}"


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
