"""What every model reaches on ECG5000 in a few minutes: the table "Measured" of ``docs/models.md``.

Each model is run as by ``ecgan-train``, over three folds that share one test part. A model that generates is run twice:
on normal beats alone, and on normal and abnormal beats with ``model.conditional=true``, since training on synthetic
series and testing on real ones (TSTR) needs classes. All numbers are read from the run directories, of the test part.
Finished runs are not repeated unless their settings have changed, so an interrupted benchmark goes on with the same
command.

Usage: ``python benchmarks/floors.py [--models vae dcgan] [--out FOLDER] [--table] [--write docs/models.md] [seed=1]``
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from ecgan.capabilities import Classifies, Reconstructs, Samples
from ecgan.checks import models_with
from ecgan.config import compose
from ecgan.errors import EcganError
from ecgan.experiment import run
from ecgan.files import replacing
from ecgan.usage import options

COMMON = ("dataset=ecg5000", "split=kfold", "split.folds=3", "trainer.figures=false", "trainer.progress_bar=false")
SETTINGS: dict[str, tuple[str, ...]] = {
    "autoencoder": ("trainer.max_epochs=20",),
    "beatgan": ("trainer.max_epochs=20",),
    "cnn": ("trainer.max_epochs=20",),
    "inception_time": ("trainer.max_epochs=4", "data.batch_size=64"),
    "lstm_autoencoder": ("trainer.max_epochs=20",),
    "resnet1d": ("trainer.max_epochs=8", "data.batch_size=64"),
    "rnn": ("trainer.max_epochs=20",),
    "vae": ("trainer.max_epochs=20",),
    "vaegan": ("trainer.max_epochs=20",),
}
"""What is set for each model besides its defaults and those of ``conf/pair/``: a few minutes on two cores."""
CONDITIONAL = ("model.conditional=true", "data.labels=binary", "detector=none")
"""The second run of a model that generates."""

NONE = "–"  # noqa: RUF001 - as in the other tables
"""A cell of something that the model cannot do."""
MISSING = "not run"
"""A cell of something that it has not done yet, or that failed."""
BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"


def jobs(name: str, out: Path, extra: Sequence[str]) -> dict[Path, list[str]]:
    """The runs of a model: directories and settings."""
    detector = "[reconstruction]" if name in models_with(Reconstructs) else "none"
    given = [*COMMON, f"model={name}", f"paths.data={out / 'data'}", *SETTINGS.get(name, ())]
    found = {out / name: [*given, f"detector={detector}", *extra]}
    if name in models_with(Samples):
        found[out / f"{name}_conditional"] = [*given, *CONDITIONAL, *extra]
    return found


def settle(directory: Path, settings: Sequence[str]) -> None:
    """Run what has not been run with these settings; what goes wrong is said and leaves the others alone."""
    cfg = compose(settings)
    if finished(directory, cfg):
        say(f"{directory.name}: there already")
        return
    shutil.rmtree(directory, ignore_errors=True)  # interrupted, failed, or with other settings
    say(f"{directory.name}: {' '.join(settings)}")
    started = time.perf_counter()
    try:
        run(cfg, directory)
    except EcganError as error:
        say(f"{directory.name}: {error}")
    else:
        say(f"{directory.name}: {time.perf_counter() - started:.0f} s")


def finished(directory: Path, cfg: DictConfig) -> bool:
    """Tell whether a directory holds a finished run with exactly these settings."""
    file, config = directory / "run.json", directory / ".hydra" / "config.yaml"
    if not file.is_file() or not config.is_file():
        return False
    same = config.read_text(encoding="utf-8") == OmegaConf.to_yaml(cfg)
    return same and bool(json.loads(file.read_text(encoding="utf-8")).get("status") == "finished")


def say(text: str) -> None:
    """Say something beside the table."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def folds(directory: Path) -> list[Path]:
    """Directories of the folds that are finished."""
    file = directory / "run.json"
    known = json.loads(file.read_text(encoding="utf-8")).get("folds", {}) if file.is_file() else {}
    return [directory / name for name, fold in known.items() if fold["status"] == "finished"]


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean and standard deviation over folds."""
    if not len(values):
        return MISSING
    spread_of = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread_of}"


def quality(directory: Path, metric: str) -> tuple[list[float], float]:
    """A measure of the generated series in each fold, and the mean of what real series get."""
    tables = [pd.read_csv(fold / "generation" / "quality.csv") for fold in folds(directory)]
    rows = [table[(table["split"] == "test") & (table["metric"] == metric)].iloc[0] for table in tables]
    reference = [row["reference"] for row in rows]
    return [row["value"] for row in rows], float(np.mean(reference)) if reference else float("nan")


def beside(metric: str, suffix: str = "", digits: int = 3, null: str | None = None) -> Callable[[Path], str]:
    """A cell with a measure of the generated series and, in brackets, that of real ones."""

    def cell(directory: Path) -> str:
        directory = directory.with_name(directory.name + suffix)
        values, reference = quality(directory, metric)
        if not values:
            return MISSING
        beyond = f"; {np.mean(quality(directory, null)[0]):.{digits}f}" if null else ""
        return f"{spread(values, digits)} ({reference:.{digits}f}{beyond})"

    return cell


def metric_of(file: str, metric: str) -> Callable[[Path], str]:
    """A cell with a metric of a JSON file of each fold."""

    def cell(directory: Path) -> str:
        texts = [(fold / file).read_text(encoding="utf-8") for fold in folds(directory)]
        return spread([json.loads(text)[metric] for text in texts])

    return cell


def seconds(directory: Path) -> str:
    """Mean seconds of the fit of a fold."""
    file = directory / "run.json"
    known = json.loads(file.read_text(encoding="utf-8")).get("folds", {}) if file.is_file() else {}
    taken = [fold["fit_s"] for fold in known.values() if "fit_s" in fold]
    return spread(taken, 0).partition(" ")[0] if taken else MISSING


COLUMNS: dict[str, tuple[type | None, Callable[[Path], str]]] = {
    "detection AUROC": (Reconstructs, metric_of("detection/reconstruction/metrics.json", "auroc")),
    "MMD² (real; chance)": (Samples, beside("mmd", digits=4, null="mmd_null_95")),
    "density (real)": (Samples, beside("density")),
    "coverage (real)": (Samples, beside("coverage")),
    "TSTR F1 (real)": (Samples, beside("tstr_f1", "_conditional")),
    "accuracy": (Classifies, metric_of("classification/metrics.json", "accuracy")),
    "fit, s": (None, seconds),
}
"""Columns of the table: which models have something to show there, and what."""


def table(names: Sequence[str], out: Path) -> str:
    """The table in Markdown."""
    lines = [["model", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    for name in names:
        able = [kind is None or name in models_with(kind) for kind, _ in COLUMNS.values()]
        cells = [cell(out / name) if can else NONE for can, (_, cell) in zip(able, COLUMNS.values(), strict=True)]
        lines.append([f"`{name}`", *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(page: Path, text: str) -> None:
    """Put the table between the two marks of a page."""
    before = page.read_text(encoding="utf-8")
    after, found = re.subn(f"{BEGIN}\n.*?{END}", lambda _: f"{BEGIN}\n{text}\n{END}", before, flags=re.DOTALL)
    if found != 1:
        raise SystemExit(f"{page} has no place for the table; mark it with {BEGIN} and {END}.")
    with replacing(page) as temporary:
        temporary.write_text(after, encoding="utf-8")


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=options("model"), default=options("model"))
    parser.add_argument("--out", type=Path, default=Path("outputs/floors"), help="where the runs go and stay")
    parser.add_argument("--table", action="store_true", help="run nothing, print the table of what is there")
    parser.add_argument("--write", type=Path, help="page whose table is replaced by that of all models")
    given, settings = parser.parse_known_args()
    if not given.table:
        for name in given.models:
            for directory, overrides in jobs(name, given.out, settings).items():
                settle(directory, overrides)
    text = table(options("model") if given.write else given.models, given.out)
    print(text)
    if given.write is not None:
        write(given.write, text)


if __name__ == "__main__":
    main()
