"""``ecgan-train``: from the command line through Hydra to one run, or to the jobs of a sweep."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgan.arguments import file_first
from ecgan.errors import ConfigError, EcganError, IncompleteError, did_you_mean
from ecgan.usage import conf_dir

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from rich.console import Console

RESUME = "resume="
FLAGS = {"-m": 0, "--multirun": 0, "-c": 1, "--cfg": 1, "--resolve": 0, "-p": 1, "--package": 1, "-i": 1, "--info": 1}
FLAGS |= {"--hydra-help": 0, "--version": 0}
"""Hydra's flags that are of use here, and how many values each takes."""


def train(arguments: list[str]) -> None:
    """Train as the command line says."""
    if any(argument.startswith(RESUME) for argument in arguments):
        _resume(arguments)
        return
    import hydra

    from ecgan.config import compose, register, register_file, searched

    file, rest = file_first(arguments)
    words = [*_flags_first(rest), *searched()]
    if not any(word.startswith(("-", "hydra.mode", "sweep=")) for word in words):
        compose(rest, file)  # Hydra makes the run's folder before it calls us; a wrong config shall leave none
    register()
    name = "train" if file is None else register_file(file, rest)
    if not any(word.startswith("hydra.job.name=") for word in words):
        words.append(f"hydra.job.name='{_name(rest, file)}'")
    job = Job(list(sys.argv), time.time())
    with _seen_by_hydra([sys.argv[0], *words]):
        hydra.main(config_path=str(conf_dir()), config_name=name, version_base="1.3")(job)()
    if job.failure is not None:
        raise job.failure


class Job:
    """What Hydra calls for a run or for each job of a sweep, in this process or another one.

    Args:
        argv: the command, which ``run.json`` records.
        started: when it was given.
    """

    def __init__(self, argv: list[str], started: float) -> None:
        self.argv, self.started = argv, started
        self.failure: Exception | None = None

    def __call__(self, cfg: DictConfig) -> None:
        """Execute a config that Hydra has composed."""
        from hydra.core.hydra_config import HydraConfig

        from ecgan.interruption import interruptible

        hydra_cfg: Any = HydraConfig.get()
        sys.argv = self.argv
        with interruptible():
            self._execute(cfg, hydra_cfg)

    def _execute(self, cfg: DictConfig, hydra_cfg: Any) -> None:
        if hydra_cfg.mode is not None and hydra_cfg.mode.name == "MULTIRUN":
            from ecgan.sweep.execution import Task, execute

            execute(cfg, Task(hydra_cfg, self.started))
            return
        try:
            _train_one(cfg, hydra_cfg)
        except Exception as error:
            self.failure = error  # Hydra would print what it makes of it


def _train_one(cfg: DictConfig, hydra_cfg: Any) -> None:
    from rich.console import Console

    from ecgan.config import checked

    directory = Path(hydra_cfg.runtime.output_dir)
    cfg = checked(cfg)
    from ecgan.experiment import run

    console = Console()
    with _told(directory, console):
        run(cfg, directory, console, {"overrides": hydra_cfg.overrides.task, "hydra": {"hydra": hydra_cfg}})


def _resume(arguments: list[str]) -> None:
    directory = Path(arguments[0].removeprefix(RESUME))
    if len(arguments) > 1 or arguments[0] == RESUME:
        raise ConfigError("A run goes on with its own settings; give resume=<run directory> and nothing else.")
    from rich.console import Console

    from ecgan.experiment import resume
    from ecgan.interruption import interruptible

    console = Console()
    with interruptible(), _told(directory, console):
        resume(directory, console)


@contextmanager
def _told(directory: Path, console: Console) -> Iterator[None]:
    """Show the results of the block's run, and how a run goes on that was stopped on its way."""
    from ecgan import report

    try:
        yield
    except IncompleteError:
        console.print(report.table(directory))
        raise
    except BaseException as error:
        if _may_go_on(error, directory):
            told = f"Stopped; go on with: ecgan-train {RESUME}{directory}"
            console.print(told, soft_wrap=True, highlight=False, markup=False)
        raise
    console.print(report.table(directory))
    console.print(f"Run directory: {directory}", soft_wrap=True, markup=False)


def _may_go_on(error: BaseException, directory: Path) -> bool:
    """Tell whether the same command could get further another time: after a signal, a full disk, too little memory."""
    from ecgan.ownership import is_owned

    for_good = isinstance(error, EcganError) and not isinstance(error.__cause__, OSError)
    return not for_good and (directory / "run.json").is_file() and not is_owned(directory)


def _name(words: Sequence[str], file: Path | None) -> str:
    """What a sweep is called unless ``sweep.name`` says otherwise; it is the name of jobs in a cluster's queue too."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    from ecgan.sweep.naming import label_of, sweep_name

    settings = [word for word in words if not word.startswith("-")]
    try:
        parsed = OverridesParser.create().parse_overrides(settings)
    except OverrideParseException:
        return sweep_name("", settings)  # what is wrong is told when it is composed
    swept = [override.key_or_group for override in parsed if override.is_sweep_override()]
    return sweep_name(label_of(settings, file, swept), settings)


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
