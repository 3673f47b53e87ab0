"""A user's YAML file as the root of a config: what it may say, and what the command line replaces in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ecgan.errors import ConfigError
from ecgan.usage import GROUPS

COLLECTIONS = ("experiment", "sweep")
"""Groups whose files set what belongs to other sections."""
SECTIONS = tuple(group for group in GROUPS if group not in COLLECTIONS)
ENTRY = re.compile(rf"(override |optional )*/?({'|'.join((*SECTIONS, *COLLECTIONS))})")
NAME = re.compile(r"[\w-]+")


def load(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a file that ``ecgan-init`` or a run has written, or one like it.

    Such a file sets every value and would win over the file of any group. So a group that is chosen on the command
    line replaces its section in the file as a whole. A file without a defaults list, such as a run's
    ``.hydra/config.yaml``, is complete in itself.

    Args:
        path: the file.
        overrides: settings of the command line.

    Returns:
        A primary config for Hydra, with a defaults list.

    Raises:
        ConfigError: when the file is missing, no YAML mapping, or says what no file may say.
    """
    content = _parsed(path)
    _check_hydra(content, path)
    chosen = [key for key in (override.lstrip("+").partition("=")[0] for override in overrides) if key in ENTRY_NAMES]
    if "experiment" in chosen and any(section in content for section in SECTIONS):
        raise ConfigError(
            f"{path} sets by itself what experiment=… would set; give one of the two, or remove sections from the file."
        )
    for group in chosen:
        if group == "tracker" and isinstance(content.get(group), DictConfig):
            content[group].pop("backends", None)  # where the run belongs is no matter of who hears of it
        else:
            content.pop(group, None)
    if "defaults" in content:
        _check_defaults(content["defaults"], path)
        return content
    # detector first: the file of a model may override it
    groups = [{group: None} for group in dict.fromkeys([*(["detector"] if "model" in chosen else []), *chosen])]
    return {"defaults": ["schema", "hydra_settings", *groups, "_self_"], **content}


ENTRY_NAMES = frozenset((*SECTIONS, *COLLECTIONS))


def _parsed(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(f"There is no file {path}; write one with ecgan-init, or give settings as key=value.")
    try:
        content = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML ({_place(error)}); correct the file.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); name another file.") from error
    if not isinstance(content, DictConfig) or not content:
        raise ConfigError(f"{path} holds no settings; write a file with ecgan-init.")
    return {str(key): value for key, value in content.items_ex(resolve=False)}


def _place(error: Exception) -> str:
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem and mark:
        return f"line {mark.line + 1}: {problem}"
    return str(error).strip().splitlines()[0]


def _check_hydra(content: dict[str, Any], path: Path) -> None:
    """Hydra's launchers, loggers and callbacks run code of their own, which a file that people send must not name."""
    section = content.get("hydra", {})
    unknown = sorted(set(section) - {"run", "sweep"}) if isinstance(section, DictConfig | dict) else ["hydra"]
    if unknown:
        raise ConfigError(
            f"{path} sets {unknown[0]!r} in its section hydra, where only run and sweep may be set; remove it, or give "
            "it on the command line."
        )


def _check_defaults(defaults: Any, path: Path) -> None:
    entries = OmegaConf.to_container(defaults, resolve=False) if OmegaConf.is_config(defaults) else defaults
    if not isinstance(entries, list) or "train" not in entries:
        raise ConfigError(f"The defaults of {path} must be a list with the entry 'train', as ecgan-init writes it.")
    for entry in entries:
        if isinstance(entry, dict) and all(_is_choice(key, value) for key, value in entry.items()):
            continue
        if entry not in ("train", "_self_"):
            raise ConfigError(
                f"The defaults of {path} hold {entry!r}, but only 'train', '_self_' and 'override <group>: <name>' may "
                "stand there; correct the entry."
            )


def _is_choice(key: Any, value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    known = all(name is None or (isinstance(name, str) and NAME.fullmatch(name)) for name in names)
    return isinstance(key, str) and bool(ENTRY.fullmatch(key)) and known
