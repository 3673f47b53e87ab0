"""The console scripts. Nothing heavy is imported before it is needed, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ecgan.errors import ConfigError, IncompleteError, Interrupted, RunError, did_you_mean
from ecgan.telling import sentence
from ecgan.usage import USAGE, conf_dir, wants_help

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from rich.console import Console

INTERRUPTED = 130
SPINS = "1000"
"""Rounds that a thread waits awake for the others. Threads that never sleep crawl where another program wants the cores
(a step of two LSTM layers took 3.2 s instead of 0.08 s), threads that sleep at once cost a third of a quiet machine."""
FLAGS = {"-m": 0, "--multirun": 0, "-c": 1, "--cfg": 1, "--resolve": 0, "-p": 1, "--package": 1, "-i": 1, "--info": 1}
FLAGS |= {"--hydra-help": 0, "--version": 0}
"""Hydra's flags that are of use here, and how many values each takes."""


def train() -> None:
    """``ecgan-train [FILE.yml] [key=value …]``: train, detect, report."""
    _guarded("ecgan-train", _train)


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


def _train(arguments: list[str]) -> None:
    if any(argument.startswith("resume=") for argument in arguments):
        _resume(arguments)
        return
    import hydra

    from ecgan.config import compose, register, register_file, searched

    file, rest = _file_first(arguments)
    words = [*_flags_first(rest), *searched()]
    if not any(word.startswith(("-", "hydra.mode")) for word in words):
        compose(rest, file)  # Hydra makes the run's folder before it calls us; a wrong config shall leave none
    register()
    name = "train" if file is None else register_file(file, rest)
    given = list(sys.argv)
    failures: list[Exception] = []

    def job(cfg: DictConfig) -> None:
        sys.argv = given  # what run.json records as the command
        try:
            _train_one(cfg)
        except Exception as error:
            failures.append(error)  # a failed job does not end a sweep
            _tell_of_sweep(error)

    with _seen_by_hydra([given[0], *words]):
        hydra.main(config_path=str(conf_dir()), config_name=name, version_base="1.3")(job)()
    if failures:
        raise failures[0]


def _resume(arguments: list[str]) -> None:
    directory = Path(arguments[0].removeprefix("resume="))
    if len(arguments) > 1 or directory == Path():
        raise ConfigError("A run goes on with its own settings; give resume=<run directory> and nothing else.")
    from rich.console import Console

    from ecgan.experiment import resume

    console = Console()
    with _told(directory, console):
        resume(directory, console)


@contextmanager
def _told(directory: Path, console: Console) -> Iterator[None]:
    """Show the results of the block's run, and how a run goes on that a signal has stopped."""
    from ecgan import report
    from ecgan.interruption import interruptible

    try:
        with interruptible():
            yield
    except Interrupted:
        console.print(f"Interrupted; go on with: ecgan-train resume={directory}", soft_wrap=True, markup=False)
        raise
    except IncompleteError:
        console.print(report.table(directory))
        raise
    console.print(report.table(directory))
    console.print(f"Run directory: {directory}", soft_wrap=True, markup=False)


def _tell_of_sweep(error: Exception) -> None:
    """Say at once which job of a sweep failed; the error of a single run is told when the command ends."""
    from hydra.core.hydra_config import HydraConfig

    cfg = HydraConfig.get()
    if cfg.mode is not None and cfg.mode.name == "MULTIRUN":
        which = ", ".join(cfg.overrides.task)
        print(f"ecgan-train: job {cfg.job.num} ({which}): {sentence(error)[0]}", file=sys.stderr)


def _flags_first(arguments: list[str]) -> list[str]:
    """Put flags before settings, since Hydra's parser takes all settings in one piece.

    Raises:
        ConfigError: when Hydra does not know a flag.
    """
    flags: list[str] = []
    settings: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        flag, mark, _ = argument.partition("=")
        if not argument.startswith("-"):
            settings.append(argument)
        elif flag not in FLAGS:
            raise ConfigError(f"There is no flag {flag}; {did_you_mean(flag, FLAGS)}")
        else:
            flags += [argument] if mark else [argument, *islice(rest, FLAGS[flag])]
    return [*flags, *settings]


@contextmanager
def _seen_by_hydra(argv: list[str]) -> Iterator[None]:
    """Hand Hydra its arguments, and its errors to us: it would print tracebacks and exit by itself."""
    before, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = argv, "1"
    try:
        yield
    finally:
        sys.argv = before
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full


def _train_one(cfg: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from rich.console import Console

    from ecgan.config import checked

    hydra_cfg = HydraConfig.get()
    directory = Path(hydra_cfg.runtime.output_dir)
    cfg = checked(cfg)
    from ecgan.experiment import run

    console = Console()
    with _told(directory, console):
        run(cfg, directory, console, {"overrides": hydra_cfg.overrides.task, "hydra": {"hydra": hydra_cfg}})


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

    file, overrides = _file_first(arguments)
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


def _file_first(arguments: list[str]) -> tuple[Path | None, list[str]]:
    if arguments and "=" not in arguments[0] and not arguments[0].startswith(("-", "~")):
        return Path(arguments[0]), arguments[1:]
    return None, arguments
