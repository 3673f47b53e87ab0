"""Configs of jobs are those that Hydra composes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import OmegaConf

from ecgan.config import register
from ecgan.sweep.composing import Composer
from ecgan.sweep.naming import job_digest
from ecgan.usage import conf_dir

FIXED = ["dataset=sine", "dataset.n_series=500", "split=holdout", "~model.scheduler", "+hydra.job.env_set.A=1"]
JOBS = [
    ["seed=3"],
    ["seed=4", "model=vae", "model.init=he"],
    ["detector=[knn,pca]", "detector.knn.scorer.k=7", "data.batch_size=32"],
    ["model.optimizer={lr: 0.5}", "model.optimizer.lr=0.25"],
    ["model.optimizer.lr=0.25", "model.optimizer={lr: 0.5}"],
    ["trainer.max_epochs=7", "transform=minmax"],
    ["split=kfold", "split.only=[0,1]", "++model.optimizer.amsgrad=true"],
]


@pytest.fixture
def sweep() -> Iterator[tuple[Any, Any]]:
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        yield loader.load_configuration("train", FIXED[:2], RunMode.MULTIRUN), loader
    GlobalHydra.instance().clear()


def test_configs_are_those_of_hydra(sweep: tuple[Any, Any]) -> None:
    config, loader = sweep
    composed = Composer(config, loader)
    digests = set()
    for words in [*JOBS, *JOBS]:
        expected = loader.load_sweep_config(config, [*FIXED, *words])
        cfg = composed([*FIXED, *words])
        assert "hydra" not in cfg
        content = OmegaConf.to_container(cfg)
        assert content == {key: value for key, value in OmegaConf.to_container(expected).items() if key != "hydra"}
        assert job_digest(cfg) == job_digest(expected)
        digests.add(job_digest(cfg))
    assert len(digests) == len(JOBS)


@pytest.mark.parametrize("word", ["sede=1", "model.betta=2", "seed=none", "model@other=vae"])
def test_what_hydra_refuses_is_refused(word: str, sweep: tuple[Any, Any]) -> None:
    config, loader = sweep
    composed = Composer(config, loader)
    with pytest.raises(ConfigCompositionException) as expected:
        loader.load_sweep_config(config, [*FIXED, word])
    with pytest.raises(ConfigCompositionException) as found:
        composed([*FIXED, word])
    assert str(found.value) == str(expected.value)
