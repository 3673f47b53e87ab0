"""Which classes a config may name, and which keys and values their constructors take."""

from __future__ import annotations

import string
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.config import compose, plain
from ecgan.errors import ConfigError, did_you_mean
from ecgan.nodes import TARGET, check_node, conforms, describe, locate
from ecgan.usage import options

HARMFUL = (
    "os.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "subprocess.run",
    "pathlib.Path",
    "importlib.import_module",
    "torch.load",
    "torch.hub.load",
    "torch.nn.Linear",
    "numpy.load",
    "pickle.loads",
    "hydra.utils.call",
    "hydra.utils.instantiate",
    "pytorch_lightning.Trainer",
    "ecgan",
    "ecganx.models.beatgan.BeatGAN",
    "torch.optimx.Adam",
    "torch.optim",
    "",
)
HIDDEN = (
    "ecgan.files.os.system",
    "ecgan.files.os",
    "ecgan.files.shutil.rmtree",
    "ecgan.data.store.hashlib.sha256",
    "ecgan.data.store.FileLock",
    "ecgan.cli.Path",
    "ecgan.cli.sys.exit",
    "ecgan.provenance.subprocess.Popen",
    "ecgan.provenance.subprocess.run",
    "torch.optim.os.system",
    "torch.optim.adam.torch.load",
    "torch.optim.lr_scheduler.Counter",
    "pytorch_lightning.loggers.csv_logs.os.system",
    "pytorch_lightning.callbacks.model_checkpoint.shutil.rmtree",
    "ecgan..files.os.system",
    "ecgan.models.beatgan",
    "ecgan.files.write_text",
    "ecgan.no.such.Module",
    "ecgan.models.beatgan.",
)


@cache
def composed(name: str) -> Any:
    return plain(compose([f"model={name}"]).model)


def model_node(name: str) -> dict[str, Any]:
    """A copy of a model's section, resolved."""
    return dict(composed(name))


@pytest.mark.parametrize("target", HARMFUL)
def test_classes_outside_the_list_are_refused(target: str) -> None:
    with pytest.raises(ConfigError, match="outside the allowed packages") as caught:
        locate(target)
    assert repr(target) in str(caught.value)


@pytest.mark.parametrize("target", HIDDEN)
def test_what_an_allowed_module_imported_is_refused(target: str) -> None:
    with pytest.raises(ConfigError, match=r"There is no module|that a config may name"):
        locate(target)


def test_a_logger_is_no_part_of_a_model() -> None:
    """Some write files when they are made."""
    logger = ["model.optimizer._target_=pytorch_lightning.loggers.CSVLogger", "+model.optimizer.save_dir=x"]
    with pytest.raises(ConfigError, match=r"CSVLogger', which is outside the allowed packages \(ecgan, torch.optim"):
        compose(["model=autoencoder", "~model.optimizer.lr", *logger])


@pytest.mark.parametrize("target", [None, 3, ["os.system"], {TARGET: "os.system"}, True])
def test_a_target_that_is_no_text_is_refused(target: Any) -> None:
    with pytest.raises(ConfigError, match="outside the allowed packages"):
        locate(target)


def test_a_module_is_not_even_imported_when_it_is_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_module.py").write_text("raise RuntimeError('it was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError):
        locate("evil_module.Thing")
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize(
    "target",
    [
        "ecgan.models.beatgan.BeatGAN",
        "torch.optim.Adam",
        "torch.optim.lr_scheduler.CosineAnnealingLR",
        "pytorch_lightning.loggers.CSVLogger",
        "pytorch_lightning.callbacks.EarlyStopping",
    ],
)
def test_classes_on_the_list_are_found(target: str) -> None:
    assert locate(target).__name__ == target.rpartition(".")[2]


def test_a_misspelt_class_is_met_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"has no class 'BeatGan' that a config may name; did you mean 'BeatGAN'\?"):
        locate("ecgan.models.beatgan.BeatGan")


@pytest.mark.parametrize("target", ["os.system", "ecgan.files.os.system"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda node: node,
        lambda node: {"a": node},
        lambda node: [node],
        lambda node: {"a": [1, [{"b": node}]]},
        lambda node: {TARGET: "ecgan.detect.thresholds.Quantile", "q": node},
        lambda node: {TARGET: "torch.optim.Adam", "_partial_": True, "betas": [0.9, node]},
    ],
)
def test_a_node_is_checked_however_deep_it_hides(target: str, wrap: Callable[[Any], Any]) -> None:
    with pytest.raises(ConfigError):
        check_node(wrap({TARGET: target, "command": "true"}), "model")


@pytest.mark.parametrize("key", ["_args_", "_recursive_", "_convert_", "_anything_"])
def test_hydras_other_special_keys_are_refused(key: str) -> None:
    for target in ("ecgan.detect.thresholds.Quantile", "pytorch_lightning.loggers.WandbLogger"):
        with pytest.raises(ConfigError, match=rf"threshold has no setting '{key}'"):
            check_node({TARGET: target, key: []}, "threshold")


