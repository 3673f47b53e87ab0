"""Detection on a run that exists: its weights, splits and data, with its own or with other detectors."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ecgan import assembly, engine, provenance, report
from ecgan.capabilities import Classifies
from ecgan.config import build, plain, reconfigured
from ecgan.data.splits.splits_file import digest_of, read_splits
from ecgan.data.store import Store, verify
from ecgan.detect.callback import STATE
from ecgan.errors import ConfigError, RunError
from ecgan.files import read_json, replacing, sha256_of, write_text
from ecgan.nodes import TARGET, locate
from ecgan.types import Fold

SILENT = Console(quiet=True)


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
    if not cfg.detector and not issubclass(locate(cfg.model[TARGET]), Classifies):
        raise ConfigError("There is no detector to score with; choose one or more, such as detector=[knn,pca].")
    store = assembly.open_data(cfg)
    folds = _unchanged(run_directory, facts, store)
    out = out or _next_free(run_directory / "detections")
    workspace = out.with_name(f".{out.name}.unfinished")  # found again by the same command after an interruption
    with replacing(out) as unfinished:
        for name in facts["folds"]:
            with engine.quiet():
                threads = cfg.trainer.threads or facts["folds"][name]["threads"]  # sums depend on their number
                fold = folds[int(name.removeprefix("fold_"))]
                _redetect_fold(cfg, store, fold, run_directory, unfinished, threads, workspace / name)
            console.print(f"{name}: scored")
        write_text(unfinished / ".hydra" / "config.yaml", OmegaConf.to_yaml(cfg))
        provenance.record_detection(unfinished, run_directory, list(cfg.detector))
        report.write(unfinished, out.name)
    shutil.rmtree(workspace, ignore_errors=True)
    return out


def reproduced(run_directory: Path, out: Path) -> dict[str, bool]:
    """For each prediction file that both have: whether the two are equal byte for byte."""
    names = [file.relative_to(out) for file in sorted(out.glob("fold_*/**/predictions.csv"))]
    pairs = {name: run_directory / name for name in names}
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


def _redetect_fold(
    cfg: DictConfig, store: Store, fold: Fold, run_directory: Path, out: Path, threads: int, workspace: Path
) -> None:
    original = run_directory / f"fold_{fold.number}"
    weights = original / "checkpoints" / "best.ckpt"
    seed = engine.seed_fold(cfg.seed, fold.number, threads)
    data = assembly.data_module(cfg, store, fold, seed)
    learned = {"transform": cfg.transform._target_, **data.transform.state()}
    if learned != read_json(original / "transform.json"):
        raise RunError(f"{original / 'transform.json'} is not what the training part gives; data or file were changed.")
    model = build(cfg.model, spec=data.spec)
    if cfg.trainer.compile:  # compiled layers round differently
        model.compile_networks()
    saved = OmegaConf.load(run_directory / ".hydra" / "config.yaml")
    same = [name for name, node in cfg.detector.items() if _same_scorer(node, saved.detector.get(name))]
    fitted = {name: original / "detection" / name for name in same}
    directory = out / original.name
    detection = assembly.detection(cfg, data, directory / "detection", seed, fitted, workspace=workspace)
    callbacks: list[pl.Callback] = [detection]
    callbacks += assembly.classification(data, model, directory / "classification")
    trainer = engine.make_trainer(cfg, directory, callbacks, None)
    try:
        trainer.validate(model, data, ckpt_path=str(weights), verbose=False, weights_only=True)
    except RuntimeError as error:
        if "loading state_dict" not in str(error):
            raise
        raise RunError(f"{weights} does not fit the model in the run's config; one of them was changed.") from error
    trainer.test(model, data, ckpt_path=str(weights), verbose=False, weights_only=True)


def _same_scorer(node: DictConfig, saved: DictConfig | None) -> bool:
    return saved is not None and plain(node.scorer) == plain(saved.scorer)


def _next_free(folder: Path) -> Path:
    number = 1
    while (folder / f"{number:03d}").exists():
        number += 1
    return folder / f"{number:03d}"
