"""What a composed config must satisfy beyond its types: values, classes in their places, and what detectors need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ecgan.capabilities import Classifies
from ecgan.errors import ConfigError
from ecgan.nodes import PARTS, TARGET, check_node, locate, refuse_foreign
from ecgan.plugins import files_of
from ecgan.splitplan import CROSS_VALIDATION, METHODS
from ecgan.usage import conf_dir

CHOICES: dict[str, tuple[str, ...]] = {
    "split.method": METHODS,
    "split.test": ("fixed", "rotate"),
    "split.abnormal": ("stratify", "test"),
    "split.train_on": ("auto", "normal", "all"),
    "data.labels": ("classes", "binary"),
    "data.sampling": ("shuffled", "balanced"),
    "trainer.precision": ("32-true", "bf16-mixed", "16-mixed"),
    "trainer.weights": ("best", "last"),
    "trainer.accelerator": ("auto", "cpu", "gpu", "cuda", "mps"),
}
AT_LEAST: dict[str, int] = {
    "seed": 0,
    "split.seed": 0,
    "data.batch_size": 1,
    "data.eval_batch_size": 1,
    "preprocess.workers": 1,
    "split.folds": 1,
    "trainer.max_epochs": 1,
    "trainer.devices": 1,
    "trainer.threads": 1,
    "trainer.patience": 1,
    "generation.n": 0,
    "generation.every": 1,
    "generation.bootstrap": 0,
    "sweep.retries": 0,
}
ABOVE_ZERO = ("split.test_size", "split.val_size", "trainer.limit_train_batches", "tracker.wait_s")
ROLES: dict[str, tuple[str, str]] = {
    "dataset": ("read", "a source of data"),
    "transform": ("fit", "a transform"),
    "model": ("training_step", "a model"),
    "threshold": ("choose", "a threshold rule"),
    "scorer": ("score", "a scorer"),
    "step": ("__call__", "a preprocessing step"),
    "tracker": ("metrics", "a tracker"),
}
"""The method by which a class shows that it can stand in a section, and what to call it."""
RESERVED = "protocol"
"""What ``summary.json`` holds beside the detectors."""
UPLOADS = "checkpoints"
"""What stands in ``tracking.json`` beside the trackers."""
FOLDER = re.compile(r"[\w.-]*[\w-][\w.-]*")


def check_content(content: dict[str, Any]) -> None:
    """Check a resolved config.

    Raises:
        ConfigError: naming the wrong key or value and what would be right.
    """
    _check_values(content)
    _check_tracker(content["tracker"])
    if content["sweep"]["name"] is not None:
        check_folder("sweep.name", content["sweep"]["name"])
    for section in ("dataset", "transform", "model", "threshold"):
        _check_class(content[section], section, section)
    _check_steps(content["preprocess"]["steps"])
    _check_detectors(content["detector"])
    _check_capabilities(content)
    _check_classes(content)


def learns_classes(model: Mapping[str, Any]) -> bool:
    """Tell whether a model's node needs training series of every class: it classifies, or generates by class."""
    return issubclass(locate(model[TARGET]), Classifies) or bool(model.get("conditional"))


def check_folder(key: str, name: str) -> None:
    """Refuse a name that is no plain folder name, since runs land in folders of these names.

    Raises:
        ConfigError: naming the key.
    """
    if not FOLDER.fullmatch(name):
        raise ConfigError(f"{key} becomes a folder and may hold letters, digits, '_', '-' and '.', not {name!r}.")


def has(model: type, capability: type) -> bool:
    """Tell whether a class has the methods of a capability; what has attributes besides cannot be asked of classes."""
    return all(hasattr(model, name) for name, what in vars(capability).items() if name[0] != "_" and callable(what))


def models_with(capability: type) -> list[str]:
    """Names of the models that have a capability, those of plug-ins included."""
    names = []
    for file in (*(conf_dir() / "model").glob("*.yaml"), *files_of("model")):
        node = OmegaConf.create(file.read_text(encoding="utf-8"))
        if isinstance(node, DictConfig) and TARGET in node and has(locate(node[TARGET]), capability):
            names.append(file.name.removesuffix(".yaml"))
    return sorted(names)


def _check_values(content: dict[str, Any]) -> None:
    for key, choices in CHOICES.items():
        value = _at(content, key)
        if value not in choices:
            raise ConfigError(f"{key} is {value!r} but must be one of {', '.join(choices)}.")
    for key, least in AT_LEAST.items():
        value = _at(content, key)
        if value is not None and value < least:
            raise ConfigError(f"{key} is {value} but must be at least {least}.")
    for key in ABOVE_ZERO:
        value = _at(content, key)
        if not value > 0:
            raise ConfigError(f"{key} is {value} but must be above 0.")
    limit = content["trainer"]["limit_train_batches"]
    if limit > 1 and limit != int(limit):
        raise ConfigError(f"trainer.limit_train_batches is {limit} but must be a share up to 1 or a whole count.")
    devices, batch_size = content["trainer"]["devices"], content["data"]["batch_size"]
    if batch_size < devices:
        raise ConfigError(f"data.batch_size is {batch_size} but each of {devices} devices needs a series of it.")
    _check_split(content["split"])


