"""Settings of commands that compose no config: ``key=value``, each once, each of its type."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path

from ecgan.errors import ConfigError, did_you_mean

TRUTH = {"true": True, "false": False}


def settings(arguments: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Split ``key=value``.

    Raises:
        ConfigError: when a key is unknown or given twice.
    """
    given: dict[str, str] = {}
    for argument in arguments:
        key, mark, value = argument.partition("=")
        if not mark or key not in known:
            raise ConfigError(f"There is no setting {key!r}; {did_you_mean(key, known)}")
        if key in given:
            raise ConfigError(f"{key} is given twice; give it once.")
        given[key] = value
    return given


def whole(given: dict[str, str], key: str, default: int) -> int:
    """A whole number from 0 on.

    Raises:
        ConfigError: when it is something else.
    """
    value = given.get(key, str(default))
    if not (value.isascii() and value.isdecimal()):
        raise ConfigError(f"{key} is {value!r} but must be a whole number of at least 0.")
    return int(value)


def truth(given: dict[str, str], key: str) -> bool:
    """True or false; false where nothing is said.

    Raises:
        ConfigError: when it is something else.
    """
    value = given.get(key, "false").lower()
    if value not in TRUTH:
        raise ConfigError(f"{key} is {given[key]!r} but must be true or false.")
    return TRUTH[value]


def rate(given: dict[str, str], key: str) -> float | None:
    """A number above 0, None where nothing is said.

    Raises:
        ConfigError: when it is something else.
    """
    if key not in given:
        return None
    try:
        value = float(given[key])
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ConfigError(f"{key} is {given[key]!r} but must be a number above 0.")
    return value


def file_first(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """Take a YAML file off the front, if there is one."""
    if arguments and "=" not in arguments[0] and not arguments[0].startswith(("-", "~")):
        return Path(arguments[0]), arguments[1:]
    return None, arguments
