"""Nodes with ``_target_``: which classes a config may name, and which keys and types their constructors take."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ecgan.errors import ConfigError, did_you_mean
from ecgan.plugins import trusted_packages

TARGET, PARTIAL = "_target_", "_partial_"
PARTS = ("ecgan", "torch.optim")
"""Of what models, scorers and all else that is computed with are made, plug-ins besides."""
TRUSTED = (*PARTS, "pytorch_lightning.loggers", "pytorch_lightning.callbacks")
RUNTIME = frozenset({"spec", "n_classes"})
"""Constructor arguments that the program supplies and no file may set."""


def locate(target: str) -> type:
    """Import the class that ``target`` names, if it is one that a config may name.

    A run directory is something that people send each other, so a config must not be able to call anything but the
    suite's own classes, torch's optimizers and schedulers, Lightning's loggers and callbacks, and installed plug-ins.

    Raises:
        ConfigError: when the class is not on that list or does not exist.
    """
    allowed = _refuse_outside(target)
    module_name, _, name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"There is no module {error.name!r}, which the config names in {target!r}.") from error
    found = getattr(module, name, None)
    # an attribute may be something that the module merely imported, such as os
    if not inspect.isclass(found) or not _own(found, allowed):
        classes = [key for key, value in vars(module).items() if inspect.isclass(value) and _own(value, allowed)]
        raise ConfigError(f"{module_name} has no class {name!r} that a config may name; {did_you_mean(name, classes)}")
    return found


def refuse_foreign(node: Any, trusted: tuple[str, ...] = TRUSTED) -> None:
    """Refuse a whole config that names anything outside of the allowed packages, without importing what it names.

    Args:
        node: plain containers, resolved.
        trusted: packages that are allowed besides those of plug-ins; ``PARTS`` where no logger belongs, since some
            write files when they are made.

    Raises:
        ConfigError: naming the first class that no config may name, or a value that is not resolved.
    """
    if isinstance(node, Mapping):
        if TARGET in node:
            _refuse_outside(node[TARGET], trusted)
        for value in node.values():
            refuse_foreign(value, trusted)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            refuse_foreign(value, trusted)
    elif isinstance(node, str) and "${" in node:
        raise ConfigError(f"The config holds {node!r}, which is not resolved; write the value itself.")


def _refuse_outside(target: Any, trusted: tuple[str, ...] = TRUSTED) -> tuple[str, ...]:
    """Packages that a config may name, if the target is within one of them."""
    allowed = (*trusted, *trusted_packages())
    if not isinstance(target, str) or not _within(target, allowed):
        raise ConfigError(
            f"The config names {target!r}, which is outside the allowed packages ({', '.join(allowed)}); "
            "remove it, or install the plug-in that it belongs to."
        )
    return allowed


def check_node(node: Any, where: str) -> None:
    """Check a node and all nodes inside it against the constructors that they name.

    Args:
        node: plain containers, resolved.
        where: dotted place in the config, for the message.

    Raises:
        ConfigError: naming the wrong key, the class and the nearest valid key.
    """
    if isinstance(node, Mapping):
        if TARGET in node:
            _check_call(node, where)
        for key, value in node.items():
            check_node(value, f"{where}.{key}")
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for i, value in enumerate(node):
            check_node(value, f"{where}[{i}]")
    elif isinstance(node, str) and "${" in node:
        # everything is resolved by now; Hydra would resolve once more, past every check
        raise ConfigError(f"{where} holds an escaped interpolation, {node!r}; write the value itself.")


def _check_call(node: Mapping[str, Any], where: str) -> None:
    cls = locate(node[TARGET])
    parameters, hints, free = constructor(cls)
    settable = set(parameters) - RUNTIME
    for key, value in node.items():
        if key in (TARGET, PARTIAL):
            continue
        # keys with underscores are Hydra's own; _args_ would pass values by position, past every check
        if key not in settable and (not free or str(key).startswith("_")):
            hint = did_you_mean(str(key), settable)
            raise ConfigError(f"{where} has no setting {key!r} ({cls.__name__} does not take it); {hint}")
        if key in hints and not conforms(value, hints[key]):
            raise ConfigError(
                f"{where}.{key} is {value!r} but {cls.__name__} takes {describe(hints[key])}; correct the value."
            )
    needed = [name for name in parameters if name in settable and parameters[name].default is inspect.Parameter.empty]
    missing = [name for name in needed if name not in node]
    if missing and not node.get(PARTIAL):
        raise ConfigError(f"{where} lacks {missing[0]!r}, which {cls.__name__} needs; set {where}.{missing[0]}=….")


def constructor(cls: type) -> tuple[dict[str, inspect.Parameter], dict[str, Any], bool]:
    """What the constructor of a class takes by name: parameters, their types, and whether it takes any name.

    A constructor that hands ``**settings`` on to the next class takes what that one takes.
    """
    parameters: dict[str, inspect.Parameter] = {}
    hints: dict[str, Any] = {}
    for owner in [owner for owner in cls.__mro__[:-1] if "__init__" in vars(owner)] or [cls]:
        function = inspect.getattr_static(owner, "__init__")
        own = inspect.signature(owner).parameters
        named = {name: p for name, p in own.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        parameters, hints = named | parameters, _type_hints(function) | hints
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.values()):
            return parameters, hints, False
    return parameters, hints, True


def _type_hints(function: Any) -> dict[str, Any]:
    """Annotations of a constructor; those that name what only type checkers import are left out."""
    hints: dict[str, Any] = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        with suppress(NameError):
            hints |= get_type_hints(alone, globalns=getattr(function, "__globals__", {}))
    return hints


def conforms(value: Any, hint: Any) -> bool:
    """Tell whether a plain value fits a type annotation; a nested node fits anything but plain types."""
    if isinstance(value, Mapping) and TARGET in value:
        return hint not in (int, float, bool, str)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in args
    if origin in (Union, types.UnionType):
        return any(conforms(value, arg) for arg in args)
    if origin in (list, tuple):
        return isinstance(value, Sequence) and not isinstance(value, str) and _items_conform(value, origin, args)
    if hint in _PLAIN:
        return _PLAIN[hint](value)
    if origin is Callable:
        return False
    return _may_be(value, hint) if isinstance(hint, type) and hint is not Any else True


def describe(hint: Any) -> str:
    """Name a type as a user would."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(repr(arg) for arg in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(arg) for arg in args)
    if origin in (list, tuple):
        return f"a list of {len(args)} values" if origin is tuple and Ellipsis not in args else "a list"
    if origin is Callable:
        return f"a section with {TARGET}"
    names = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        types.NoneType: "null",
    }
    return names.get(hint, getattr(hint, "__name__", str(hint)))


_PLAIN = {
    int: lambda value: isinstance(value, int) and not isinstance(value, bool),
    float: lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    bool: lambda value: isinstance(value, bool),
    str: lambda value: isinstance(value, str),
    Path: lambda value: isinstance(value, str),
    types.NoneType: lambda value: value is None,
}


def _may_be(value: Any, cls: type) -> bool:
    """Whether a value of a file can be an instance of a class; containers are given the benefit of the doubt."""
    if value is not None and not isinstance(value, (bool, int, float, str)):
        return True
    try:
        return isinstance(value, cls)
    except TypeError:  # a protocol that cannot be asked at run time; no plain value is meant
        return False


def _items_conform(value: Sequence[Any], origin: Any, args: tuple[Any, ...]) -> bool:
    if not args:
        return True
    if origin is tuple and args[-1] is not Ellipsis:
        return len(value) == len(args) and all(conforms(v, arg) for v, arg in zip(value, args, strict=True))
    return all(conforms(item, args[0]) for item in value)


def _own(cls: type, packages: Sequence[str]) -> bool:
    return _within(f"{cls.__module__}.{cls.__qualname__}", packages)


def _within(target: str, packages: Sequence[str]) -> bool:
    return any(target.startswith(f"{package}.") for package in packages)
