"""Every file of ``conf/detector`` passes the battery for scorers, and another model than it needs is refused."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from ecgan.capabilities import Classifies, Discriminates, Encodes, Reconstructs, Samples
from ecgan.checks import models_with
from ecgan.config import build, compose
from ecgan.errors import ConfigError
from ecgan.models.base import Model
from ecgan.testing import check_scorer
from ecgan.testing.models import fitted, series
from ecgan.types import Batch, DataSpec
from ecgan.usage import options

SPEC = DataSpec(32, 2, 2, class_counts=(24, 8))
NEEDS: dict[str, tuple[type, ...]] = {
    "anogan": (Samples,),
    "classifier": (Classifies,),
    "combined": (Reconstructs, Discriminates, Encodes),
    "combined_autoencoder": (Reconstructs, Encodes),
    "combined_grid": (Reconstructs, Discriminates, Encodes),
    "combined_svm": (Reconstructs, Discriminates, Encodes),
    "discriminator": (Discriminates,),
    "feature_matching": (Reconstructs, Discriminates),
    "inverse_mapping": (Samples,),
    "isolation_forest": (),
    "knn": (),
    "latent_density": (Encodes,),
    "lstm_autoencoder": (),
    "ocsvm": (),
    "pca": (),
    "reconstruction": (Reconstructs,),
    "whitened_knn": (),
}
SMALL = {
    "anogan": ("steps=3", "pool=8", "patience=2"),
    "inverse_mapping": ("epochs=2", "batch_size=8", "width=4"),
    "isolation_forest": ("trees=5",),
    "lstm_autoencoder": ("epochs=2", "latent=4", "patch=4"),
    "whitened_knn": ("components=4",),
}
VARIANTS = [
    ("anogan", "criterion=l1"),
    ("anogan", "criterion=rbf"),
    ("anogan", "criterion=cosine"),
    ("anogan", "feature_weight=0.5"),
    ("discriminator", "strategy=target"),
    ("latent_density", "density=knn"),
    ("lstm_autoencoder", "generated=0.5"),
    ("reconstruction", "error=dtw"),
    ("reconstruction", "scaled=true"),
]


def detectors() -> list[str]:
    return [name for name in options("detector") if name != "none"]


def models_for(name: str) -> list[str]:
    able = [set(models_with(kind)) for kind in NEEDS[name]]
    return sorted(set.intersection(*able)) if able else options("model")


def node(name: str, *settings: str, model: str) -> Any:
    given = [f"detector.{name}.scorer.{setting}" for setting in (*SMALL.get(name, ()), *settings)]
    return compose(["dataset=sine", f"model={model}", f"detector=[{name}]", *given]).detector[name].scorer


def normals() -> Tensor:
    return series(DataSpec(32, 2, 1), 24).x


def abnormal() -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(8, 2, 32, generator=generator)


@cache
def model(name: str) -> Model:
    """A model that has taken a step, and whose latent distribution is fitted where that is due."""
    made = build(compose(["dataset=sine", f"model={name}", "detector=none"]).model, spec=SPEC)
    assert isinstance(made, Model)
    torch.manual_seed(0)
    y = torch.arange(24) % 2 if issubclass(type(made), Classifies) else torch.zeros(24, dtype=torch.int64)
    fitted(made, [Batch(normals(), y, torch.arange(24))])
    return made.eval()


def test_every_file_is_known_here() -> None:
    assert detectors() == sorted(NEEDS)


@pytest.mark.parametrize("name", detectors())
def test_a_detector_passes_the_battery(name: str) -> None:
    served = models_for(name)[0]
    scorer = node(name, model=served)
    check_scorer(lambda: build(scorer), model(served), normals(), abnormal())


@pytest.mark.parametrize(("name", "setting"), VARIANTS, ids=lambda part: part)
def test_its_variants_pass_too(name: str, setting: str) -> None:
    served = "beatgan"
    scorer = node(name, setting, model=served)
    check_scorer(lambda: build(scorer), model(served), normals(), abnormal())


@pytest.mark.parametrize("served", models_with(Samples))
def test_the_search_serves_every_model_that_generates(served: str) -> None:
    scorer = node("anogan", model=served)
    check_scorer(lambda: build(scorer), model(served), normals(), abnormal())


@pytest.mark.parametrize("name", [name for name in detectors() if NEEDS[name]])
def test_a_model_that_cannot_serve_is_refused_when_the_config_is_composed(name: str) -> None:
    other = next(model for model in options("model") if model not in models_for(name))
    sentence = f"The detector '{name}' needs a model that .*one of these models: .+"
    with pytest.raises(ConfigError, match=sentence) as told:
        compose(["dataset=sine", f"model={other}", f"detector=[{name}]"])
    with pytest.raises(ConfigError, match="needs a model that discriminates, which Autoencoder"):
        compose(["detector=[anogan]", "detector.anogan.scorer.feature_weight=0.1"])
    missing = [kind for kind in NEEDS[name] if other not in models_with(kind)]
    assert any(kind.__name__.lower() in str(told.value) for kind in missing)
