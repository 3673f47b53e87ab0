"""The configs of many jobs: what Hydra would compose for each, with files read once for all that choose the same."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig


class Composer:
    """Composes configs of jobs, without Hydra's own section.

    Hydra reads some twenty files for a config, which takes a tenth of a second. Most jobs of a sweep differ in values
    alone, and those are set after the files are read.

    Args:
        config: Hydra's config of the sweep.
        loader: reads the files.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader) -> None:
        self.config, self.loader = config, loader
        self._is_group = lru_cache(None)(lambda key: bool(loader.get_group_options(key)))
        self._read = lru_cache(None)(self._from_files)

    def __call__(self, words: Sequence[str]) -> DictConfig:
        """Compose the config of a job.

        Args:
            words: all settings of the job.
        """
        from hydra._internal.config_loader_impl import ConfigLoaderImpl
        from hydra.core.override_parser.overrides_parser import OverridesParser

        overrides = OverridesParser.create(config_loader=self.loader).parse_overrides(list(words))
        values = [override for override in overrides if self._is_value(override)]
        choices = [word for word, override in zip(words, overrides, strict=True) if override not in values]
        cfg = deepcopy(self._read(tuple(choices)))
        ConfigLoaderImpl._apply_overrides_to_config(values, cfg)
        return cfg

    def _is_value(self, override: Override) -> bool:
        key = override.key_or_group
        return override.package is None and not key.startswith("hydra") and not self._is_group(key)

    def _from_files(self, choices: tuple[str, ...]) -> DictConfig:
        from omegaconf import open_dict

        cfg = self.loader.load_sweep_config(self.config, list(choices))
        with open_dict(cfg):
            del cfg["hydra"]
        return cfg
