"""Where configuration becomes objects: the schema of the framework's own sections, composing, building."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ecgan.errors import ConfigError
from ecgan.explain import explain
from ecgan.nodes import TARGET, check_node, locate
from ecgan.plugins import search_path
from ecgan.usage import conf_dir


@dataclass
class PathsConfig:
    """Folders; relative ones start where the command is given."""

    data: str = "data"
    outputs: str = "outputs"
    mirror: str | None = None


@dataclass
class DataConfig:
    """Sizes of the batches."""

    batch_size: int = 64
    eval_batch_size: int = 512


@dataclass
class SplitConfig:
    """How series are divided; the meaning of each field stands in ``conf/split``."""

    method: str = MISSING
    folds: int = 5
    test: str = "fixed"
    test_size: float = 0.2
    val_size: float = 0.2
    abnormal: str = "stratify"
    train_on: str = "normal"
    group: bool = True
    path: str | None = None
    only: list[int] | None = None


@dataclass
class PreprocessConfig:
    """Named steps, applied in order before the store is written."""

    length: int | None = None
    steps: Any = field(default_factory=dict)


@dataclass
class TrainerConfig:
    """What of Lightning's Trainer a run may set."""

    max_epochs: int = 20
    accelerator: str = "auto"
    devices: int = 1
    precision: str = "32-true"
    deterministic: bool = True
    threads: int | None = None
    patience: int | None = None
    limit_train_batches: float = 1.0
    progress_bar: bool = True
    figures: bool = True


@dataclass
class TrackerConfig:
    """Where a run belongs."""

    entity: str = "local"
    project: str = "ecgan"
    experiment: str = "default"


@dataclass
class TrainConfig:
    """Everything a run is made of. Open groups are checked against their classes' signatures."""

    seed: int = 0
    paths: PathsConfig = field(default_factory=PathsConfig)
    data: DataConfig = field(default_factory=DataConfig)
    dataset: Any = None
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    transform: Any = None
    split: SplitConfig = field(default_factory=SplitConfig)
    model: Any = None
    threshold: Any = None
    detector: Any = None
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)


CHOICES: dict[str, tuple[str, ...]] = {
    "split.method": ("holdout", "kfold", "official", "from_file"),
    "split.test": ("fixed", "rotate"),
    "split.abnormal": ("stratify", "test"),
    "split.train_on": ("normal", "all"),
}


def register() -> None:
    """Make the schema known to Hydra as ``schema``."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=TrainConfig)


def register_file(path: Path) -> str:
    """Make a user's YAML file known to Hydra as a primary config and return its name.

    A file without a defaults list, such as a run's ``.hydra/config.yaml``, is complete in itself: it is checked
    against the schema and completed with nothing but Hydra's own settings.

    Raises:
        ConfigError: when the file is missing or no YAML mapping.
    """
    from hydra.core.config_store import ConfigStore

    if not path.is_file():
        raise ConfigError(f"There is no file {path}; write one with ecgan-init, or give settings as key=value.")
    try:
        content = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML ({str(error).splitlines()[0]}); correct the file.") from error
    if not isinstance(content, DictConfig):
        raise ConfigError(f"{path} holds no settings; write a file with ecgan-init.")
    plain = dict(content.items_ex(resolve=False))
    if "defaults" not in plain:
        plain = {"defaults": ["schema", "hydra_settings", "_self_"], **plain}
    name = f"_file_{path.stem}"
    ConfigStore.instance().store(name=name, node=OmegaConf.create(plain))
    return name


def compose(overrides: Sequence[str] = (), file: Path | None = None) -> DictConfig:
    """Compose and check a configuration without running anything.

    Args:
        overrides: Hydra overrides such as ``model=beatgan``.
        file: a YAML file to start from instead of the defaults.

    Raises:
        ConfigError: when it does not compose or does not fit the classes that it names.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    register()
    name = "train" if file is None else register_file(file)
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
            cfg = hydra.compose(name, [*searched(), *overrides])
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, TrainConfig.__dataclass_fields__)) from error
    return checked(cfg)


