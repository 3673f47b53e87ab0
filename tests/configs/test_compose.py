"""Every file in conf/ composes, every pair of choices composes, and files and classes match one to one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import product
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

import ecgan.data.sources
import ecgan.data.transforms
import ecgan.detect
import ecgan.models
import ecgan.preprocess
from commands import forget_hydra
from ecgan.capabilities import Classifies
from ecgan.checks import models_with
from ecgan.config import (
    PreprocessConfig,
    SplitConfig,
    TrackerConfig,
    TrainConfig,
    TrainerConfig,
    build,
    checked,
    compose,
    plain,
)
from ecgan.errors import ConfigError
from ecgan.nodes import TARGET, locate
from ecgan.usage import GROUPS, conf_dir, options

FILES = sorted(file.relative_to(conf_dir()) for file in conf_dir().glob("*/*.yaml"))
PAIRS = [file.stem for file in FILES if file.parent.name == "pair"]
BASES = {"base", "adversarial", "generative", "reconstruction", "classification"}
"""Modules of models that are there to derive from."""
NEEDED = {
    "threshold/fixed": {"value": 1.0, "supervision": "normal_only"},
    "split/from_file": {"path": "splits.json"},
}
"""Settings without which a file is incomplete by design."""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ECGAN_MIRROR", raising=False)
    yield
    forget_hydra()


@pytest.mark.parametrize("file", [file for file in FILES if file.parent.name != "pair"], ids=str)
def test_every_file_composes(file: Path) -> None:
    group, name = str(file.parent), file.stem
    needed = NEEDED.get(f"{group}/{name}", {})
    cfg = compose([f"{group}={name}", *(f"{group}.{key}={value}" for key, value in needed.items())])
    own = yaml.safe_load((conf_dir() / file).read_text(encoding="utf-8"))
    own.pop("defaults", None)
    own |= {"train_on": "normal"} if own.get("train_on") == "auto" else {}  # as the default model needs it
    root = yaml.safe_load((conf_dir() / "train.yaml").read_text(encoding="utf-8")).get(group, {})
    if group != "experiment":
        assert OmegaConf.to_container(cfg[group]) == root | own | needed


@pytest.mark.parametrize(("dataset", "model"), product(options("dataset"), options("model")))
def test_every_triple_composes(dataset: str, model: str) -> None:
    """With every transform; that each composes in earnest is seen from the classes named."""
    for transform in options("transform"):
        cfg = compose([f"dataset={dataset}", f"model={model}", f"transform={transform}"])
        for group, name in (("dataset", dataset), ("model", model), ("transform", transform)):
            assert cfg[group][TARGET] == target_of(group, name)


def target_of(group: str, name: str) -> str:
    target: str = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))[TARGET]
    return target


def test_files_lie_in_groups_that_help_lists() -> None:
    assert {str(file.parent) for file in FILES} <= {*GROUPS, "tracker", "pair"}


def test_default_has_trivial_baselines_beside_the_model() -> None:
    cfg = compose()
    assert list(cfg.detector) == ["reconstruction", "lstm_autoencoder", "knn", "pca"]
    assert {node.threshold[TARGET] for node in cfg.detector.values()} == {"ecgan.detect.thresholds.Quantile"}
    assert cfg.dataset[TARGET] == target_of("dataset", "ecg5000")


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_setting_of_a_class_stands_in_its_file(file: Path) -> None:
    """Whoever opens a file sees all that can be set, with its default."""
    content = yaml.safe_load((conf_dir() / file).read_text(encoding="utf-8"))
    if file.parent.name == "detector":
        nodes = [node["scorer"] for node in content.values()]
    else:
        nodes = [node for node in (content, *content.get("steps", {}).values()) if TARGET in node]
    for node in nodes:
        cls = locate(node[TARGET])
        assert set(node) - {TARGET, "defaults"} == set(inspect.signature(cls).parameters) - {"spec"}


@pytest.mark.parametrize(
    ("group", "schema"),
    [("split", SplitConfig), ("trainer", TrainerConfig), ("tracker", TrackerConfig)],
)
def test_every_field_of_the_framework_stands_in_each_file_of_its_group(group: str, schema: type) -> None:
    names = {field.name for field in fields(schema)}
    for name in options(group):
        content = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
        assert set(content) == names, name


def test_files_of_steps_hold_one_step_of_their_own_name_so_that_several_compose() -> None:
    for name in options("preprocess"):
        content = yaml.safe_load((conf_dir() / "preprocess" / f"{name}.yaml").read_text(encoding="utf-8"))
        assert list(content) == ["steps"], "what all steps share stands in train.yaml, or the last file would win"
        assert list(content["steps"]) == ([] if name == "none" else [name])
    root = yaml.safe_load((conf_dir() / "train.yaml").read_text(encoding="utf-8"))["preprocess"]
    assert {*root, "steps"} == {field.name for field in fields(PreprocessConfig)}
    assert PreprocessConfig(**root) == PreprocessConfig(), "a file without a defaults list gets the schema's values"


@pytest.mark.parametrize("names", [["clean", "impute", "lttb"], ["lttb", "interpolate", "clean"], ["interpolate"], []])
def test_steps_come_in_the_order_given(names: list[str]) -> None:
    cfg = compose([f"preprocess=[{','.join(names)}]", "preprocess.length=99"])
    assert list(cfg.preprocess.steps) == names
    lengths = {node.length for name, node in cfg.preprocess.steps.items() if name in ("lttb", "interpolate")}
    assert lengths <= {99}


def test_one_step_needs_no_brackets_and_none_is_no_step() -> None:
    assert list(compose(["preprocess=lttb"]).preprocess.steps) == ["lttb"]
    assert list(compose(["preprocess=[none,clean]"]).preprocess.steps) == ["clean"]
    assert list(compose(["preprocess=none"]).preprocess.steps) == []


def classes(package: object, fits: Callable[[type], bool]) -> set[str]:
    """Targets of the public classes that a package defines and that fit."""
    assert inspect.ismodule(package)
    modules = [
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    ]
    return {
        f"{module.__name__}.{name}"
        for module in modules
        for name, value in vars(module).items()
        if is_own(value, module.__name__) and fits(value)
    }


def is_own(value: object, module: str) -> bool:
    """Whether something is a public class, defined in this module and more than a protocol."""
    if not inspect.isclass(value) or value.__module__ != module:
        return False
    return not value.__name__.startswith("_") and not getattr(value, "_is_protocol", False)


def has(*methods: str) -> Callable[[type], bool]:
    return lambda cls: all(method in dir(cls) for method in methods)


def trains(cls: type) -> bool:
    """Whether a class is a model to use, not a base to derive from; bases lack a network."""
    return "training_step" in dir(cls) and cls.__module__.rpartition(".")[2] not in BASES


def targets(group: str) -> set[str]:
    """All classes that the files of a group name at their top, in a detector's scorer, or in a step."""
    found = set()
    for name in options(group):
        content = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
        inner = (*content.get("steps", {}).values(), *(n["scorer"] for n in content.values() if group == "detector"))
        found |= {node[TARGET] for node in (content, *inner) if TARGET in node}
    return found


