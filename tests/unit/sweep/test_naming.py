"""The same config has the same folder, another one has another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgan.config import compose
from ecgan.sweep.naming import digest_in, job_digest, job_name, label_of, sweep_name

BASE = ("dataset=sine",)


@pytest.mark.parametrize(
    "word",
    [
        "paths.outputs=elsewhere",
        "paths.mirror=mirror",
        "tracker.project=other",
        "trainer.progress_bar=false",
        "trainer.threads=3",
        "preprocess.workers=2",
        "sweep.name=x",
        "sweep.retries=9",
    ],
)
def test_volatile_settings_do_not_make_another_job(word: str) -> None:
    assert job_digest(compose([*BASE, word])) == job_digest(compose(BASE))


@pytest.mark.parametrize(
    "word",
    [
        "seed=1",
        "model=vae",
        "model.optimizer.lr=0.002",
        "trainer.max_epochs=3",
        "trainer.figures=false",
        "detector=[knn]",
        "preprocess.length=64",
        "split.only=[0]",
        "dataset.n_series=300",
    ],
)
def test_other_settings_do(word: str) -> None:
    assert job_digest(compose([*BASE, word])) != job_digest(compose(BASE))


def test_the_order_of_settings_does_not_matter() -> None:
    assert job_digest(compose(["seed=1", "model=vae", *BASE])) == job_digest(compose([*BASE, "model=vae", "seed=1"]))


def test_infinite_settings_have_a_digest() -> None:
    cfg = compose(BASE)
    cfg.model.optimizer.lr = float("inf")
    assert len(job_digest(cfg)) == 12


def test_folders_tell_a_human_what_varies() -> None:
    cfg = compose(BASE)
    name = job_name(cfg, ["model.optimizer.lr=0.004430375245218269", "model=vae", "seed=3", "detector=[knn,pca]"])
    assert name == f"lr-0.00443_model-vae_seed-3_detector-knn-pca-{job_digest(cfg)}"
    assert digest_in(name) == job_digest(cfg)
    assert job_name(cfg, []) == job_digest(cfg)
    assert len(job_name(cfg, [f"model.name={'x' * 300}"])) < 80


def test_names_of_sweeps() -> None:
    words = ["model=vae,beatgan", "seed=0,1"]
    name = sweep_name("model_seed", words)
    assert name.startswith("model_seed-")
    assert (
        sweep_name("model_seed", [*reversed(words), "paths.data=x", "hydra/launcher=joblib", "sweep.retries=1"]) == name
    )
    assert sweep_name("model_seed", [*words, "hydra.sweeper.n_trials=9"]) == name
    for more in ("hydra/sweeper=optuna", "hydra.sweeper.seed=1", "sweep=seeds", "trainer.max_epochs=2"):
        assert sweep_name("model_seed", [*words, more]) != name


def test_labels_of_sweeps() -> None:
    assert label_of(["sweep=seeds", "model=vae"], None, []) == "seeds"
    assert label_of(["model=vae"], Path("folder/my.yml"), ["seed"]) == "my_seed"
    assert label_of([], None, ["model.optimizer.lr", "seed"]) == "lr_seed"
