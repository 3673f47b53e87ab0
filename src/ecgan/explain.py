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
from ecgan.usage import choices

if TYPE_CHECKING:
    from collections.abc import Iterable

ONE_EACH = "{} takes one name; to run several, sweep with -m, such as -m model=autoencoder,beatgan."
PAIR = "${dataset}_${model}"
REFUSED_GROUP = "Config group override must be"
SPECIAL = ("_target_", "_partial_")


def explain(error: BaseException, groups: Iterable[str] = ()) -> str:
    """Say what is wrong with a configuration and what to do.

    Args:
        error: what composing raised.
        groups: names that may stand at the top level, for suggestions.
    """
    chain = (error, error.__cause__, error.__context__)  # Hydra wraps OmegaConf's errors in either way
    cause = next((e for e in chain if isinstance(e, OmegaConfBaseException)), error)
    if isinstance(error, MissingConfigException):
        return _missing_config(error)
    if isinstance(error, OverrideParseException):
        return f"Cannot read the setting {error.override!r}; write key=value, and quote what the shell would change."
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)) and cause.full_key:
        return _unknown_key(cause, groups)
    if isinstance(cause, ValidationError):
        return _wrong_type(cause)
    if isinstance(cause, MissingMandatoryValue):
        return f"{cause.full_key} has no value yet; give it as {cause.full_key}=…."
    if isinstance(cause, (InterpolationKeyError, InterpolationResolutionError)) and PAIR not in str(error):
        return f"{cause.full_key or 'The config'} refers to something that is not there: {first_line(cause)}."
    return _by_text(str(error), groups) or f"The configuration does not compose: {first_line(error)}"


def refuses_a_group(error: BaseException) -> bool:
    """Tell whether Hydra stumbled over a group such as ``model=null``, which it reports as a bare ``ValueError``."""
    return isinstance(error, ValueError) and REFUSED_GROUP in str(error)


def first_line(error: BaseException) -> str:
    """First line of an error's message, or the error's name where there is none."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _by_text(text: str, groups: Iterable[str]) -> str | None:
    """Errors of Hydra that only their text tells apart."""
    match = re.search(r"Could not override '([^']+)'", text)
    if match and match.group(1).partition("@")[0] == "loss":
        return "The loss is chosen for models with a critic only, as in model=dcgan loss@model.adversarial=hinge."
    if match:
        return f"There is no setting or group {match.group(1)!r}; {did_you_mean(match.group(1), groups)}"
    match = re.search(r"Ambiguous value for argument '([^=']+)=", text)
    if match:
        return ONE_EACH.format(match.group(1))
    if PAIR in text:
        return ONE_EACH.format("Each of dataset and model")
    if REFUSED_GROUP in text:
        return "A group takes the name of one of its files, such as model=beatgan; ecgan-train --help lists them."
    return None


def _missing_config(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    known = list(error.options or []) or choices(group)
    if not group:
        return f"There is no config {name!r}; {did_you_mean(name, known)}"
    hint = did_you_mean(name, known)
    return f"There is no {group} named {name!r}; {hint}" + (f" (of: {', '.join(known)})" if hint[-1] == "?" else "")


def _unknown_key(error: OmegaConfBaseException, groups: Iterable[str]) -> str:
    full_key = str(error.full_key)
    section, _, key = full_key.rpartition(".")
    parent = error.parent_node
    known = [str(name) for name in parent if name not in SPECIAL] if isinstance(parent, DictConfig) else []
    hint = did_you_mean(key, known or (groups if not section else []))
    if isinstance(parent, DictConfig) and SPECIAL[0] in parent and not hint.endswith("?"):
        name = str(parent[SPECIAL[0]]).rpartition(".")[2]
        hint = f"{hint[:-1]}; another argument of {name} is added with +{full_key}=…."
    return f"There is no setting {full_key!r}; {hint}"


def _wrong_type(error: OmegaConfBaseException) -> str:
    if "is not Optional" in str(error):
        return f"{error.full_key} must not be null; give it a value."
    section = re.search(r"is not a subclass of (\w+)Config\. value: (.*)", str(error))
    if section:
        return f"The section {section.group(1).lower()} must hold settings, not {section.group(2)!r}."
    return f"{error.full_key}: {first_line(error).rstrip('.')}; correct the value."
