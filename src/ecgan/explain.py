"""Hydra's and OmegaConf's errors in one sentence each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hydra.errors import (
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from ecgan.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable


def explain(error: BaseException, groups: Iterable[str] = ()) -> str:
    """Say what is wrong with a configuration and what to do.

    Args:
        error: what composing raised.
        groups: names that may stand at the top level, for suggestions.
    """
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, MissingConfigException):
        return _missing_config(error)
    if isinstance(error, OverrideParseException):
        return f"Cannot read the setting {error.override!r}; write key=value, and quote what the shell would change."
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)) and cause.full_key:
        return _unknown_key(cause, groups)
    if isinstance(cause, ValidationError):
        return f"{cause.full_key}: {_first_line(cause)}; correct the value."
    if isinstance(cause, MissingMandatoryValue):
        return f"A value is missing: {_first_line(cause)}; give it as key=value."
    if isinstance(cause, (InterpolationKeyError, InterpolationResolutionError)):
        return f"{cause.full_key or 'The config'} refers to something that is not there: {_first_line(cause)}."
    match = re.search(r"Could not override '([^']+)'", str(error))
    if match:
        word = match.group(1)
        return f"There is no setting or group {word!r}; {did_you_mean(word, groups)}"
    return f"The configuration does not compose: {_first_line(error)}"


def _missing_config(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    options = list(error.options or [])
    if not group:
        return f"There is no config {name!r}; {did_you_mean(name, options)}"
    return f"There is no {group} named {name!r}; {did_you_mean(name, options)} (of: {', '.join(options)})"


def _unknown_key(error: OmegaConfBaseException, groups: Iterable[str]) -> str:
    full_key = str(error.full_key)
    section, _, key = full_key.rpartition(".")
    parent = error.parent_node
    known = [str(name) for name in parent] if isinstance(parent, DictConfig) else []
    hint = did_you_mean(key, known or (groups if not section else []))
    return f"There is no setting {full_key!r}; {hint}" + ("" if not section else f" (in {section})")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