@pytest.mark.parametrize(
    ("group", "package", "fits"),
    [
        ("model", ecgan.models, trains),
        ("detector", ecgan.detect, has("score", "load_state")),
        ("threshold", ecgan.detect, lambda cls: has("choose")(cls) and cls.__module__.endswith(".thresholds")),
        ("dataset", ecgan.data.sources, has("read", "card")),
        ("transform", ecgan.data.transforms, has("fit", "state")),
        ("preprocess", ecgan.preprocess, has("__call__")),
    ],
)
def test_every_class_has_a_file_and_every_file_a_class(
    group: str, package: object, fits: Callable[[type], bool]
) -> None:
    assert classes(package, fits) == targets(group)


def test_precedence_of_group_experiment_and_command_line() -> None:
    experiment = ["experiment=lstm_autoencoder_tutorial"]
    assert compose().tracker.experiment == "default"
    assert compose(experiment).tracker.experiment == "lstm_autoencoder_tutorial"
    assert compose([*experiment, "tracker.experiment=mine"]).tracker.experiment == "mine"
    assert compose([*experiment, "model=beatgan"]).model[TARGET] == target_of("model", "beatgan")


@pytest.mark.parametrize("model", models_with(Classifies))
def test_a_model_that_does_not_reconstruct_brings_detectors_that_do_not_need_it(model: str) -> None:
    assert list(compose([f"model={model}"]).detector) == ["knn", "pca"]
    assert list(compose([f"model={model}", "detector=[pca]"]).detector) == ["pca"]
    assert not compose([f"model={model}", "detector=none"]).detector
    assert not compose(["experiment=ucr_classification", f"model={model}"]).detector
    assert list(compose(["experiment=ucr_classification", f"model={model}", "detector=[knn]"]).detector) == ["knn"]
    assert compose([f"model={model}"]).split.train_on == "all"