def reconfigured(file: Path, cwd: Path, overrides: Sequence[str]) -> DictConfig:
    """The config of a finished run with some settings changed.

    ``detector=`` and ``threshold=`` choose from the groups as they are installed; everything else is taken from the
    run, and relative folders start where the run was started.

    Args:
        file: the run's ``.hydra/config.yaml``.
        cwd: where the run was started.
        overrides: Hydra overrides.

    Raises:
        ConfigError: when a setting does not exist or does not fit.
    """
    cfg = compose(file=file)
    OmegaConf.set_struct(cfg, True)
    chosen = {override.partition("=")[0] for override in overrides}
    for group in ("detector", "threshold"):
        if group in chosen:
            fresh = compose([o for o in overrides if o.partition("=")[0].partition(".")[0] == group])
            cfg[group] = OmegaConf.to_container(fresh[group], resolve=False)
    for override in overrides:
        key, _, value = override.partition("=")
        if key not in ("detector", "threshold"):
            try:
                OmegaConf.update(cfg, key, OmegaConf.from_dotlist([f"value={value}"])["value"])
            except OmegaConfBaseException as error:
                raise ConfigError(explain(error, TrainConfig.__dataclass_fields__)) from error
    for key in ("data", "mirror"):
        if cfg.paths[key] is not None and f"paths.{key}" not in chosen:
            cfg.paths[key] = str(cwd / cfg.paths[key])
    return checked(cfg)


def searched() -> list[str]:
    """Overrides that add the plug-ins' config packages to Hydra's search path."""
    packages = search_path()
    return [f"hydra.searchpath=[{','.join(packages)}]"] if packages else []


def plain(node: Any) -> Any:
    """Resolve a config node to dicts, lists and primitives."""
    try:
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True) if OmegaConf.is_config(node) else node
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error


def checked(cfg: DictConfig) -> DictConfig:
    """Return the config if all of it is valid.

    Raises:
        ConfigError: naming the wrong key or value and what would be right.
    """
    content = plain(cfg)
    for key, choices in CHOICES.items():
        section, _, name = key.partition(".")
        value = content[section][name]
        if value not in choices:
            raise ConfigError(f"{key} is {value!r} but must be one of {', '.join(choices)}.")
    for section in ("dataset", "transform", "model", "threshold"):
        if not isinstance(content[section], dict) or TARGET not in content[section]:
            raise ConfigError(f"The section {section} names no class; choose one with {section}=….")
    for section in ("dataset", "preprocess", "transform", "model", "threshold", "detector"):
        check_node(content[section], section)
    _check_capabilities(content)
    return cfg


def build(node: Any, **runtime: Any) -> Any:
    """Turn a node into the object that it describes. Nothing else in the suite does.

    Args:
        node: a checked config node.
        runtime: objects that only exist while running, such as ``spec``.
    """
    from hydra.utils import instantiate

    # runtime objects go to the partial: Hydra would rewrite dataclasses handed to instantiate
    return instantiate(plain(node), _partial_=True, _convert_="all")(**runtime)


def _check_capabilities(content: dict[str, Any]) -> None:
    model = locate(content["model"][TARGET])
    for name, node in (content["detector"] or {}).items():
        scorer = locate(node["scorer"][TARGET])
        for capability in getattr(scorer, "requires", ()):
            if not issubclass(model, capability):
                able = ", ".join(models_with(capability)) or "none"
                raise ConfigError(
                    f"The detector {name!r} needs a model that {_verb(capability)}, which {model.__name__} does not; "
                    f"choose another detector, or one of these models: {able}."
                )


def models_with(capability: type) -> list[str]:
    """Names of the models in ``conf/model`` that have a capability."""
    names = []
    for file in sorted((conf_dir() / "model").glob("*.yaml")):
        node = OmegaConf.load(file)
        if isinstance(node, DictConfig) and TARGET in node and issubclass(locate(node[TARGET]), capability):
            names.append(file.stem)
    return names


def _verb(capability: type) -> str:
    return capability.__name__.lower()
