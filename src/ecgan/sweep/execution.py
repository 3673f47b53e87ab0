"""One job of a sweep, in whichever process and on whichever machine a launcher starts it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgan.errors import PrunedError
from ecgan.sweep.naming import job_digest
from ecgan.sweep.record import Job, claimed, read_job, status_of
from ecgan.sweep.results import progress, recompute
from ecgan.telling import sentence

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from rich.console import Console

DONE = ("finished", "pruned")


@dataclass(frozen=True)
class Task:
    """What the job needs to know of the sweep.

    Attributes:
        hydra: Hydra's section of the config of the job.
        started: when the command was given, for the estimate of the remaining time.
    """

    hydra: DictConfig
    started: float

    def directory(self, cfg: DictConfig) -> Path:
        """Where the job belongs: where the sweeper said, or, with a sweeper that knows nothing of it, by the digest."""
        given = Path(self.hydra.runtime.output_dir)
        return given / job_digest(cfg) if str(self.hydra.sweep.subdir) == "." else given

    @property
    def alone(self) -> bool:
        """Whether jobs run one after the other in the process of the command, which may then show its progress."""
        return str(self.hydra.runtime.choices.get("hydra/launcher")) == "basic"


def left_to_do(job: Job, directory: Path, retries: int) -> bool:
    """Tell whether a job is to be executed: neither done nor failed too often."""
    status = status_of(directory, job)
    return status not in DONE and not (status == "failed" and job.failures > retries)


def execute(cfg: DictConfig, task: Task) -> None:
    """Execute a job, go on with it, try it again, or leave it, by what its folder says.

    A failure is recorded there and does not end the sweep.
    """
    from rich.console import Console

    console, directory = Console(), task.directory(cfg)
    with claimed(directory) as mine:
        job = replace(read_job(directory), overrides=list(task.hydra.overrides.task)) if mine else Job()
        if not mine or not left_to_do(job, directory, cfg.sweep.retries):
            return
        job = _attempt(job, cfg, directory, task, console)
    found = recompute(directory.parent, headline=task.hydra.sweeper.get("objective"))
    told = progress(directory, job, found, task.started, task.hydra.sweeper.get("n_trials", 0))
    console.print(told, soft_wrap=True, highlight=False, markup=False)


def _attempt(job: Job, cfg: DictConfig, directory: Path, task: Task, console: Console) -> Job:
    from ecgan import experiment  # noqa: F401 - which takes seconds, and they are not the job's

    job = job.begun()
    job.write(directory)
    began, error, pruned = time.perf_counter(), None, False
    try:
        _run(cfg, directory, task, console)
    except PrunedError:
        pruned = True
    except Exception as failure:  # whatever it is, the other jobs do not depend on it
        from ecgan.ownership import is_owned

        if is_owned(directory):  # somebody has resumed it by hand meanwhile
            return job
        error = sentence(failure)[0]
    job = job.after(time.perf_counter() - began, error, pruned)
    job.write(directory)
    return job


def _run(cfg: DictConfig, directory: Path, task: Task, console: Console) -> None:
    from rich.console import Console

    from ecgan.config import checked

    shown = console if task.alone else Console(quiet=True)
    if not (directory / "run.json").is_file():
        cfg = checked(cfg)
        threads = threads_of(task.hydra.launcher)
        cfg.trainer.threads = cfg.trainer.threads or (threads and max(1, threads // cfg.trainer.devices))
    from ecgan import experiment

    if (directory / "run.json").is_file():
        experiment.resume(directory, shown)
        return
    composed: dict[str, Any] = {"overrides": task.hydra.overrides.task, "hydra": {"hydra": task.hydra}}
    experiment.run(cfg, directory, shown, composed)


def threads_of(launcher: Mapping[str, Any]) -> int | None:
    """Threads of a job where processes of one machine share its cores; None where it has them to itself.

    Ray and SLURM give each job its cores by themselves.
    """
    if "joblib" not in str(launcher.get("_target_")):
        return None
    from ecgan.assembly import cores

    n_jobs = int(launcher["n_jobs"])  # joblib counts from the number of cores down where it is negative
    return max(1, cores() // max(1, n_jobs if n_jobs > 0 else cores() + 1 + n_jobs))
