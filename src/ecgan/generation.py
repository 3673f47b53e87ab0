"""``ecgan-generate``: new series from a finished run, as a file that others can read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ecgan.arguments import settings
from ecgan.capabilities import Samples
from ecgan.checks import models_with
from ecgan.engine import seed_fold
from ecgan.errors import ConfigError, RunError, did_you_mean
from ecgan.generate.drawing import draw_series
from ecgan.generate.writing import Chunk, Description, check_target, write_series
from ecgan.trained import Trained, load_trained
from ecgan.types import FloatArray

SILENT = Console(quiet=True)


@dataclass(frozen=True)
class Request:
    """What ``ecgan-generate`` was asked for.

    Attributes:
        run: directory of a finished run.
        out: file or folder to write, see ``ecgan.generate.writing.write_series``.
        n: how many series.
        fold: which of the run's models.
        seed: of the draws.
        wanted: name or number of the only class, None for all classes as often as in training.
    """

    run: Path
    out: Path
    n: int = 1000
    fold: int = 0
    seed: int = 0
    wanted: str | None = None


LEAST = {"n": 1, "fold": 0, "seed": 0}
"""The settings that are whole numbers, and the smallest value of each."""
SETTINGS = ("run", "out", *LEAST, "class")


def parse(arguments: Sequence[str]) -> Request:
    """Read ``run=… out=… [n=…] [fold=…] [seed=…] [class=…]``.

    Raises:
        ConfigError: when a setting is unknown, missing, or not of its type.
    """
    given = settings(arguments, SETTINGS)
    if not given.get("run"):
        raise ConfigError("Which run? Give run=<directory>, as printed at the end of ecgan-train.")
    if not given.get("out"):
        raise ConfigError("Where to? Give out=<name>.npz, out=<name>.csv, or out=<folder> for WFDB records.")
    numbers = {key: _whole(key, given[key]) for key in LEAST if key in given}
    return Request(Path(given["run"]), Path(given["out"]), wanted=given.get("class"), **numbers)


def _whole(key: str, value: str) -> int:
    try:
        number = int(value)
    except ValueError:
        number = -1
    if number < LEAST[key]:
        raise ConfigError(f"{key} is {value!r} but must be a whole number of at least {LEAST[key]}.")
    return number


def generate(request: Request, console: Console = SILENT) -> Description:
    """Write new series, in the original unit, that depend on the run, the fold and the seed alone.

    Nothing of the training data is needed. The same request gives the same bytes, and in ``.npz`` and ``.csv`` the
    series of a smaller ``n`` are the first of those of a larger one.

    Args:
        request: from which model, how many, and where to.
        console: where to show progress.

    Returns:
        What was written.

    Raises:
        EcganError: when the run cannot be used, its model cannot do what is asked, or the file cannot be written.
    """
    trained = load_trained(request.run, request.fold)
    model = trained.model
    if not isinstance(model, Samples):
        able = ", ".join(models_with(Samples)) or "none"
        raise RunError(f"{type(model).__name__} does not generate series; train one of these models: {able}.")
    classes = trained.classes if model.conditional else None
    about = Description(request.n, *trained.shape, trained.unit, trained.fs_hz, classes)
    check_target(request.out, about)
    shares = _shares(trained, request.wanted) if model.conditional else None
    if not model.conditional and request.wanted is not None:
        raise ConfigError(
            f"The {type(model).__name__} of this run does not tell classes apart; for class={request.wanted} train a "
            "conditional model with model.conditional=true, or leave class out."
        )
    seed_fold(request.seed, request.fold, trained.entry["threads"])  # sums depend on the number of threads
    chunks = draw_series(model, trained.transform, trained.spec, request.n, (request.seed, request.fold), shares)
    write_series(request.out, _shown(chunks, request, console), about)
    return about


def _shares(trained: Trained, wanted: str | None) -> FloatArray:
    """How frequent each class shall be: as in training, or one class alone."""
    counts = trained.spec.class_counts
    if counts is None:
        raise RunError("The run did not count its training series by class; train again with this version.")
    if wanted is None:
        return np.asarray(counts, np.float64) / sum(counts)
    names = list(trained.classes)
    number = names.index(wanted) if wanted in names else int(wanted) if wanted.isdecimal() else len(names)
    if number >= len(names):
        raise ConfigError(f"There is no class {wanted!r}; {did_you_mean(wanted, names)}")
    if not counts[number]:
        raise ConfigError(f"No training series was of the class {names[number]!r}, so that nothing is known of it.")
    only: FloatArray = np.eye(len(names))[number]
    return only


def _shown(chunks: Iterable[Chunk], request: Request, console: Console) -> Iterator[Chunk]:
    """Hand chunks on and show how many have been written."""
    columns = (TextColumn("generating"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=request.n)
        for x, label in chunks:
            yield x, label
            progress.advance(task, len(x))
