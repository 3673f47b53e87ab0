"""The console scripts. Nothing heavy is imported before it is needed, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ecgan.errors import ConfigError, EcganError
from ecgan.usage import USAGE, wants_help

if TYPE_CHECKING:
    from omegaconf import DictConfig

INTERRUPTED = 130


def train() -> None:
    """``ecgan-train [FILE.yml] [key=value …]``: train, detect, report."""
    _guarded("ecgan-train", _train)


def preprocess() -> None:
    """``ecgan-preprocess [FILE.yml] [key=value …]``: get and store the data only."""
    _guarded("ecgan-preprocess", _preprocess)


def detect() -> None:
    """``ecgan-detect run=DIR [key=value …]``: score a finished run again."""
    _guarded("ecgan-detect", _detect)


def init() -> None:
    """``ecgan-init ENTITY PROJECT EXPERIMENT``: write a config file to edit."""
    from ecgan.init import main

    _guarded("ecgan-init", main)


def _guarded(name: str, command: Callable[[list[str]], None]) -> None:
    """Run a command; errors that a user can cause become one sentence and an exit code."""
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
        sentence, code = _sentence(error)
        print(f"{name}: {sentence}", file=sys.stderr)
        sys.exit(code)


def _sentence(error: Exception) -> tuple[str, int]:
    if isinstance(error, EcganError):
        return str(error), error.exit_code
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from ecgan.config import TrainConfig
    from ecgan.explain import explain
    from ecgan.files import explain_os_error

    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return explain(error, TrainConfig.__dataclass_fields__), ConfigError.exit_code
    if isinstance(error, OSError):
        return explain_os_error(error, Path(error.filename or ".")), EcganError.exit_code
    return (
        f"unexpected {type(error).__name__}: {error} (HYDRA_FULL_ERROR=1 shows where; please report it)",
        EcganError.exit_code,
    )


def _train(arguments: list[str]) -> None:
    import hydra

    from ecgan.config import register, register_file, searched
    from ecgan.usage import conf_dir

    register()
    name = "train"
    if arguments and arguments[0].endswith((".yml", ".yaml")) and "=" not in arguments[0]:
        name = register_file(Path(arguments.pop(0)))
    sys.argv = [sys.argv[0], *searched(), *arguments]
    # Hydra would print a traceback and exit by itself; errors are explained one level up, and a failed job of a
    # sweep does not end the sweep
    os.environ["HYDRA_FULL_ERROR"] = "1"
    failures: list[Exception] = []

    def job(cfg: DictConfig) -> None:
        try:
            _train_one(cfg)
        except Exception as error:
            failures.append(error)

    hydra.main(config_path=str(conf_dir()), config_name=name, version_base="1.3")(job)()
    if failures:
        raise failures[0]


def _train_one(cfg: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from rich.console import Console

    from ecgan import report
    from ecgan.config import checked

    checked(cfg)  # before anything heavy is imported, downloaded or written
    from ecgan.experiment import run

    directory = Path(HydraConfig.get().runtime.output_dir)
    console = Console()
    run(cfg, directory, console)
    console.print(report.table(directory))
    console.print(f"Run directory: {directory}", soft_wrap=True)


def _preprocess(arguments: list[str]) -> None:
    from ecgan.assembly import open_data
    from ecgan.config import compose

    file, overrides = _file_first(arguments)
    store = open_data(compose(overrides, file))
    counts = ", ".join(f"{name} {count:,}" for name, count in store.manifest["counts"].items())
    print(f"{len(store):,} series of shape {store.data.shape[1:]} ({counts})\nStore: {store.directory}")


def _detect(arguments: list[str]) -> None:
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    if not given.get("run"):
        raise ConfigError("Which run? Give run=<directory>, as printed at the end of ecgan-train.")
    from rich.console import Console

    from ecgan import report
    from ecgan.experiment import redetect, reproduced

    directory = Path(given["run"])
    console = Console()
    overrides = [argument for argument in arguments if argument.partition("=")[0] not in ("run", "out")]
    out = redetect(directory, overrides, Path(given["out"]) if given.get("out") else None, console)
    console.print(report.table(out))
    same = reproduced(directory, out)
    if same:
        console.print(f"{sum(same.values())} of {len(same)} predictions equal the run's byte for byte")
        for name in (name for name, equal in same.items() if not equal):
            console.print(f"  differs: {name}")
    console.print(f"Results: {out}", soft_wrap=True)


def _file_first(arguments: list[str]) -> tuple[Path | None, list[str]]:
    if arguments and "=" not in arguments[0] and not arguments[0].startswith("-"):
        return Path(arguments[0]), arguments[1:]
    return None, arguments
