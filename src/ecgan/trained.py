"""A trained model as a run directory holds it, on any machine and without the data that it was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from omegaconf import DictConfig

from ecgan import provenance
from ecgan.config import build, of_run
from ecgan.data.datamodule import BINARY
from ecgan.data.transforms.scaling import Transform
from ecgan.errors import RunError
from ecgan.files import read_json, sha256_of
from ecgan.nodes import TARGET
from ecgan.types import DataSpec, FloatArray

LearnedAnew = Callable[[dict[str, Any]], dict[str, FloatArray]]
"""Given the state in ``transform.json``: what the transform learned, as arrays."""


@dataclass(frozen=True)
class Trained:
    """What one fold of a finished run left.

    Attributes:
        model: with the best weights, on the CPU, in eval mode.
        transform: as fitted on the fold's training part.
        spec: what the model was told of the data.
        shape: channels and samples of series before the transform.
        unit: their unit.
        fs_hz: their sampling rate, None where it is undefined.
        classes: names of the classes that the model was told; the first is normal.
        cfg: the run's config.
        entry: what ``run.json`` says about the fold.
    """

    model: torch.nn.Module
    transform: Transform
    spec: DataSpec
    shape: tuple[int, int]
    unit: str
    fs_hz: float | None
    classes: tuple[str, ...]
    cfg: DictConfig
    entry: dict[str, Any]


def load_trained(run_directory: Path, fold: int = 0, learned_anew: LearnedAnew | None = None) -> Trained:
    """Load the best model of a fold and its transform.

    Args:
        run_directory: of a finished run.
        fold: its number.
        learned_anew: has what the transform learned where that is too large for ``transform.json``.

    Raises:
        RunError: when the directory is no finished run or has no such fold, when its files are not those of the run,
            or when the transform cannot be had without the training data.
    """
    facts = provenance.read_finished(run_directory)
    name, folds = f"fold_{fold}", facts["folds"]
    if name not in folds:
        known = ", ".join(folder.removeprefix("fold_") for folder in folds)
        raise RunError(f"{run_directory} has no trained fold {fold}; it has {known}.")
    entry, about = folds[name], facts["dataset"]
    spec = _spec(run_directory, entry)
    weights, learned = run_directory / name / "checkpoints" / "best.ckpt", run_directory / name / "transform.json"
    for file, sha256 in {weights: entry.get("weights"), learned: entry.get("transform")}.items():
        if not file.is_file() or sha256_of(file) != sha256:
            raise RunError(f"{file} is missing or damaged (its checksum is not the one in run.json); train again.")
    cfg = of_run(run_directory / ".hydra" / "config.yaml")
    return Trained(
        _model(cfg, spec, weights),
        _transform(cfg, learned, learned_anew),
        spec,
        (about["shape"][1], about["shape"][2]),
        about["unit"],
        about["fs_hz"],
        BINARY if cfg.data.labels == "binary" else tuple(about["classes"]),
        cfg,
        entry,
    )


def _spec(run_directory: Path, entry: dict[str, Any]) -> DataSpec:
    """The spec as ``run.json`` holds it, where tuples are lists."""
    try:
        known: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry["spec"].items()
        }
        return DataSpec(**known)
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{run_directory / 'run.json'} does not say what the model was told of the data (it is damaged, or of an "
            "earlier version); train again."
        ) from error


def _model(cfg: DictConfig, spec: DataSpec, weights: Path) -> torch.nn.Module:
    model: torch.nn.Module = build(cfg.model, spec=spec)
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["state_dict"])
    except (UnpicklingError, KeyError, TypeError) as error:
        raise RunError(f"{weights} holds something else than weights and is not loaded; train again.") from error
    except RuntimeError as error:
        raise RunError(f"{weights} does not fit the model in the run's config; one of them was changed.") from error
    return model.eval()


def _transform(cfg: DictConfig, learned: Path, learned_anew: LearnedAnew | None) -> Transform:
    """The transform with what it learned in the run.

    Raises:
        RunError: when ``transform.json`` belongs to another class, or does not hold all of what was learned.
    """
    transform: Transform = build(cfg.transform)
    state = read_json(learned)
    if state.pop("transform") != cfg.transform[TARGET]:
        raise RunError(f"{learned} belongs to another transform than the run's config; one of them was changed.")
    try:
        transform.load_state(state)
    except RunError as error:
        if learned_anew is not None:
            transform.learned = learned_anew(state)
            return transform
        name = type(transform).__name__
        raise RunError(
            f"What {name} learned is too large for {learned.name}, so that it can only be undone where the training "
            "data are; train with another transform, such as transform=per_series."
        ) from error
    return transform
