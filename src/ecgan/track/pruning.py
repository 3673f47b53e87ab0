"""Telling a search how a training goes, so that it can give up what is worse than the others."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from ecgan.errors import PrunedError

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.storages import BaseStorage

VARIABLE = "ECGAN_TRIAL"
"""Environment variable by which a training knows that it is a trial. No setting: the results are the same without."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialAddress:
    """Where to find a trial.

    Attributes:
        journal: file of the study.
        study: its name.
        number: of the trial.
        metric: what to report, as the model logs it.
        pruner: node of the pruner, which a journal does not hold.
    """

    journal: str
    study: str
    number: int
    metric: str
    pruner: dict[str, Any]

    def packed(self) -> str:
        """As the value of the environment variable."""
        return json.dumps(asdict(self))


def storage_of(journal: str) -> BaseStorage:
    """Open the journal of a study, which several processes and machines may share."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(journal))


def pruning(fold: int, epochs: int) -> list[pl.Callback]:
    """What reports to the search that this training belongs to; nothing where it belongs to none.

    Args:
        fold: position among the folds of the run, which come one after the other.
        epochs: of each at most.
    """
    packed = os.environ.get(VARIABLE)
    return [Pruning(TrialAddress(**json.loads(packed)), fold * epochs)] if packed else []


class Pruning(pl.Callback):
    """Report a value of the validation part after every epoch, and end the training when the search says so.

    Args:
        address: of the trial.
        before: epochs of earlier folds. The same step is the same fold in all trials.
    """

    def __init__(self, address: TrialAddress, before: int) -> None:
        self.address, self.before = address, before
        self.trial: Trial | None = None
        self.reported: frozenset[int] = frozenset()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report.

        Raises:
            PrunedError: when the trial is to end.
        """
        value = trainer.callback_metrics.get(self.address.metric)
        if trainer.state.fn != "fit" or value is None:
            return
        trial, step = self._found(), self.before + trainer.current_epoch
        if step not in self.reported:  # a resumed training comes by its last epoch again
            trial.report(float(value), step)
        if trial.should_prune():
            raise PrunedError(f"The search gave trial {self.address.number} up: others were better by then.")

    def _found(self) -> Trial:
        if self.trial is None:
            import optuna
            from hydra.utils import instantiate

            pruner = instantiate(self.address.pruner)
            storage = storage_of(self.address.journal)
            study = optuna.load_study(study_name=self.address.study, storage=storage, pruner=pruner)
            found = study.get_trials(deepcopy=False)[self.address.number]
            self.reported = frozenset(found.intermediate_values)
            self.trial = optuna.Trial(study, found._trial_id)  # as Optuna's own integrations do
        return self.trial
