"""From a bundle or a run directory to a detector; nothing in either is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ecgan.checks import ROLES, check_folder
from ecgan.config import build
from ecgan.data.transforms.scaling import Transform
from ecgan.detect.callback import STATE, THRESHOLD, VALIDATION
from ecgan.detect.detector import Threshold
from ecgan.errors import ConfigError, RunError
from ecgan.evaluate.predictions import read_scores
from ecgan.files import read_json, sha256_of
from ecgan.nodes import PARTS, TARGET, check_node, locate, refuse_foreign
from ecgan.publish.detector import Judge, Parts, PublishedDetector
from ecgan.publish.manifest import MANIFEST, opened
from ecgan.publish.places import is_address, local
from ecgan.trained import Trained, load_trained
from ecgan.types import DataSpec, FloatArray, Scorer

ABOUT, CONFIG, WEIGHTS = "bundle.json", "config.json", "weights.safetensors"
TRANSFORM, LEARNED = "transform.json", "transform.safetensors"
DETECTORS, NORMALS, SCORES = "detectors", "normals.safetensors", "scores"
MOST_THREADS = 4096
"""More than any machine has; starting as many as somebody writes into a file could end the process."""


def load(place: str | Path, detector: str | None = None, fold: int = 0, sha256: str | None = None) -> PublishedDetector:
    """Load a detector; `ecgan.load` is this function and says more."""
    with local(str(place)) as path:
        loaded = _of_bundle(path, fold, sha256) if is_bundle(path) else _of_run(path, place, fold, sha256)
    return loaded if detector is None else loaded.using(detector)


def is_bundle(path: Path) -> bool:
    """Whether a path is that of a bundle, as far as names tell."""
    return path.is_file() or (path / MANIFEST).is_file()


def _of_run(path: Path, place: str | Path, fold: int, sha256: str | None) -> PublishedDetector:
    if not (path / "run.json").is_file():
        address = str(place) if is_address(str(place)) else path
        raise RunError(f"{address} is neither a bundle nor a run directory; name one of the two.")
    if sha256 is not None:
        raise ConfigError("sha256 is that of a bundle, but a run directory is named; leave it out.")
    trained = load_trained(path, fold)
    return PublishedDetector(parts_of_run(path, fold, trained), next(iter(trained.cfg.detector)))


def parts_of_run(directory: Path, fold: int, trained: Trained) -> Parts:
    """Model, transform and fitted detectors of a fold of a run.

    Raises:
        RunError: when there are no detectors, or a scorer is not the one that was fitted.
    """
    if not trained.cfg.detector:
        raise RunError(
            f"{directory} was run without a detector; train again with one, such as detector=reconstruction."
        )
    judges, scorers = {}, trained.entry["scorers"]
    for name, node in trained.cfg.detector.items():
        folder = directory / f"fold_{fold}" / "detection" / str(name)
        state = folder / STATE
        if name in scorers and (not state.is_file() or sha256_of(state) != scorers[name]):
            raise RunError(f"{state} is missing or damaged (its checksum is not the one in run.json); train again.")
        scorer = _fitted(build(node.scorer), state if name in scorers else None, trained.model)
        table = read_scores(folder / VALIDATION)
        normals = table.loc[table["abnormal"] == 0, "score"].to_numpy(np.float64)
        judges[str(name)] = Judge(scorer, Threshold.read(folder / THRESHOLD), np.sort(normals))
    channels, seq_len = trained.shape
    batch, threads = int(trained.cfg.data.eval_batch_size), int(trained.entry["threads"])
    return Parts(
        trained.model, trained.transform, channels, seq_len, trained.unit, trained.fs_hz, batch, threads, judges
    )


def _of_bundle(place: Path, fold: int, sha256: str | None) -> PublishedDetector:
    with opened(place) as (directory, found):
        if sha256 is not None and sha256.lower() != found:
            raise RunError(f"The bundle has the sha256 {found}, not the one that was asked for; get the right one.")
        try:
            about = read_json(directory / ABOUT)
            if fold and fold != about["fold"]:
                raise ConfigError(
                    f"The bundle holds fold {about['fold']} of its run, and no fold {fold}; leave it out."
                )
            parts = _parts(directory, about, read_json(directory / CONFIG))
        except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise RunError(f"{place} is no bundle that this version can load ({_said(error)}).") from error
    return PublishedDetector(parts, next(iter(parts.judges)), found)


def _parts(directory: Path, about: dict[str, Any], cfg: dict[str, Any]) -> Parts:
    refuse_foreign(cfg)
    for section in ("model", "transform", "detector"):
        refuse_foreign(cfg[section], PARTS)
        check_node(cfg[section], section)
    roles = [("model", cfg["model"]), ("transform", cfg["transform"])]
    for role, node in (*roles, *(("scorer", cfg["detector"][name]["scorer"]) for name in about["detectors"])):
        _refuse_misplaced(role, node)
    model: torch.nn.Module = build(cfg["model"], spec=_spec(about["spec"]))
    try:
        model.load_state_dict(_tensors(directory / WEIGHTS))
    except RuntimeError as error:
        raise RunError("The bundle's weights do not fit the model in its config; get the bundle again.") from error
    judges = {}
    for name, known in about["detectors"].items():
        check_folder("a detector's name", name)
        judges[name] = _judge(directory / DETECTORS / name, cfg["detector"][name], known["fitted"], model.eval())
    if not judges:
        raise LookupError("there is no detector in it")
    channels, seq_len = about["shape"]
    transform = _transform(directory, cfg["transform"])
    scored = about["scored"]
    fs_hz, unit = about["dataset"]["fs_hz"], about["dataset"]["unit"]
    batch, threads = int(scored["batch"]), int(scored["threads"])
    if batch < 1 or not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"it was scored in batches of {batch} with {threads} threads")
    return Parts(model, transform, channels, seq_len, unit, fs_hz, batch, threads, judges)


def _refuse_misplaced(role: str, node: Mapping[str, Any]) -> None:
    """Refuse a class that may be named, but not in this place."""
    method, what = ROLES[role]
    if method not in dir(locate(node[TARGET])):
        raise RunError(f"The bundle names {node[TARGET]}, which is not {what}; get it from its real source.")


def _spec(known: Mapping[str, Any]) -> DataSpec:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in known.items()}
    return DataSpec(**values)


def _transform(directory: Path, node: dict[str, Any]) -> Transform:
    transform: Transform = build(node)
    state = read_json(directory / TRANSFORM)
    if state.pop("transform") != node[TARGET]:
        raise RunError("The bundle's transform is not the one in its config; get the bundle again.")
    try:
        transform.load_state(state)
    except RunError:  # too large for JSON
        transform.learned = {name: value.numpy() for name, value in _tensors(directory / LEARNED).items()}
    return transform


def _judge(folder: Path, node: dict[str, Any], fitted: bool, model: torch.nn.Module) -> Judge:
    scorer = _fitted(build(node["scorer"]), folder / STATE if fitted else None, model)
    threshold = Threshold.read(folder / THRESHOLD)
    if not isinstance(threshold.value, int | float):
        raise TypeError(f"the threshold is {threshold.value!r}")
    normals: FloatArray = _tensors(folder / NORMALS)[SCORES].numpy()
    return Judge(scorer, threshold, normals.astype(np.float64).ravel())


def _fitted(scorer: Scorer, state: Path | None, model: torch.nn.Module) -> Scorer:
    if state is not None:
        scorer.load_state(_tensors(state), model, torch.device("cpu"))
    return scorer


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a file, cloned out of its mapping, so that they are aligned as they were when they were fitted.

    Raises:
        RunError: when the file is missing or damaged.
    """
    try:
        return {name: value.clone() for name, value in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is missing or damaged ({error}); get it again.") from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
