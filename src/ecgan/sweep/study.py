"""Optuna's study of a sweep: its search space in Hydra's words, its trials, its figures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgan.errors import ConfigError
from ecgan.files import write_figure
from ecgan.sweep.objective import Direction
from ecgan.track.pruning import storage_of

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

JOURNAL, LOCK, STUDY, SEARCHED = "optuna.journal", "optuna.lock", "sweep", "searched"
FIGURES = {"optuna_history.png": "plot_optimization_history", "optuna_importance.png": "plot_param_importances"}
FEWEST = 2
"""Finished trials that importances need."""


def open_study(
    sweep: Path, direction: Direction, pruner: Mapping[str, Any] | None, searched: str | None = None
) -> Study:
    """Open the study of a sweep, or make it; several processes and machines may do so at once.

    Args:
        sweep: its folder.
        direction: of the objective.
        pruner: node of one of Optuna's pruners; None for no pruning.
        searched: digest of the objective and of all settings that are not searched for; None not to compare it.

    Raises:
        ConfigError: when the study exists and searches something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=STUDY,
        storage=storage_of(str(sweep / JOURNAL)),
        pruner=_made(pruner) if pruner else optuna.pruners.NopPruner(),
        direction=direction,
        load_if_exists=True,
    )
    if study.direction.name.lower() != direction:
        raise ConfigError(f"The study in {sweep} does not {direction}; give another sweep.name.")
    known = study.user_attrs.get(SEARCHED)
    if searched is not None and known is None:
        study.set_user_attr(SEARCHED, searched)
    elif searched not in (None, known):
        raise ConfigError(f"The study in {sweep} has another objective or other settings; give another sweep.name.")
    return study


def asked(
    study: Study, sweep: Path, sampler: Mapping[str, Any], space: Mapping[str, BaseDistribution], n_trials: int
) -> Trial | None:
    """The next trial; None when the study has as many as it shall have, over all processes and commands.

    The sampler is made anew for every trial, with a seed that depends on the trial's number, so that neither a command
    that goes on nor a second process draws again what has been drawn before.
    """
    from filelock import FileLock

    with FileLock(sweep / LOCK):
        number = len(study.get_trials(deepcopy=False))
        if number >= n_trials:
            return None
        seed = sampler.get("seed")
        study.sampler = _made({**sampler, **({} if seed is None else {"seed": seed + number})})
        return study.ask(dict(space))


def unsettled(study: Study) -> list[FrozenTrial]:
    """Trials that were begun and not told the end of: they run elsewhere, were killed, or are to be tried again."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def space_of(overrides: Sequence[Override]) -> dict[str, BaseDistribution]:
    """The search space, from Hydra's ``choice``, ``range`` and ``interval``, with ``tag(log, …)`` and ``int(…)``."""
    return {override.get_key_element(): _distribution(override) for override in overrides}


def _distribution(override: Override) -> BaseDistribution:
    from hydra.core.override_parser.types import IntervalSweep
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value: Any = override.value()
    if isinstance(value, IntervalSweep):
        whole = isinstance(value.start, int) and isinstance(value.end, int)
        kind: Any = IntDistribution if whole else FloatDistribution
        return kind(value.start, value.end, log="log" in value.tags)  # type: ignore[no-any-return]
    values: list[Any] = list(override.sweep_iterator())
    if override.is_range_sweep() and all(isinstance(each, int) for each in values) and len(values) > 1:
        return IntDistribution(min(values), max(values), step=abs(values[1] - values[0]))
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def words_of(trial: Trial | FrozenTrial) -> list[str]:
    """The parameters of a trial as settings."""
    return [f"{key}={value}" for key, value in trial.params.items()]


def draw(study: Study, sweep: Path, objective: str) -> list[Path]:
    """Write the figures that the finished trials allow."""
    from optuna.trial import TrialState

    n = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    if not n:
        return []
    written = []
    for file, name in FIGURES.items():
        if name == "plot_param_importances" and n < FEWEST:
            continue
        with _drawn(study, name, objective) as figure:
            write_figure(sweep / file, figure)
        written.append(sweep / file)
    return written


@contextmanager
def _drawn(study: Study, name: str, objective: str) -> Iterator[Any]:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as plots

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the figures are experimental, and of layouts
        figure = getattr(plots, name)(study, target_name=objective).figure
        figure.set_layout_engine("tight")
        try:
            yield figure
        finally:
            plt.close(figure)


def _made(node: Mapping[str, Any]) -> Any:
    from hydra.utils import instantiate

    return instantiate(dict(node))
