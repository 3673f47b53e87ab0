"""Third parties' config packages: one entry point of the group ``ecgan.configs`` each."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

GROUP = "ecgan.configs"


@cache
def config_packages() -> tuple[str, ...]:
    """Dotted names of the installed plug-ins' config packages, such as ``my_plugin.conf``."""
    return tuple(sorted({entry.value for entry in entry_points(group=GROUP)}))


def search_path() -> list[str]:
    """The same as Hydra search path entries."""
    return [f"pkg://{package}" for package in config_packages()]


def files_of(group: str) -> list[Path]:
    """Config files of a group that plug-ins bring."""
    return [file for folder in _folders() for file in sorted((folder / group).glob("*.yaml"))]


def _folders() -> list[Path]:
    """Where the config packages lie, found without importing any: that would run the plug-ins' own code."""
    found = []
    for package in config_packages():
        top, *below = package.split(".")
        spec = find_spec(top)
        places = spec.submodule_search_locations if spec else None
        found += [Path(place, *below) for place in places or ()]
    return found


def trusted_packages() -> tuple[str, ...]:
    """Top-level packages whose classes a config may name, because the user installed them."""
    return tuple(package.partition(".")[0] for package in config_packages())
