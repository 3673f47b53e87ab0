"""From a checked config to the objects of a run: data, folds, detectors, what judges a model."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from rich.console import Console

from ecgan.capabilities import Classifies, FitsLatents, Samples
from ecgan.checks import check_folder, learns_classes
from ecgan.classify.callback import ClassificationCallback
from ecgan.config import build, plain, plan_of
from ecgan.data.datamodule import DataModule
from ecgan.data.fetch.download import checksums, fetch
from ecgan.data.splits.folds import make_folds
from ecgan.data.store import FORMAT, Store, prepare
from ecgan.detect.callback import DetectionCallback, LearningParts
from ecgan.detect.detector import Detector
from ecgan.errors import ConfigError
from ecgan.files import digest, replacing
from ecgan.generate.callback import GenerationCallback, Judgment
from ecgan.generate.writing import Description
from ecgan.types import Fold, Supervision

log = logging.getLogger(__name__)


def open_data(cfg: DictConfig) -> Store:
    """Get the raw files, preprocess them if that has not been done, and open the store.

    The store's name is the digest of all that it depends on: source and settings, raw checksums, preprocessing.
    Two preprocessings coexist, and a stale one cannot be picked up.
    """
    data, mirror = Path(cfg.paths.data), Path(cfg.paths.mirror) if cfg.paths.mirror else None
    source = build(cfg.dataset).settled([data, mirror] if mirror else [data])
    check_folder("the data set's name", source.name)
    raw = fetch(source, data, mirror)
    steps = {name: build(step) for name, step in cfg.preprocess.steps.items()}
    settings = plain(cfg.dataset)
    if source.place is not None:  # the checksum tells the file, wherever it lies
        settings = {key: value for key, value in settings.items() if key != "path"}
    facts = {
        "format": FORMAT,
        "name": source.name,
        "source": settings,
        "version": source.version,
        "classes": list(source.classes),  # in order, which the digest of the settings does not see
        "raw": checksums(source, raw, data / source.folder / "checksums.json"),
        # their order matters; a step that works differently from before has another version
        "preprocess": [
            [name, plain(cfg.preprocess.steps[name]), getattr(step, "version", "1")] for name, step in steps.items()
        ],
    }
    facts["hash"] = digest(facts)
    directory = data / source.name / "processed" / facts["hash"][:16]
    workers = cfg.preprocess.workers or cores()
    store = prepare(source, list(steps.values()), raw, directory, facts, workers)
    log.info("%d series of %s in %s", len(store), source.name, store.directory)
    return store


def cores() -> int:
    """Cores that this process may use, which are not all where a cluster gives out some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def about_store(store: Store) -> list[str]:
    """What a user must know of the data before anything is done with them, in lines."""
    manifest = store.manifest
    channels, length = store.data.shape[1:]
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest["counts"].items())
    rate = "no sampling rate" if manifest["fs_hz"] is None else f"{manifest['fs_hz']:g} Hz"
    lines = [f"{len(store):,} series of {manifest['name']}, {channels} x {length} samples, {rate} ({counts})"]
    lines += [f"Note: {manifest['note']}"] if manifest["note"] else []
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in manifest["dropped"].items())
    return lines + ([f"Left out: {left_out}"] if left_out else [])


def folds_of(cfg: DictConfig, store: Store) -> list[Fold]:
    """Make the folds that the config asks for."""
    return make_folds(store.label, store.group, store.part, plan_of(cfg), cfg.split.seed)


def chosen_folds(folds: Sequence[Fold], only: Sequence[int] | None) -> list[Fold]:
    """Those of the folds that shall run.

    Raises:
        ConfigError: when ``only`` names a fold that does not exist.
    """
    if only is None:
        return list(folds)
    unknown = [number for number in only if number not in range(len(folds))]
    if unknown or not only:
        raise ConfigError(f"split.only is {list(only)} but the folds are 0 to {len(folds) - 1}; name some of them.")
    return [folds[number] for number in only]


