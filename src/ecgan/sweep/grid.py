"""Every combination of the settings that are swept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ecgan.errors import ConfigError
from ecgan.sweep.launching import Jobs, parsed

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.plugins.launcher import Launcher
    from omegaconf import DictConfig


def sweep(
    config: DictConfig, loader: ConfigLoader, launcher: Launcher, words: Sequence[str], params: dict[str, Any]
) -> None:
    """Execute all jobs of a grid that are left to do.

    Args:
        config: Hydra's config of the sweep.
        loader: composes the configs of the jobs.
        launcher: starts jobs.
        words: settings of the command line.
        params: of a sweep file.

    Raises:
        ConfigError: when something is swept that has no combinations.
        SweepError: when jobs failed.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from rich.console import Console

    overrides = parsed(loader, words, params)
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise ConfigError(f"{override.input_line} has no finite number of values; add hydra/sweeper=optuna.")
    varied = [override.get_key_element() for override in overrides if override.is_sweep_override()]
    jobs = Jobs(config, loader, launcher, Console())
    combinations = BasicSweeper.split_arguments(overrides, None)[0]
    planned = list({job.name: job for job in (jobs.plan(each, varied) for each in combinations)}.values())
    jobs.announce(planned)
    jobs.launch(planned)
    jobs.conclude([job.name for job in planned])