def _check_split(split: Mapping[str, Any]) -> None:
    last = {"from_file": None, **dict.fromkeys(CROSS_VALIDATION, split["folds"] - 1)}.get(split["method"], 0)
    only = split["only"]
    if only is not None and (not only or (last is not None and not set(only) <= set(range(last + 1)))):
        raise ConfigError(f"split.only is {only} but the folds are 0 to {'…' if last is None else last}; name some.")


def _check_class(node: Any, where: str, role: str) -> None:
    if not isinstance(node, Mapping) or TARGET not in node:
        advice = f"choose one with {where}=…" if where == role else "give it a _target_"
        raise ConfigError(f"The section {where} names no class; {advice}.")
    method, what = ROLES[role]
    cls = locate(node[TARGET])
    if method not in dir(cls):
        raise ConfigError(f"{where} names {cls.__name__}, which is not {what}; name another class in {where}.{TARGET}.")
    check_node(node, where)
    refuse_foreign(node, PARTS)


def _check_steps(steps: Any) -> None:
    if not isinstance(steps, Mapping):
        raise ConfigError("preprocess.steps must hold named steps; choose some with preprocess=….")
    for name, step in steps.items():
        _check_class(step, f"preprocess.steps.{name}", "step")


def _check_detectors(detectors: Any) -> None:
    if detectors is not None and not isinstance(detectors, Mapping):
        raise ConfigError("The section detector must hold named detectors; choose some with detector=[…].")
    for name, node in (detectors or {}).items():
        where = f"detector.{name}"
        check_folder(where, str(name))
        if name == RESERVED:
            raise ConfigError(f"A detector cannot be called {name!r}, which has its place in summary.json; rename it.")
        if not isinstance(node, Mapping) or set(node) != {"scorer", "threshold"}:
            raise ConfigError(f"{where} must hold a scorer and a threshold and nothing else; compare conf/detector.")
        for part in ("scorer", "threshold"):
            _check_class(node[part], f"{where}.{part}", part)


def _check_tracker(tracker: Mapping[str, Any]) -> None:
    for key in ("entity", "project", "experiment"):
        check_folder(f"tracker.{key}", tracker[key])
    backends = tracker["backends"]
    if not isinstance(backends, Mapping):
        raise ConfigError("tracker.backends must hold named trackers; choose some with tracker=[local,…].")
    for name, node in backends.items():
        check_folder(f"tracker.backends.{name}", str(name))
        if name == UPLOADS:
            raise ConfigError(f"A tracker cannot be called {name!r}, which tracker.checkpoints is; rename it.")
        _check_class(node, f"tracker.backends.{name}", "tracker")
    if tracker["checkpoints"] is not None:
        _check_address(tracker["checkpoints"])


def _check_address(address: str) -> None:
    """Refuse an address that nothing can be copied to."""
    from fsspec.registry import known_implementations

    scheme, mark, rest = address.partition("://")
    if not mark or not rest or scheme not in known_implementations:
        raise ConfigError(
            f"tracker.checkpoints is {address!r} but must be an address such as s3://bucket/prefix, of a kind that "
            "fsspec knows."
        )
    package = known_implementations[scheme]["class"].partition(".")[0]
    if find_spec(package) is None:
        name = "'ecgan[s3]'" if package == "s3fs" else package
        raise ConfigError(
            f"tracker.checkpoints={address} needs a package that is not installed; install it with: "
            f"python -m pip install {name}."
        )


def _check_capabilities(content: dict[str, Any]) -> None:
    model = locate(content["model"][TARGET])
    for name, node in (content["detector"] or {}).items():
        required = list(_required(node["scorer"]))
        for capability in required:
            if not has(model, capability):
                able = ", ".join(sorted(set.intersection(*(set(models_with(kind)) for kind in required)))) or "none"
                raise ConfigError(
                    f"The detector {name!r} needs a model that {capability.__name__.lower()}, which {model.__name__} "
                    f"does not; choose another detector, or one of these models: {able}."
                )


def _required(node: Any) -> Iterator[type]:
    """Capabilities that a scorer requires, and those of the scorers inside it."""
    if not isinstance(node, Mapping):
        return
    if TARGET in node:
        scorer = locate(node[TARGET])
        by_settings = getattr(scorer, "requires_for", None)
        yield from by_settings(node) if by_settings else getattr(scorer, "requires", ())
    for inner in node.values():
        yield from _required(inner)


def _check_classes(content: dict[str, Any]) -> None:
    if content["split"]["train_on"] == "normal" and learns_classes(content["model"]):
        name = content["model"][TARGET].rpartition(".")[2]
        raise ConfigError(
            f"{name} learns to tell classes apart, and split.train_on=normal leaves only one; set split.train_on=all."
        )


def _at(content: dict[str, Any], key: str) -> Any:
    section, _, name = key.rpartition(".")
    return content[section][name] if section else content[name]