@pytest.mark.parametrize("pair", PAIRS)
def test_defaults_of_a_pair_stand_between_groups_and_command_line(pair: str) -> None:
    dataset, model = next((d, m) for d, m in product(options("dataset"), options("model")) if f"{d}_{m}" == pair)
    own = yaml.safe_load((conf_dir() / "pair" / f"{pair}.yaml").read_text(encoding="utf-8"))
    for choice in ([], ["experiment=ucr_classification"]):
        cfg = compose([*choice, f"dataset={dataset}", f"model={model}"])
        assert OmegaConf.merge(cfg, own) == cfg
    epochs = own["trainer"]["max_epochs"] + 1
    cfg = compose([f"dataset={dataset}", f"model={model}", f"trainer.max_epochs={epochs}"])
    assert cfg.trainer.max_epochs == epochs


def test_mirror_comes_from_the_environment_or_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compose().paths.mirror is None
    monkeypatch.setenv("ECGAN_MIRROR", "/mirror")
    assert compose().paths.mirror == "/mirror"
    assert compose(["paths.mirror=elsewhere"]).paths.mirror == "elsewhere"


def test_checking_twice_changes_nothing() -> None:
    cfg = compose(["dataset=sine", "preprocess=lttb"])
    assert checked(cfg) == cfg
    assert plain(checked(cfg)) == plain(cfg)


def test_a_config_without_a_section_is_completed_or_refused() -> None:
    content = OmegaConf.to_container(compose(["dataset=sine"]))
    assert isinstance(content, dict)
    del content["trainer"]
    assert checked(OmegaConf.create(content)).trainer == OmegaConf.structured(TrainerConfig)
    del content["model"]
    with pytest.raises(ConfigError, match="The section model names no class; choose one with model=…"):
        checked(OmegaConf.create(content))


def test_schema_has_a_field_for_every_group() -> None:
    names = {field.name for field in fields(TrainConfig)}
    assert {group for group in GROUPS if group != "experiment"} <= names


def test_build_hands_runtime_objects_over_as_they_are() -> None:
    marker = object()
    made = build({TARGET: f"{__name__}.Keeper", "size": 3}, marker=marker)
    assert made.marker is marker
    assert made.size == 3


class Keeper:
    """Keeps what it is given; build trusts its callers, who have checked the config."""

    def __init__(self, size: int, marker: object) -> None:
        self.size, self.marker = size, marker


def test_build_says_which_class_refuses_its_settings() -> None:
    with pytest.raises(ConfigError, match=r"Keeper cannot be made with its settings \(.*'length'.*\); correct them"):
        build({TARGET: f"{__name__}.Keeper", "size": 3, "length": 2}, marker=1)


@pytest.mark.parametrize(
    "override", ["preprocess=[clean,window,clean]", "preprocess=[lttb, lttb]", "detector=[knn,knn]"]
)
def test_a_choice_named_twice_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match="twice; give the second one a name of its own"):
        compose([override])
