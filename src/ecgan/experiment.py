"""From a checked config to a run directory, and from an unfinished one to its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ecgan import assembly, engine, provenance, report
from ecgan.config import plain, plan_of, reconfigured
from ecgan.data.splits.protocol import protocol_of
from ecgan.data.splits.splits_file import data_facts, write_splits
from ecgan.data.store import Store, verify
from ecgan.errors import DivergedError, EcganError, IncompleteError, RunError
from ecgan.files import read_json, remove_leftovers, replacing, write_text
from ecgan.fold import SILENT, clear, record_failure, run_fold
from ecgan.nodes import TARGET
from ecgan.ownership import owned
from ecgan.track.live import Tracking, tracking
from ecgan.types import Fold

log = logging.getLogger(__name__)

Summary = dict[str, dict[str, dict[str, float]]]


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
    with owned(directory):
        provenance.refuse_taken(directory)
        for name, node in {"config": cfg, **(composed or {})}.items():  # whatever has a run.json can go on
            write_text(directory / ".hydra" / f"{name}.yaml", OmegaConf.to_yaml(node))
        provenance.claim(directory)
        with tracking(cfg, directory, console) as trackers, _recorded(directory):
            return _execute(cfg, directory, console, trackers)


def resume(directory: Path, console: Console = SILENT) -> Summary:
    """Go on with a run that was interrupted or killed, or in which folds have failed; those are trained anew.

    Finished folds stay as they are, and so does a finished run.

    Args:
        directory: the run directory.
        console: where to show progress.

    Returns:
        The metrics of all detectors, as in ``summary.json``.

    Raises:
        EcganError: when the directory holds no run or is at work, the data have changed, or as in ``run``.
    """
    if provenance.read_run(directory)["status"] != "finished":
        with owned(directory):
            facts = provenance.read_run(directory)
            if facts["status"] != "finished":  # by the process that was waited for
                return _go_on(directory, facts, console)
    console.print(f"{directory} is finished already", soft_wrap=True, highlight=False, markup=False)
    summary: Summary = read_json(directory / "summary.json")
    return summary


def _go_on(directory: Path, facts: Mapping[str, Any], console: Console) -> Summary:
    cfg = reconfigured(directory / ".hydra" / "config.yaml", Path(facts["cwd"]), [], tracked=True)
    remove_leftovers(directory)
    provenance.reopen(directory, facts)
    for text in provenance.differences(facts):
        console.print(f"Warning: {text}", soft_wrap=True, highlight=False, markup=False)
    with tracking(cfg, directory, console) as trackers, _recorded(directory):
        return _execute(cfg, directory, console, trackers)


def _execute(cfg: DictConfig, directory: Path, console: Console, trackers: Tracking) -> Summary:
    """Do all of a run that has not been done."""
    store = assembly.open_data(cfg)
    verify(store)
    folds = assembly.folds_of(cfg, store)
    chosen = assembly.chosen_folds(folds, cfg.split.only)
    _describe(cfg, store, folds, directory)
    model, name = plain(cfg.model)[TARGET].rpartition(".")[2], store.manifest["name"]
    lines = [f"{model} on {len(store):,} series of {name}, {len(chosen)} fold(s), in {directory}"]
    for line in (*lines, *assembly.about_store(store)[1:]):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    done = provenance.read_facts(directory).get("folds", {})
    failed: dict[str, str] = {}
    for fold in chosen:
        title = f"fold {fold.number} of {len(folds)}" if len(folds) > 1 else "training"
        status = done.get(f"fold_{fold.number}", {}).get("status")
        if status == "finished":
            console.print(f"{title}: finished already", soft_wrap=True, highlight=False, markup=False)
            continue
        clear(directory / f"fold_{fold.number}", status == "failed")
        try:
            with engine.quiet(), trackers.fold(fold.number) as watchers:
                run_fold(cfg, store, fold, directory, console, title, watchers)
        except DivergedError as error:  # the other folds do not depend on it
            record_failure(directory, f"fold_{fold.number}", error)
            failed[f"fold {fold.number}"] = str(error)
            console.print(f"{title}: {error}", soft_wrap=True, highlight=False, markup=False)
    return _written(directory, failed, len(chosen))


def _describe(cfg: DictConfig, store: Store, folds: list[Fold], directory: Path) -> None:
    """Write down the data and their division; a run that goes on must find both as they were.

    Raises:
        RunError: when it does not.
    """
    division = {name: store.manifest[name] for name in ("partition", "grouping")}
    protocol = protocol_of(folds, store.label, store.group, store.part, plan_of(cfg), **division)
    about = protocol | plain(cfg.split)
    with replacing(directory / "splits.json") as temporary:
        sha256 = write_splits(temporary, folds, data_facts(store.label, store.group), about)
        before = provenance.read_facts(directory).get("splits", sha256)
        if before != sha256:
            raise RunError(f"The data or the division of {directory} are not what they were; start a new run.")
    provenance.record(
        directory,
        dataset=_about(store, folds),
        protocol=protocol,
        seed=cfg.seed,
        splits=sha256,
        detectors=list(cfg.detector or {}),
    )


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
    """Log to ``ecgan.log`` and write into ``run.json`` how the block ended.

    Where even that cannot be written, the run still says ``running``, but nobody owns it any more.
    """
    with provenance.logged(directory):
        try:
            yield
            provenance.finish(directory, "finished")
        except IncompleteError as error:
            _finish(directory, "incomplete", error)
            raise
        except (KeyboardInterrupt, SystemExit) as error:
            _finish(directory, "interrupted", error)
            raise
        except BaseException as error:
            log.log(logging.ERROR, "%s", error, exc_info=not isinstance(error, EcganError))
            _finish(directory, "failed", error)
            raise


def _finish(directory: Path, status: provenance.Status, error: BaseException) -> None:
    with suppress(RunError):  # the first error says more
        provenance.finish(directory, status, error)
