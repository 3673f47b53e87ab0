"""A sweep that Optuna steers: trials in the folders of their configs, the study beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ecgan.errors import ConfigError, EcganError
from ecgan.files import digest
from ecgan.sweep.launching import Jobs, Planned, parsed
from ecgan.sweep.naming import job_digest
from ecgan.sweep.objective import Objective, objective
from ecgan.sweep.record import read_job, status_of
from ecgan.sweep.study import JOURNAL, STUDY, asked, draw, open_study, space_of, unsettled, words_of
from ecgan.track.pruning import VARIABLE, TrialAddress

if TYPE_CHECKING:
    from pathlib import Path

    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from hydra.plugins.launcher import Launcher
    from omegaconf import DictConfig
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Settings:
    """The section ``hydra.sweeper``.

    Attributes:
        params: search space, and settings of all trials.
        objective: what to make better.
        direction: ``minimize`` or ``maximize``; None for what fits the objective.
        n_trials: of the study, over all commands and processes.
        n_jobs: trials launched at once.
        sampler: node of one of Optuna's samplers.
        pruner: node of one of its pruners, None for none.
    """

    params: dict[str, Any] | None
    objective: str
    direction: str | None
    n_trials: int
    n_jobs: int
    sampler: dict[str, Any]
    pruner: dict[str, Any] | None


class Search:
    """Asks for trials, launches them, tells the study how they ended."""

    def __init__(self, settings: Settings, jobs: Jobs, overrides: Sequence[Override], aim: Objective) -> None:
        self.settings, self.jobs, self.aim = settings, jobs, aim
        self.fixed = [f"{o.get_key_element()}={o.get_value_element_as_str()}" for o in overrides if not _swept(o)]
        self.space = space_of([override for override in overrides if _swept(override)])
        searched = digest([aim.name, job_digest(jobs.composed(self.fixed))])
        self.study: Study = open_study(jobs.sweep, aim.direction, settings.pruner, searched)

    def execute(self) -> None:
        """Go on with what was begun, then ask for more until there are enough trials."""
        batch: list[Trial | FrozenTrial] = list(unsettled(self.study))
        while True:
            for start in range(0, len(batch), self.settings.n_jobs):
                self._run(batch[start : start + self.settings.n_jobs])
            more = (self._asked() for _ in range(self.settings.n_jobs))
            batch = [trial for trial in more if trial is not None]
            if not batch:
                return

    def _asked(self) -> Trial | None:
        return asked(self.study, self.jobs.sweep, self.settings.sampler, self.space, self.settings.n_trials)

    def _run(self, trials: Sequence[Trial | FrozenTrial]) -> None:
        planned = [self.jobs.plan([*self.fixed, *words_of(trial)], list(self.space)) for trial in trials]
        self.jobs.launch(planned, [self._address(trial) for trial in trials])
        for trial, job in zip(trials, planned, strict=True):
            self._settle(trial, job)

    def _address(self, trial: Trial | FrozenTrial) -> list[str]:
        pruner = self.settings.pruner
        if pruner is None or self.aim.detector is not None:
            return []  # a detector is judged once, after the training
        address = TrialAddress(str(self.jobs.sweep / JOURNAL), STUDY, trial.number, self.aim.name, pruner)
        packed = address.packed().replace("\\", "\\\\").replace("'", "\\'")
        return [f"++hydra.job.env_set.{VARIABLE}='{packed}'"]

    def _settle(self, trial: Trial | FrozenTrial, planned: Planned) -> None:
        """Tell the study how a trial ended; one that may be tried again, or runs elsewhere, stays open."""
        from optuna.trial import TrialState

        folder = self.jobs.sweep / planned.name
        job = read_job(folder)
        status = status_of(folder, job)
        if status == "finished":
            self._tell_value(trial, folder)
        elif status == "pruned":
            self.study.tell(trial.number, state=TrialState.PRUNED, skip_if_finished=True)
        elif status == "failed" and job.failures > self.jobs.retries:
            self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _tell_value(self, trial: Trial | FrozenTrial, folder: Path) -> None:
        from optuna.trial import TrialState

        try:
            self.study.tell(trial.number, self.aim.of(folder), skip_if_finished=True)
        except EcganError as error:  # one trial without a value is no reason to end the search
            self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            self.jobs.tell(f"Trial {trial.number}: {error}")

    def conclude(self) -> None:
        """Show the best trial, draw the figures, account for the jobs."""
        from optuna.trial import TrialState

        if self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            best = self.study.best_trial
            told = f"Best {self.aim.name}: {best.value:.6g} of trial {best.number} ({', '.join(words_of(best))})"
            self.jobs.tell(told)
        for figure in draw(self.study, self.jobs.sweep, self.aim.name):
            self.jobs.tell(f"Figure: {figure}")
        self.jobs.conclude(sorted(self.jobs.known.values()), self.aim.name)


def _swept(override: Override) -> bool:
    return bool(override.is_sweep_override())


def search(
    config: DictConfig, loader: ConfigLoader, launcher: Launcher, words: Sequence[str], settings: Settings
) -> None:
    """Execute the trials that a study still lacks.

    Args:
        config: Hydra's config of the sweep.
        loader: composes the configs of the trials.
        launcher: starts jobs.
        words: settings of the command line.
        settings: of the sweeper.

    Raises:
        ConfigError: when the objective is no value of the validation part, or nothing is swept.
        SweepError: when jobs failed.
    """
    from rich.console import Console

    if find_spec("optuna") is None:
        raise ConfigError("hydra/sweeper=optuna needs Optuna; install it with: pip install 'ecgan[optuna]'.")
    aim = objective(settings.objective, settings.direction, list(config.detector or {}))
    overrides = parsed(loader, words, settings.params)
    if not any(map(_swept, overrides)):
        raise ConfigError("Nothing is searched for; name ranges, such as 'model.optimizer.lr=interval(0.0001,0.01)'.")
    last = {override.get_key_element(): override for override in overrides}  # the command line wins
    jobs = Jobs(config, loader, launcher, Console())
    jobs.tell(f"Search of {settings.n_trials} trials for the best {aim.name} in {jobs.sweep}")
    found = Search(settings, jobs, list(last.values()), aim)
    found.execute()
    found.conclude()
