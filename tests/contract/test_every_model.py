"""Every model config passes the battery, and has a row in the documentation and a floor."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from ecgan.config import build, compose
from ecgan.models.base import Model
from ecgan.testing import models as testing
from ecgan.types import DataSpec
from ecgan.usage import options

MODELS = options("model")
FEW = DataSpec(64, 2, testing.CLASSES, class_counts=(4, 3, 1))


@cache
def node(name: str, conditional: bool) -> Any:
    setting = ["model.conditional=true"] if conditional else []
    return compose(["dataset=sine", f"model={name}", *setting, "detector=none"]).model  # no pair changes its models


def maker(name: str, conditional: bool = False) -> testing.Make:
    def make(spec: DataSpec) -> Model:
        model = build(node(name, conditional), spec=spec)
        assert isinstance(model, Model)
        return model

    return make


CASES = [(name, False) for name in MODELS] + [
    (name, True) for name in MODELS if "conditional" in compose([f"model={name}", "detector=none"]).model
]
every_model = pytest.mark.parametrize(
    ("name", "conditional"), CASES, ids=lambda value: {True: "conditional"}.get(value, str(value))
)


@every_model
@pytest.mark.parametrize("seq_len", testing.LENGTHS)
def test_shapes(name: str, conditional: bool, seq_len: int) -> None:
    for channels in testing.CHANNELS:
        testing.check_shapes(
            maker(name, conditional), DataSpec(seq_len, channels, testing.CLASSES, class_counts=(4, 3, 1))
        )


@every_model
def test_evaluation_is_deterministic(name: str, conditional: bool) -> None:
    testing.check_evaluation(maker(name, conditional), FEW)


@every_model
def test_weights_survive_saving(name: str, conditional: bool) -> None:
    testing.check_round_trip(maker(name, conditional), FEW)


@every_model
def test_players_leave_each_other_alone(name: str, conditional: bool) -> None:
    testing.check_players(maker(name, conditional), FEW)


@pytest.mark.parametrize("name", MODELS)
def test_eight_series_are_learned(name: str) -> None:
    testing.check_learns(maker(name), FEW)
