"""``hydra/sweeper=grid``, the default: every combination, each in the folder that belongs to its config."""

from __future__ import annotations

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore


class GridSweeper(BasicSweeper):
    """Hydra's own sweeper, which launches what is left to do and tells how the jobs ended."""

    def sweep(self, arguments: list[str]) -> Any:
        """Execute all combinations of the settings."""
        from ecgan.sweep.grid import sweep

        assert self.hydra_context is not None  # noqa: S101 - Hydra calls setup first
        assert self.config is not None  # noqa: S101
        assert self.launcher is not None  # noqa: S101
        sweep(self.config, self.hydra_context.config_loader, self.launcher, arguments, self.params)


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="grid",
    node={"_target_": f"{__name__}.GridSweeper", "max_batch_size": None, "params": None},
    provider="ecgan",
)
