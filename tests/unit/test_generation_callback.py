"""Judging what a model generates: when it happens, on what, what is written, and that training does not notice."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor

from ecgan import engine
from ecgan.errors import DivergedError
from ecgan.evaluate.generation.quality import judge
from ecgan.generate import callback
from ecgan.generate.callback import GenerationCallback, Judgment
from ecgan.generate.writing import Description
from ecgan.types import Batch
from small_models import MAKERS, SPEC, batch, changed, fit, loader, made, state

HOW = Judgment(n=40, every=None, bootstrap=3, figures=False, seed=7)
ABOUT = Description(40, SPEC.channels, SPEC.seq_len, "mV", 100.0, ("normal", "odd"))


@dataclass
class Part:
    """Series of one part, which remembers what it was asked for."""

    batch: Batch
    asked: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.batch.x)

    def __getitems__(self, positions: list[int]) -> Batch:
        self.asked.append(len(positions))
        return Batch(*(part[positions] for part in self.batch))

    def inverse(self, x: Tensor, index: Tensor | None = None) -> Tensor:
        return x * 10 + 5


def parts(n: int = 60) -> dict[str, Part]:
    return {name: Part(batch(n, seed, abnormal=n // 3)) for seed, name in enumerate(("train", "val", "test"))}


def judging(folder: Path, given: dict[str, Part] | None = None, **how: Any) -> GenerationCallback:
    about = replace(ABOUT, n=HOW.n)
    return GenerationCallback(given or parts(), folder / "generation", folder / "figures", about, replace(HOW, **how))


def judged(model: Any, judges: GenerationCallback) -> None:
    """Validate and test, as after a fit."""
    quiet = {"enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = pl.Trainer(accelerator="cpu", logger=False, callbacks=[judges], **quiet)
    with engine.quiet():
        trainer.validate(model, loader([batch()]), verbose=False)
        trainer.test(model, loader([batch()]), verbose=False)


Finished = tuple[Path, Any, dict[str, Part]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """What a conditional GAN was judged by."""
    folder, model, given = tmp_path_factory.mktemp("judged"), made("dcgan", conditional=True), parts()
    judged(model, judging(folder, given))
    return folder, model, given


def test_nothing_is_judged_while_fitting_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("judged")

    monkeypatch.setattr(callback, "judge", forbidden)
    given = parts()
    fit(made("dcgan"), [batch()], epochs=3, limit_val_batches=1, callbacks=[judging(tmp_path, given)])
    assert all(part.asked == [] for part in given.values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["dcgan", "autoencoder"])
def test_every_so_many_epochs_a_brief_judgment_is_logged(tmp_path: Path, name: str) -> None:
    judges = judging(tmp_path, every=2)
    trainer = fit(
        made(name),
        [batch()],
        epochs=5,
        limit_val_batches=1,
        callbacks=[judges],
        logger=CSVLogger(tmp_path, name="", version="log"),
        log_every_n_steps=1,
    )
    log = pd.read_csv(tmp_path / "log" / "metrics.csv")
    series = (part.batch.x.numpy() for part in parts().values())
    brief = {f"val/generated_{measure}" for measure in judge(*series, thorough=False)}
    columns = {column for column in log if column.startswith("val/generated_")}
    assert columns == brief
    assert {"val/generated_mmd", "val/generated_recall"} <= columns
    for column in columns:
        assert log.loc[log[column].notna(), "epoch"].tolist() == [1, 3]
    assert not (tmp_path / "generation").exists()
    assert trainer.current_epoch == 5


def test_a_brief_judgment_looks_at_training_and_validation_only(tmp_path: Path) -> None:
    given = parts()
    fit(made("dcgan"), [batch()], limit_val_batches=1, callbacks=[judging(tmp_path, given, every=1)])
    assert given["train"].asked
    assert given["val"].asked
    assert given["test"].asked == []


@pytest.mark.parametrize("name", MAKERS)
def test_judging_does_not_disturb_the_training(tmp_path: Path, name: str) -> None:
    trained = []
    for every in (None, 1):
        settings = {"ema": 0.9} if name == "beatgan" else {}
        model = made(name, conditional=name == "rgan", **settings)
        torch.manual_seed(1)
        judges = judging(tmp_path, every=every)
        fit(model, [batch(8, seed) for seed in range(2)], epochs=3, limit_val_batches=1, callbacks=[judges])
        trained.append(state(model) | {"random numbers": torch.get_rng_state()})
        assert model.training
    assert changed(*trained) == set()


def test_quality_is_a_table_of_both_parts(finished: Finished) -> None:
    table = pd.read_csv(finished[0] / "generation" / "quality.csv")
    assert list(table) == ["split", "metric", "value", "low", "high", "reference"]
    by_part = {split: rows.set_index("metric") for split, rows in table.groupby("split", sort=False)}
    assert list(by_part) == ["val", "test"]
    assert list(by_part["val"].index) == list(by_part["test"].index)
    thorough = {"mmd", "mmd_null_95", "frechet", "recall", "discriminative", "memorized", "tstr_f1"}
    assert thorough <= set(by_part["val"].index)
    for rows in by_part.values():
        assert (rows["low"].dropna() <= rows["high"].dropna()).all()
        assert rows.loc[["mmd", "recall", "tstr_f1"], ["value", "reference"]].notna().all(axis=None)
    assert not by_part["val"]["value"].equals(by_part["test"]["value"])


def test_the_table_holds_what_judging_by_hand_gives(finished: Finished) -> None:
    folder, model, given = finished
    table = pd.read_csv(folder / "generation" / "quality.csv").set_index(["split", "metric"])
    judges = judging(folder, given)
    train, held_out = judges._taken("train", 40), judges._taken("val", 40)
    with torch.no_grad():
        fake = model.eval().sample(40, torch.Generator().manual_seed(7), train.y)
    by_hand = judge(
        train.x.numpy(),
        held_out.x.numpy(),
        fake.numpy(),
        train_label=train.y.numpy(),
        held_out_label=held_out.y.numpy(),
        generated_label=train.y.numpy(),
        seen=[given["train"].batch.x.numpy()],
        bootstrap=3,
        seed=7,
    )
    for name, measure in by_hand.items():
        row = table.loc[("val", name)]
        for what in ("value", "low", "high", "reference"):
            expected = getattr(measure, what)
            assert row[what] == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True), (name, what)


def test_samples_are_in_the_original_unit_with_the_classes_asked_for(
    finished: Finished,
) -> None:
    folder, model, given = finished
    train = judging(folder, given)._taken("train", 40)
    with torch.no_grad():
        fake = model.eval().sample(40, torch.Generator().manual_seed(7), train.y)
    with np.load(folder / "generation" / "samples.npz") as saved:
        np.testing.assert_allclose(saved["x"], fake * 10 + 5, rtol=1e-5)
        assert saved["label"].tolist() == train.y.tolist()
        assert saved["classes"].tolist() == ["normal", "odd"]
        assert (str(saved["unit"]), float(saved["fs_hz"])) == ("mV", 100)


def test_samples_of_another_model_have_no_label(tmp_path: Path) -> None:
    judged(made("vae"), judging(tmp_path))
    with np.load(tmp_path / "generation" / "samples.npz") as saved:
        assert set(saved.files) == {"x", "unit", "fs_hz"}
    table = pd.read_csv(tmp_path / "generation" / "quality.csv").set_index("metric")
    assert table.loc[["tstr_f1", "trts_auroc"], "value"].isna().all()


def test_the_same_judgment_has_the_same_bytes(finished: Finished, tmp_path: Path) -> None:
    folder, model, given = finished
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002 - nobody may draw from it
    judged(model, judging(tmp_path, given))
    for name in ("quality.csv", "samples.npz"):
        assert (tmp_path / "generation" / name).read_bytes() == (folder / "generation" / name).read_bytes()


def test_another_seed_compares_other_series(finished: Finished, tmp_path: Path) -> None:
    folder, model, given = finished
    judged(model, judging(tmp_path, given, seed=8))
    for name in ("quality.csv", "samples.npz"):
        assert (tmp_path / "generation" / name).read_bytes() != (folder / "generation" / name).read_bytes()


@pytest.mark.parametrize(("n", "expected"), [(15, 15), (1000, 60)])
def test_no_more_are_generated_than_asked_for_nor_than_there_are(tmp_path: Path, n: int, expected: int) -> None:
    model, drawn = made("vae"), []
    sample = model.sample
    model.sample = lambda m, *rest: drawn.append(m) or sample(m, *rest)
    judged(model, judging(tmp_path, n=n))
    assert drawn == [expected, expected]  # once for the validation and once for the test part


def test_series_are_generated_and_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "CHUNK", 16)
    model, drawn, given = made("vae"), [], parts(100)
    sample = model.sample
    model.sample = lambda m, *rest: drawn.append(m) or sample(m, *rest)
    judged(model, judging(tmp_path, given, n=40))
    assert drawn == [16, 16, 8] * 2
    assert max(given["train"].asked) == 40  # what is compared; the rest of the training part passes by in pieces
    assert sum(given["train"].asked) == 2 * (40 + 100)
    assert given["val"].asked == given["test"].asked == [40]


def test_all_training_series_count_as_known_by_heart(tmp_path: Path) -> None:
    """A series that was copied is found even if it is not among those that are compared."""
    given = parts(100)
    model = made("vae")
    model.sample = lambda n, *_: given["train"].batch.x[-n:].clone()
    judged(model, judging(tmp_path, given, n=20))
    table = pd.read_csv(tmp_path / "generation" / "quality.csv").set_index(["split", "metric"])
    assert table.loc[("test", "memorized"), "value"] == 1


def test_values_that_are_not_finite_are_a_divergence(tmp_path: Path) -> None:
    model = made("vae")
    model.sample = lambda n, *_: torch.full((n, 2, 32), math.nan)
    with pytest.raises(DivergedError, match=r"VAE generates values that are not finite; lower the learning rate"):
        judged(model, judging(tmp_path))
    assert not (tmp_path / "generation").exists()


def test_figures_are_drawn_when_asked_for(tmp_path: Path) -> None:
    judged(made("dcgan"), judging(tmp_path, figures=True))
    names = {file.name for file in (tmp_path / "figures").iterdir()}
    kinds = ("", "_spread", "_latent_walk", "_interpolation", "_embedding")
    assert names == {f"generated{kind}.png" for kind in kinds}
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in (tmp_path / "figures").iterdir())


def test_a_figure_of_an_epoch_has_its_number(tmp_path: Path) -> None:
    judges = judging(tmp_path, every=2, figures=True)
    fit(made("dcgan"), [batch()], epochs=2, limit_val_batches=1, callbacks=[judges])
    assert [file.name for file in (tmp_path / "figures").iterdir()] == ["generated_epoch_0002.png"]
