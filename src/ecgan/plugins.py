"""Third parties' config packages: one entry point of the group ``ecgan.configs`` each."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable

GROUP = "ecgan.configs"


@cache
def config_packages() -> tuple[str, ...]:
    """Dotted names of the installed plug-ins' config packages, such as ``my_plugin.conf``."""
    return tuple(sorted({entry.value for entry in entry_points(group=GROUP)}))


def search_path() -> list[str]:
    """The same as Hydra search path entries."""
    return [f"pkg://{package}" for package in config_packages()]


def files_of(group: str) -> list[Traversable]:
    """Config files of a group that plug-ins bring."""
    folders = [files(package) / group for package in config_packages()]
    return [file for folder in folders if folder.is_dir() for file in folder.iterdir() if file.name.endswith(".yaml")]


def trusted_packages() -> tuple[str, ...]:
    """Top-level packages whose classes a config may name, because the user installed them."""
    return tuple(package.partition(".")[0] for package in config_packages())
