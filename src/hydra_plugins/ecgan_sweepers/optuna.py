"""``hydra/sweeper=optuna``: trials that Optuna chooses."""

# no postponed annotations: Hydra executes this module before it is known by its name, and dataclasses would look it up
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class OptunaSweeperConf:
    """Settings; what they mean is said in ``ecgan.sweep.search.Settings``."""

    _target_: str = f"{__name__}.OptunaSweeper"
    _recursive_: bool = False  # sampler and pruner are made for each trial
    params: dict[str, Any] | None = None
    objective: str = "val/loss"
    direction: str | None = None
    n_trials: int = 20
    n_jobs: int = 1
    sampler: Any = field(default_factory=lambda: {"_target_": "optuna.samplers.TPESampler", "seed": 0})
    pruner: Any = field(default_factory=lambda: {"_target_": "optuna.pruners.MedianPruner"})


class OptunaSweeper(Sweeper):
    """Hydra's side of ``ecgan.sweep.search``.

    Args:
        **settings: the section ``hydra.sweeper``, which is read as a whole later.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives."""
        from hydra.core.plugins import Plugins

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self.given = (config, hydra_context.config_loader, launcher)

    def sweep(self, arguments: list[str]) -> Any:
        """Execute the trials that the study still lacks."""
        from ecgan.sweep.search import Settings, search

        config, loader, launcher = self.given
        plain = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
        assert isinstance(plain, dict)  # noqa: S101 - the dataclass above
        settings = Settings(**{str(key): value for key, value in plain.items() if str(key)[0] != "_"})
        search(config, loader, launcher, arguments, settings)


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaSweeperConf, provider="ecgan")