def data_module(cfg: DictConfig, store: Store, fold: Fold, seed: int) -> DataModule:
    """Loaders of one fold, with the transform fitted on its training part."""
    given = cfg.data
    transform = build(cfg.transform)
    return DataModule(
        store, fold, transform, given.batch_size, given.eval_batch_size, seed, given.labels, given.sampling
    )


def detection(
    cfg: DictConfig,
    data: DataModule,
    directory: Path,
    seed: int,
    fitted: dict[str, Path] | None = None,
    console: Console | None = None,
    workspace: Path | None = None,
) -> DetectionCallback:
    """The detectors of the config as one callback.

    Args:
        cfg: the config.
        data: loaders of the fold.
        directory: where each detector gets a folder.
        seed: of the scorers.
        fitted: saved states of scorers, by detector.
        console: where to say what is being fitted.
        workspace: where slow scorers keep what they have done; by default in ``directory``.
    """
    seen = supervision_of(cfg)
    detectors = [
        Detector(name, build(node.scorer), build(node.threshold), model=seen)
        for name, node in (cfg.detector or {}).items()
    ]
    store, val = data.store, data.fold.val
    abnormal = np.asarray(store.label[val] != 0)
    parts = LearningParts(data.training_normals(), data.part(val), data.part(val[~abnormal]), abnormal)
    return DetectionCallback(detectors, parts, store.label, store.group, directory, seed, fitted, console, workspace)


def supervision_of(cfg: DictConfig) -> Supervision:
    """What a model has seen of abnormal series in training."""
    if cfg.split.train_on == "normal":
        return "normal_only"
    return "train_labelled" if learns_classes(plain(cfg.model)) else "train_unlabelled"


def classification(data: DataModule, model: pl.LightningModule, directory: Path) -> list[pl.Callback]:
    """What judges a classifier, and nothing for other models.

    Args:
        data: loaders of the fold.
        model: to be tested.
        directory: where the predictions go.
    """
    judged = isinstance(model, Classifies)
    return [ClassificationCallback(data.label, data.store.group, directory)] if judged else []


def generation(
    cfg: DictConfig, data: DataModule, model: pl.LightningModule, directory: Path, seed: int, console: Console
) -> list[pl.Callback]:
    """What judges a model that generates, and nothing for other models.

    Args:
        cfg: the config.
        data: loaders of the fold.
        model: to be judged.
        directory: of the fold.
        seed: of all that is drawn.
        console: where to say that it takes a while.
    """
    given = cfg.generation
    if not isinstance(model, Samples) or not given.n:
        return []
    fold, manifest = data.fold, data.store.manifest
    known = np.unique(data.label[fold.train])  # nobody can ask for classes that were not learned
    indices = {"train": fold.train, "val": fold.val, "test": fold.test}
    parts = {name: data.part(part[np.isin(data.label[part], known)]) for name, part in indices.items()}
    channels, seq_len = data.store.data.shape[1:]
    about = Description(given.n, channels, seq_len, manifest["unit"], manifest["fs_hz"], data.classes)
    how = Judgment(given.n, given.every, given.bootstrap, cfg.trainer.figures, seed)
    return [GenerationCallback(parts, directory / "generation", directory / "figures", about, how, console)]


def fit_latents(model: pl.LightningModule, data: DataModule, weights: Path) -> None:
    """Fit the latent distribution of a model with an encoder, for its best weights, and store it with them."""
    if not isinstance(model, FitsLatents):
        return
    checkpoint = torch.load(weights, map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["state_dict"])
    model.fit_latents(data.part(data.fold.train))
    checkpoint["state_dict"] = model.state_dict()
    written = BytesIO()  # the archive would hold the name of a file, which is a temporary one here
    torch.save(checkpoint, written)
    with replacing(weights) as temporary:
        temporary.write_bytes(written.getvalue())
