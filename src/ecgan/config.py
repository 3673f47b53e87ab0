"""Where configuration becomes objects: composing, checking, building."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ecgan import userfile
from ecgan.checks import check_content, learns_classes
from ecgan.errors import ConfigError, EcganError, did_you_mean
from ecgan.explain import explain, first_line
from ecgan.nodes import TARGET
from ecgan.plugins import search_path
from ecgan.schema import TrainConfig
from ecgan.splitplan import SplitPlan
from ecgan.usage import conf_dir

USER_FILE = "_file_"
REDETECTED = ("detector", "threshold", "paths", "data.eval_batch_size", "trainer.accelerator", "trainer.threads")
"""What a later detection may set; all else is the run's, since its weights, folds and scorers belong to it."""


def register() -> None:
    """Make the schema known to Hydra as ``schema``, and what names a sweep's folder to OmegaConf."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=TrainConfig)
    OmegaConf.register_new_resolver("ecgan.first", lambda given, otherwise: given or otherwise, replace=True)


def register_file(path: Path, overrides: Sequence[str] = ()) -> str:
    """Make a user's YAML file known to Hydra as a primary config and return its name.

    Args:
        path: the file, see ``ecgan.userfile.load``.
        overrides: settings of the command line; groups that they choose replace the file's sections.

    Raises:
        ConfigError: when the file is missing or no valid config file.
    """
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name=USER_FILE, node=OmegaConf.create(userfile.load(path, overrides)))
    return USER_FILE


def compose(overrides: Sequence[str] = (), file: Path | None = None) -> DictConfig:
    """Compose and check a configuration without running anything.

    Args:
        overrides: Hydra overrides such as ``model=beatgan``.
        file: a YAML file to start from instead of the defaults.

    Raises:
        ConfigError: when it does not compose or does not fit the classes that it names.
    """
    return checked(_composed(overrides, file))


def of_run(file: Path, tracked: bool = False) -> DictConfig:
    """The config of a run, without its trackers: what only reads a run tells nobody, and needs no client.

    Args:
        file: the run's ``.hydra/config.yaml``.
        tracked: whether to keep the trackers, since the run goes on.

    Raises:
        ConfigError: when it does not fit the classes that it names.
    """
    cfg = _composed([], file)
    if not tracked:
        cfg.tracker.update(backends={}, checkpoints=None)
    return checked(cfg)


def _composed(overrides: Sequence[str], file: Path | None = None) -> DictConfig:
    """Compose without looking at what came out."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    _refuse_repeated(overrides)
    register()
    name = "train" if file is None else register_file(file, overrides)
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return hydra.compose(name, [*searched(), *overrides])
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(explain(error, TrainConfig.__dataclass_fields__)) from error


def reconfigured(file: Path, cwd: Path, overrides: Sequence[str], tracked: bool = False) -> DictConfig:
    """The config of a finished run with some settings changed.

    ``detector=`` and ``threshold=`` choose from the groups as they are installed; everything else is taken from the
    run, and relative folders start where the run was started.

    Args:
        file: the run's ``.hydra/config.yaml``.
        cwd: where the run was started.
        overrides: Hydra overrides.
        tracked: whether to keep the run's trackers.

    Raises:
        ConfigError: when a setting does not exist or does not fit.
    """
    cfg = of_run(file, tracked)
    OmegaConf.set_struct(cfg, True)
    chosen = {override.partition("=")[0] for override in overrides}
    for key in sorted(chosen):
        _check_redetected(key)
    for group in ("detector", "threshold"):
        if group in chosen:
            # the default model need not be able to do what these detectors require of the run's own
            fresh = _composed([o for o in overrides if o.partition("=")[0].partition(".")[0] == group])
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
    if "path" in cfg.dataset:  # a user's own file
        cfg.dataset.path = str(cwd / cfg.dataset.path)
    return checked(cfg)


def _check_redetected(key: str) -> None:
    section = key.partition(".")[0]
    if section not in TrainConfig.__dataclass_fields__:
        raise ConfigError(f"There is no setting {key!r}; {did_you_mean(section, REDETECTED)}")
    if section not in REDETECTED and key not in REDETECTED:
        able = ", ".join(REDETECTED)
        raise ConfigError(f"{key} belongs to the run and cannot be changed afterwards; {able} can.")


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
    """Return the config, completed by the schema, if all of it is valid.

    Every object that needs no data is made once and thrown away, so that a value that its constructor refuses is
    refused here, before anything is downloaded or written.

    Raises:
        ConfigError: naming the wrong key or value and what would be right.
    """
    _refuse_unknown(cfg)
    try:
        complete = OmegaConf.merge(OmegaConf.structured(TrainConfig), cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error, TrainConfig.__dataclass_fields__)) from error
    assert isinstance(complete, DictConfig)  # noqa: S101 - both of its parts are
    check_content(plain(complete))
    complete.detector = complete.detector or {}  # a file may say null
    if complete.split.train_on == "auto":
        complete.split.train_on = "all" if learns_classes(plain(complete.model)) else "normal"
    plan_of(complete).check()
    for detector in complete.detector.values():
        build(detector.scorer)
        build(detector.threshold)
    trackers, steps = complete.tracker.backends.values(), complete.preprocess.steps.values()
    for node in (complete.dataset, complete.transform, complete.threshold, *steps, *trackers):
        build(node)
    return complete


def plan_of(cfg: DictConfig) -> SplitPlan:
    """The section ``split`` as a plan."""
    plan = OmegaConf.to_object(cfg.split)
    assert isinstance(plan, SplitPlan)  # noqa: S101 - the schema's section is one
    return plan


def _refuse_repeated(overrides: Sequence[str]) -> None:
    """Refuse a list of choices that names one twice: Hydra would merge them without a word, and a step run once."""
    for override in overrides:
        group, _, value = override.partition("=")
        names = [name.strip() for name in value.strip("[]").split(",")] if value.startswith("[") else []
        twice = [name for name in names if names.count(name) > 1]
        if group in ("preprocess", "detector", "tracker") and twice:
            raise ConfigError(
                f"{override} names {twice[0]!r} twice; give the second one a name of its own in a config file."
            )


def _refuse_unknown(cfg: DictConfig) -> None:
    """Refuse keys that the schema does not have: Hydra lets ``+key=value`` add them to typed sections too."""
    schema = OmegaConf.structured(TrainConfig)
    sections = {"": (cfg, schema), **{f"{key}.": (cfg.get(key), schema[key]) for key in schema if key in cfg}}
    for where, (given, known) in sections.items():
        if isinstance(given, DictConfig) and isinstance(known, DictConfig):
            for key in sorted(set(given) - set(known)):
                raise ConfigError(f"There is no setting '{where}{key}'; {did_you_mean(str(key), map(str, known))}")


def build(node: Any, **runtime: Any) -> Any:
    """Turn a node into the object that it describes. Nothing else in the suite does.

    Args:
        node: a checked config node.
        runtime: objects that only exist while running, such as ``spec``.
    """
    from hydra.utils import instantiate

    try:
        # runtime objects go to the partial: Hydra would rewrite dataclasses handed to instantiate
        return instantiate(plain(node), _partial_=True, _convert_="all")(**runtime)
    except (ArithmeticError, TypeError, ValueError, RuntimeError, HydraException) as error:
        cause = (isinstance(error, HydraException) and error.__cause__) or error  # Hydra wraps those of inner nodes
        if isinstance(cause, EcganError):
            raise cause from None
        name = node[TARGET].rpartition(".")[2]
        raise ConfigError(f"{name} cannot be made with its settings ({first_line(cause)}); correct them.") from error
