"""``ecgan-publish``: from a finished run to a bundle that scores the same anywhere, without the training data."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import save

from ecgan import arguments, assembly, provenance
from ecgan.config import plain, reconfigured
from ecgan.data.splits.splits_file import read_splits
from ecgan.detect.callback import PREDICTIONS, STATE, THRESHOLD
from ecgan.errors import ConfigError, RunError
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import read_predictions
from ecgan.files import replacing, write_json, write_text
from ecgan.nodes import TARGET
from ecgan.publish.about import about_bundle, without_places
from ecgan.publish.card import model_card
from ecgan.publish.detector import Judge, Parts
from ecgan.publish.export import ONNX, CannotExportError, export, refuse_without_libraries
from ecgan.publish.loading import (
    ABOUT,
    CONFIG,
    DETECTORS,
    LEARNED,
    NORMALS,
    SCORES,
    TRANSFORM,
    WEIGHTS,
    parts_of_run,
)
from ecgan.publish.manifest import pack, write_manifest
from ecgan.trained import Trained, load_trained
from ecgan.types import FloatArray

SILENT = Console(quiet=True)
CARD = "README.md"
SETTINGS = ("run", "to", "fold", "onnx")


@dataclass(frozen=True)
class Request:
    """What ``ecgan-publish`` was asked for.

    Attributes:
        run: directory of a finished run.
        to: folder or ``.zip`` file to write.
        fold: which of the run's models.
        onnx: also write the scoring path of each detector as ONNX, where that can be done.
    """

    run: Path
    to: Path
    fold: int = 0
    onnx: bool = False


@dataclass(frozen=True)
class Published:
    """What was written.

    Attributes:
        sha256: digest of the bundle.
        detectors: their names.
        exported: those that have an ONNX file.
        refused: why others have none, by name.
    """

    sha256: str
    detectors: tuple[str, ...]
    exported: tuple[str, ...]
    refused: dict[str, str]


def parse(given: Sequence[str]) -> Request:
    """Read ``run=… to=… [fold=…] [onnx=…]``.

    Raises:
        ConfigError: when a setting is unknown, missing, or not of its type.
    """
    known = arguments.settings(given, SETTINGS)
    if not known.get("run"):
        raise ConfigError("Which run? Give run=<directory>, as printed at the end of ecgan-train.")
    if not known.get("to"):
        raise ConfigError("Where to? Give to=<folder>, or to=<name>.zip for one file.")
    fold, onnx = arguments.whole(known, "fold", 0), arguments.truth(known, "onnx")
    return Request(Path(known["run"]), Path(known["to"]), fold, onnx)


def publish(request: Request, console: Console = SILENT) -> Published:
    """Write a bundle: weights, config, transform, fitted detectors, thresholds, metrics, model card, checksums.

    The same run gives the same bytes. What is written depends on nothing but the run directory, unless the transform
    learned more than the run kept; then the training data are needed.

    Args:
        request: which run, and where to.
        console: where to say what takes a while.

    Raises:
        EcganError: when the run cannot be used, or the place exists or cannot be written.
    """
    _refuse_taken(request.to)
    if request.onnx:
        refuse_without_libraries()
    trained = load_trained(request.run, request.fold, partial(_learned_anew, request))
    parts = parts_of_run(request.run, request.fold, trained)
    with replacing(request.to) as temporary:
        if is_zip(request.to):
            with tempfile.TemporaryDirectory(prefix="ecgan-") as folder:
                published = _write(Path(folder), request, trained, parts, console)
                pack(Path(folder), temporary)
        else:
            temporary.mkdir()
            published = _write(temporary, request, trained, parts, console)
        _refuse_taken(request.to)  # somebody may have written there in the meantime
    return published


def is_zip(path: Path) -> bool:
    """Whether a name asks for one file."""
    return path.suffix.lower() == ".zip"


def _refuse_taken(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise RunError(f"{path} exists and is not overwritten; choose another name.")


def _write(directory: Path, request: Request, trained: Trained, parts: Parts, console: Console) -> Published:
    """Write all files of a bundle, the manifest last."""
    _write_tensors(directory / WEIGHTS, trained.model.state_dict())
    _write_transform(directory, trained)
    write_json(directory / CONFIG, without_places(plain(trained.cfg)))
    metrics = {}
    refused: dict[str, str] = {}
    for name, judge in parts.judges.items():
        original, folder = request.run / f"fold_{request.fold}" / "detection" / name, directory / DETECTORS / name
        metrics[name] = _metrics(original / PREDICTIONS, judge)
        folder.mkdir(parents=True)
        judge.threshold.write(folder / THRESHOLD)
        write_json(folder / "metrics.json", metrics[name])
        _write_tensors(folder / NORMALS, {SCORES: torch.from_numpy(judge.normals)})
        if name in trained.entry["scorers"]:
            shutil.copyfile(original / STATE, folder / STATE)
        if request.onnx:
            with console.status(f"exporting {name}"):
                _export(parts, name, folder / ONNX, refused)
    about = about_bundle(request.run, request.fold, trained, parts, metrics)
    write_json(directory / ABOUT, about)
    exported = tuple(name for name in parts.judges if request.onnx and name not in refused)
    write_text(directory / CARD, model_card(about, exported))
    return Published(write_manifest(directory), tuple(parts.judges), exported, refused)


def _write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write a safetensors file; each tensor gets memory of its own, as the format wants it."""
    path.write_bytes(save({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}))


def _write_transform(directory: Path, trained: Trained) -> None:
    transform = trained.transform
    write_json(directory / TRANSFORM, {"transform": trained.cfg.transform[TARGET], **transform.state()})
    _write_tensors(directory / LEARNED, {name: torch.from_numpy(value) for name, value in transform.learned.items()})


def _metrics(predictions: Path, judge: Judge) -> dict[str, float]:
    """Metrics of the test part, from its predictions, and only if they were made with this threshold."""
    table = read_predictions(predictions)
    if not (table["threshold"] == judge.threshold.value).all():
        raise RunError(f"{predictions} was made with another threshold than the one beside it; train again.")
    return detection_metrics(table)


def _export(parts: Parts, name: str, path: Path, refused: dict[str, str]) -> None:
    try:
        export(parts, name, path)
    except CannotExportError as error:
        refused[name] = str(error)


def _learned_anew(request: Request, state: dict[str, Any]) -> dict[str, FloatArray]:
    """What the transform learns from the training part, if that is what it learned in the run.

    Raises:
        EcganError: when the data are not there, or are others.
    """
    facts = provenance.read_finished(request.run)
    cfg = reconfigured(request.run / ".hydra" / "config.yaml", Path(facts["cwd"]), [])
    store = assembly.open_data(cfg)
    folds, _ = read_splits(request.run / "splits.json")
    data = assembly.data_module(cfg, store, folds[request.fold], 0)
    if store.manifest["hash"] != facts["dataset"]["hash"] or data.transform.state() != state:
        raise RunError("The data differ from those of the run, so that its transform cannot be had; restore them.")
    return data.transform.learned
