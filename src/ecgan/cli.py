"""The console scripts. Nothing heavy is imported before it is needed, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from ecgan.arguments import file_first
from ecgan.errors import ConfigError, RunError
from ecgan.telling import sentence
from ecgan.usage import USAGE, wants_help

INTERRUPTED = 130
SPINS = "1000"
"""Rounds that a thread waits awake for the others. Threads that never sleep crawl where another program wants the cores
(a step of two LSTM layers took 3.2 s instead of 0.08 s), threads that sleep at once cost a third of a quiet machine."""


def train() -> None:
    """``ecgan-train [FILE.yml] [key=value …]``: train, detect, report."""
    from ecgan.training import train as run

    _guarded("ecgan-train", run)


def preprocess() -> None:
    """``ecgan-preprocess [--list] [FILE.yml] [key=value …]``: get and store the data only."""
    _guarded("ecgan-preprocess", _preprocess)


def detect() -> None:
    """``ecgan-detect run=DIR [input=FILE] [key=value …]``: score a finished run again, or new series."""
    _guarded("ecgan-detect", _detect)


def publish() -> None:
    """``ecgan-publish run=DIR to=PLACE [key=value …]``: make a bundle that scores anywhere."""
    _guarded("ecgan-publish", _publish)


def generate() -> None:
    """``ecgan-generate run=DIR out=FILE [key=value …]``: write new series."""
    _guarded("ecgan-generate", _generate)


def report() -> None:
    """``ecgan-report DIR... [key=value …]``: many runs in one table."""
    _guarded("ecgan-report", _report)


def init() -> None:
    """``ecgan-init ENTITY PROJECT EXPERIMENT``: write a config file to edit."""
    from ecgan.init import main

    _guarded("ecgan-init", main)


def _guarded(name: str, command: Callable[[list[str]], None]) -> None:
    """Run a command; errors that a user can cause become one sentence and an exit code."""
    if "OMP_WAIT_POLICY" not in os.environ:  # read when torch is loaded, which it is not yet
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    arguments = sys.argv[1:]
    if name in USAGE and wants_help(arguments):
        print(USAGE[name]())
        return
    asked_for_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")
    try:
        command(arguments)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if asked_for_traceback:
            raise
        told, code = sentence(error)
        print(f"{name}: {told}", file=sys.stderr)
        sys.exit(code)


def _preprocess(arguments: list[str]) -> None:
    from rich.console import Console

    console = Console()
    if "--list" in arguments:
        from ecgan import catalog

        console.print(catalog.table())
        console.print("\n".join(catalog.titles()), soft_wrap=True, highlight=False, markup=False)
        return
    from ecgan.assembly import about_store, open_data
    from ecgan.config import compose

    file, overrides = file_first(arguments)
    store = open_data(compose(overrides, file))
    console.print("\n".join(about_store(store)), soft_wrap=True, highlight=False, markup=False)
    console.print(f"Store: {store.directory}", soft_wrap=True, highlight=False, markup=False)


def _detect(arguments: list[str]) -> None:
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    if "input" in given:
        _score(arguments)
        return
    if not given.get("run"):
        raise ConfigError("Which run? Give run=<directory>, as printed at the end of ecgan-train.")
    if "://" in given["run"] or Path(given["run"]).suffix.lower() == ".zip":
        raise ConfigError("A bundle holds no data to score again; give new series with input=<file> out=<name>.csv.")
    from rich.console import Console

    from ecgan import report
    from ecgan.redetection import redetect, reproduced

    directory = Path(given["run"])
    console = Console()
    overrides = [argument for argument in arguments if argument.partition("=")[0] not in ("run", "out")]
    out = redetect(directory, overrides, Path(given["out"]) if given.get("out") else None, console)
    console.print(report.table(out))
    same = reproduced(directory, out)
    if same:
        console.print(f"{sum(same.values())} of {len(same)} predictions equal the run's byte for byte")
        for name in (name for name, equal in same.items() if not equal):
            console.print(f"  differs: {name}", markup=False)
    console.print(f"Results: {out}", soft_wrap=True, markup=False)


def _score(arguments: list[str]) -> None:
    from rich.console import Console

    from ecgan.publish.scoring import parse, score_input

    request, console = parse(arguments), Console()
    for name, (n, abnormal) in score_input(request, console).items():
        console.print(f"{name}: {abnormal:,} of {n:,} series are called abnormal", highlight=False, markup=False)
    console.print(f"Scores: {request.out}", soft_wrap=True, highlight=False, markup=False)


def _publish(arguments: list[str]) -> None:
    from rich.console import Console

    from ecgan.publish.bundle import parse
    from ecgan.publish.bundle import publish as write_bundle

    request, console = parse(arguments), Console()
    done = write_bundle(request, console)
    lines = [f"Detectors: {', '.join(done.detectors)}", *done.refused.values()]
    lines += [f"ONNX: {', '.join(done.exported) or 'none'}"] if request.onnx else []
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)
    console.print(f"sha256: {done.sha256}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"Bundle: {request.to}", soft_wrap=True, highlight=False, markup=False)


def _generate(arguments: list[str]) -> None:
    from rich.console import Console

    from ecgan.generation import generate, parse

    request, console = parse(arguments), Console()
    about = generate(request, console)
    shape = f"{about.n:,} series of {about.channels} x {about.seq_len} samples"
    console.print(f"{shape}: {request.out}", soft_wrap=True, highlight=False, markup=False)


def _report(arguments: list[str]) -> None:
    if "--sync" in arguments:
        _sync(arguments)
        return
    from rich.console import Console

    from ecgan.comparison import compare, parse, screen

    request, console = parse(arguments), Console()
    found = compare(request)
    console.print(screen.shown(found))
    console.print(f"Report: {request.out}", soft_wrap=True, highlight=False, markup=False)


def _sync(arguments: list[str]) -> None:
    from ecgan.track.sync import sync

    done = sync(arguments)
    print(f"{done.sent:,} folds and summaries sent." if done.sent else "Nothing was sent.")
    if done.failed:
        told = "; ".join(done.failed)
        raise RunError(f"{told[0].upper()}{told[1:]}; give the same command again later.")
