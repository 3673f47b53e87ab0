"""From the overrides of all jobs to a launcher that gets those that are left to do, and the account at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgan.errors import ConfigError, SweepError
from ecgan.sweep.composing import Composer
from ecgan.sweep.execution import left_to_do
from ecgan.sweep.naming import digest_in, job_name
from ecgan.sweep.record import FILE, read_job, status_of
from ecgan.sweep.results import RESULTS, Row, at_the_end, recompute, table

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.plugins.launcher import Launcher
    from omegaconf import DictConfig
    from rich.console import Console


@dataclass(frozen=True)
class Planned:
    """A job that has a folder."""

    name: str
    overrides: list[str]


class Jobs:
    """The jobs of a sweep, in its folder.

    Args:
        config: Hydra's config of the sweep.
        loader: composes the config of a job.
        launcher: starts jobs.
        console: where to say how it goes.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader, launcher: Launcher, console: Console) -> None:
        self.config, self.launcher, self.console = config, launcher, console
        self.composed = Composer(config, loader)
        self.sweep = Path(str(config.hydra.sweep.dir)).absolute()
        self.retries, self.launched = int(config.sweep.retries), 0
        self.sweep.mkdir(parents=True, exist_ok=True)
        self.known = {digest_in(file.parent.name): file.parent.name for file in self.sweep.glob(f"*/{FILE}")}

    def plan(self, overrides: Sequence[str], varied: Sequence[str]) -> Planned:
        """Compose a job, so that a wrong setting is found before anything runs, and give it its folder.

        Args:
            overrides: all settings of the job.
            varied: keys whose values differ between the jobs.
        """
        name = job_name(
            self.composed(overrides), [override for override in overrides if override.partition("=")[0] in varied]
        )
        # the same config may have been reached with other words before
        name = self.known.setdefault(digest_in(name), name)
        return Planned(name, list(overrides))

    def launch(self, planned: Sequence[Planned], extra: Sequence[Sequence[str]] | None = None) -> None:
        """Execute the jobs that are left to do, in the way of the launcher.

        Args:
            planned: jobs; those that are done, or failed too often, are left alone.
            extra: further settings of each job, which do not belong to its config.
        """
        for job in planned:
            folder = self.sweep / job.name
            if not (folder / FILE).is_file():
                replace(read_job(folder), overrides=job.overrides).write(folder)
        left = [number for number, job in enumerate(planned) if self.is_left(job)]
        if not left:
            return
        more = extra or [()] * len(planned)
        words = [[*planned[i].overrides, f"hydra.sweep.subdir='{planned[i].name}'", *more[i]] for i in left]
        ended = self.launcher.launch(words, initial_job_idx=self.launched)
        self.launched += len(left)
        # what a job could not write down, such as a full disk; asked for it, Hydra would print it too
        lost = [job._return_value for job in ended if job.status.name == "FAILED"]
        if lost:
            raise lost[0]

    def is_left(self, job: Planned) -> bool:
        """Tell whether a job is to be executed."""
        folder = self.sweep / job.name
        return left_to_do(read_job(folder), folder, self.retries)

    def announce(self, planned: Sequence[Planned]) -> None:
        """Say how many jobs there are and how they stand."""
        folders = [self.sweep / job.name for job in planned]
        counts: Counter[str] = Counter(status_of(folder, read_job(folder)) for folder in folders)
        counts["left unfinished"] = counts.pop("running", 0) + counts.pop("interrupted", 0)
        counts["to run"] = counts.pop("pending", 0)
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        self.tell(f"Sweep of {len(planned)} job(s) ({told}) in {self.sweep}")

    def conclude(self, names: Sequence[str], headline: str | None = None) -> None:
        """Show the table, write ``sweep_results.csv`` once more.

        Args:
            names: folders of the jobs.
            headline: the metric to show, where a job has it.

        Raises:
            SweepError: when jobs failed, or others were killed elsewhere.
        """
        recompute(self.sweep, always=True)
        found = at_the_end(self.sweep, names, headline)
        self.console.print(table(found))
        elsewhere = sum(row.status == "running" for row in found)
        if elsewhere:
            self.tell(f"{elsewhere} job(s) still run elsewhere; {RESULTS} will have them.")
        self.tell(f"Sweep directory: {self.sweep}")
        failed = [row for row in found if row.status == "failed"]
        if failed:
            raise SweepError(self._told(failed, len(found)))
        left = sum(row.status in ("pending", "interrupted") for row in found)
        if left:
            raise SweepError(f"{left} of {len(found)} jobs were left unfinished; the same command goes on with them.")

    def _told(self, failed: Sequence[Row], n: int) -> str:
        spent = all(row.job.failures > self.retries for row in failed)
        again = "a larger sweep.retries" if spent else "the same command"
        return f"{len(failed)} of {n} jobs failed; correct what the table says, and {again} tries them again."

    def tell(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)


def parsed(loader: ConfigLoader, words: Sequence[str], params: dict[str, Any] | None) -> list[Any]:
    """Parse what is swept and what is set: the params of a sweep file, then the command line, which wins.

    Args:
        loader: knows the groups.
        words: of the command line.
        params: ``hydra.sweeper.params``.

    Raises:
        ConfigError: when sweeps are swept.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    given = [f"{key}={value}" for key, value in (params or {}).items()]
    overrides = list(OverridesParser.create(config_loader=loader).parse_overrides([*given, *words]))
    if any(override.key_or_group == "sweep" and override.is_sweep_override() for override in overrides):
        raise ConfigError("sweep names one file of conf/sweep; give one command for each.")
    return overrides
