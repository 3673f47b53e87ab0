"""Every file in conf/ composes, and every pair of choices does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from commands import forget_hydra
from config_files import FILES, content_of
from ecgan.capabilities import Classifies, Discriminates, Reconstructs
from ecgan.checks import models_with
from ecgan.config import (
    build,
    checked,
    compose,
    plain,
)
from ecgan.errors import ConfigError
from ecgan.nodes import TARGET
from ecgan.schema import PreprocessConfig, TrackerConfig, TrainConfig, TrainerConfig
from ecgan.usage import GROUPS, conf_dir, options

PAIRS = [file.stem for file in FILES if file.parent.name == "pair"]
NEEDED = {
    "threshold/fixed": {"value": 1.0, "supervision": "normal_only"},
    "split/from_file": {"path": "splits.json"},
}
"""Settings without which a file is incomplete by design."""
CRITICS = ("combined", "combined_grid", "combined_svm", "discriminator", "feature_matching")
SERVES = {"classifier": "cnn", **dict.fromkeys(CRITICS, "beatgan")}
"""Models for the detectors that the default one does not serve."""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ECGAN_MIRROR", raising=False)
    yield
    forget_hydra()


@pytest.mark.parametrize("file", [file for file in FILES if file.parent.name not in ("pair", "loss")], ids=str)
def test_every_file_composes(file: Path) -> None:
    group, name = str(file.parent), file.stem
    needed = NEEDED.get(f"{group}/{name}", {})
    given = ["dataset=sine"] if group == "model" else []  # no pair changes its models
    given += [f"model={SERVES[name]}"] if name in SERVES and group == "detector" else []
    cfg = compose([*given, f"{group}={name}", *(f"{group}.{key}={value}" for key, value in needed.items())])
    own = content_of(file)
    own |= {"train_on": "normal"} if own.get("train_on") == "auto" else {}  # as the default model needs it
    root = yaml.safe_load((conf_dir() / "train.yaml").read_text(encoding="utf-8")).get(group, {})
    if group not in ("experiment", "sweep"):
        assert OmegaConf.to_container(cfg[group]) == root | own | needed


@pytest.mark.parametrize("loss", options("loss"))
@pytest.mark.parametrize("model", models_with(Discriminates))
def test_every_loss_composes_with_every_critic_and_keeps_nothing_of_the_default(model: str, loss: str) -> None:
    cfg = compose([f"model={model}", f"loss@model.adversarial={loss}"])
    assert OmegaConf.to_container(cfg.model.adversarial) == content_of(Path("loss") / f"{loss}.yaml")


def triples() -> list[tuple[str, str, str]]:
    """Every data set with every model; transforms take turns, so that each meets each model and each data set."""
    transforms = options("transform")
    numbered = product(enumerate(options("dataset")), enumerate(options("model")))
    return [(dataset, model, transforms[(i + j) % len(transforms)]) for (i, dataset), (j, model) in numbered]


def test_every_pair_is_among_the_triples() -> None:
    groups = options("dataset"), options("model"), options("transform")
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert {(triple[one], triple[other]) for triple in triples()} == set(product(groups[one], groups[other]))


@pytest.mark.parametrize(("dataset", "model", "transform"), triples())
def test_every_pair_composes(dataset: str, model: str, transform: str) -> None:
    """That each composes in earnest is seen from the classes named."""
    cfg = compose([f"dataset={dataset}", f"model={model}", f"transform={transform}"])
    for group, name in (("dataset", dataset), ("model", model), ("transform", transform)):
        assert cfg[group][TARGET] == target_of(group, name)


def target_of(group: str, name: str) -> str:
    target: str = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))[TARGET]
    return target


def test_files_lie_in_groups_that_help_lists() -> None:
    assert {str(file.parent) for file in FILES} <= {*GROUPS, "pair", "loss"}


def test_default_has_trivial_baselines_beside_the_model() -> None:
    cfg = compose()
    assert list(cfg.detector) == ["reconstruction", "lstm_autoencoder", "knn", "pca"]
    assert {node.threshold[TARGET] for node in cfg.detector.values()} == {"ecgan.detect.thresholds.Quantile"}
    assert cfg.dataset[TARGET] == target_of("dataset", "ecg5000")


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


def test_files_of_trackers_hold_one_tracker_of_their_own_name_so_that_several_compose() -> None:
    for name in options("tracker"):
        content = yaml.safe_load((conf_dir() / "tracker" / f"{name}.yaml").read_text(encoding="utf-8"))
        assert list(content) == ["backends"], "where a run belongs stands in train.yaml, or the last file would win"
        assert list(content["backends"]) == ([] if name == "local" else [name])
    root = yaml.safe_load((conf_dir() / "train.yaml").read_text(encoding="utf-8"))["tracker"]
    assert {*root, "backends"} == {field.name for field in fields(TrackerConfig)}
    assert TrackerConfig(**root) == TrackerConfig(), "a file without a defaults list gets the schema's values"


def test_any_trackers_leave_the_place_of_a_run_alone() -> None:
    place = ["tracker.entity=me", "tracker.project=beats", "tracker.experiment=first"]
    cfg = compose(["tracker=[local,wandb,mlflow,tensorboard]", *place, "tracker.backends.wandb.mode=offline"])
    assert list(cfg.tracker.backends) == ["wandb", "mlflow", "tensorboard"]
    assert cfg.tracker.backends.wandb.mode == "offline"
    assert [cfg.tracker[key] for key in ("entity", "project", "experiment")] == ["me", "beats", "first"]
    assert compose(["tracker=local"]) == compose()


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


@pytest.mark.parametrize("model", sorted({*options("model")} - {*models_with(Classifies), *models_with(Reconstructs)}))
def test_a_model_that_only_generates_brings_every_detector_that_needs_no_reconstruction(model: str) -> None:
    cfg = compose([f"model={model}"])
    assert list(cfg.detector) == ["lstm_autoencoder", "knn", "pca"]
    assert cfg.split.train_on == "normal"
    assert compose([f"model={model}", "model.conditional=true"]).split.train_on == "all"


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