def test_runtime_arguments_cannot_be_set() -> None:
    node = model_node("autoencoder")
    with pytest.raises(ConfigError, match="model has no setting 'spec'"):
        check_node(node | {"spec": 3}, "model")


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ConfigError, match=r"threshold lacks 'value', which Fixed needs; set threshold\.value=…"):
        check_node({TARGET: "ecgan.detect.thresholds.Fixed"}, "threshold")


def test_a_partial_node_may_lack_arguments() -> None:
    check_node({TARGET: "torch.optim.Adam", "_partial_": True}, "model.optimizer")


KEYS = ("latent", "reconstruction", "class_weights", "optimizer")
KNOWN = [(model, key) for model in options("model") for key in KEYS if key in model_node(model)]


@given(st.sampled_from(KNOWN), st.integers(0, 8), st.sampled_from(string.ascii_lowercase))
@settings(max_examples=60, deadline=None)
def test_a_misspelt_key_is_named_with_its_class(known: tuple[str, str], place: int, letter: str) -> None:
    """One wrong letter anywhere: the message names the wrong key, the class and the right key."""
    model, key = known
    node = model_node(model)
    wrong = key[: place % len(key)] + letter + key[place % len(key) + 1 :]
    if wrong in node:
        check_node(node, "model")
        return
    value = node.pop(key)
    with pytest.raises(ConfigError) as caught:
        check_node({wrong: value, **node}, "model")
    message, cls = str(caught.value), node[TARGET].rpartition(".")[2]
    assert message == f"model has no setting {wrong!r} ({cls} does not take it); did you mean {key!r}?"


class Speaks(Protocol):
    """A protocol that cannot be asked at run time."""

    def speak(self) -> str: ...


FITS: list[tuple[Any, Any]] = [
    (3, int),
    (3, float),
    (0.5, float),
    (True, bool),
    ("a", str),
    ("a", Path),
    (None, int | None),
    ("l1", Literal["l1", "l2"]),
    ([1, 2], list[int]),
    ([], list[int]),
    ([0.5, 1], tuple[float, float]),
    ([1, 2, 3], tuple[int, ...]),
    (1, int | torch.Tensor),
    ({TARGET: "x"}, Callable[[int], int]),
    ({TARGET: "x"}, torch.Tensor),
    ({TARGET: "x"}, int | torch.Tensor),
    ({"a": 1}, dict[str, int]),
    ({"a": 1}, Mapping),
    ("anything", Any),
    (3, object),
    ([1], Iterable),
    (float("inf"), float),
]
FAILS: list[tuple[Any, Any, str]] = [
    ("3", int, "a whole number"),
    (2.5, int, "a whole number"),
    (True, int, "a whole number"),
    (True, float, "a number"),
    ("fast", float, "a number"),
    (None, float, "a number"),
    (1, bool, "true or false"),
    ("yes", bool, "true or false"),
    (3, str, "text"),
    (3, Path, "Path"),
    ("x", int | None, "a whole number or null"),
    ("l3", Literal["l1", "l2"], "'l1' or 'l2'"),
    (["l1"], Literal["l1", "l2"], "'l1' or 'l2'"),
    (3, list[int], "a list"),
    ("12", list[int], "a list"),
    ([1, "x"], list[int], "a list"),
    ([0.5], tuple[float, float], "a list of 2 values"),
    ([0.5, "x"], tuple[float, float], "a list of 2 values"),
    ([1, "x"], tuple[int, ...], "a list"),
    ("fast", float | torch.Tensor, "a number or Tensor"),
    ("adam", Callable[[int], int], "a section with _target_"),
    ({"lr": 1}, Callable[[int], int], "a section with _target_"),
    (3, Speaks, "Speaks"),
    ({TARGET: "x"}, int, "a whole number"),
    ({TARGET: "x"}, str, "text"),
]


@pytest.mark.parametrize(("value", "hint"), FITS, ids=repr)
def test_a_value_that_fits(value: Any, hint: Any) -> None:
    assert conforms(value, hint)


@pytest.mark.parametrize(("value", "hint", "name"), FAILS, ids=repr)
def test_a_value_that_does_not_fit(value: Any, hint: Any, name: str) -> None:
    assert not conforms(value, hint)
    assert describe(hint) == name


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "RAdam", "NAdam", "LBFGS"])
def test_optimizers_of_torch_can_be_checked(name: str) -> None:
    node = {TARGET: f"torch.optim.{name}", "_partial_": True, "lr": 0.1}
    check_node(node, "model.optimizer")
    with pytest.raises(ConfigError, match=r"model\.optimizer\.lr is 'fast'"):
        check_node(node | {"lr": "fast"}, "model.optimizer")


def test_suggestions_end_the_sentence() -> None:
    assert did_you_mean("latnet", ["latent", "width"]) == "did you mean 'latent'?"
    assert did_you_mean("zzz", ["latent", "width"]) == "valid are latent, width."
    assert did_you_mean("zzz", []) == "nothing is valid there."
