"""Wrong input, through the console scripts: one sentence, an exit code, no traceback, nothing half-written."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import HydraException

from commands import SINE, TINY, Command, left_in, only_run
from ecgan.errors import ConfigError, EcganError

WRONG: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "misspelt group": (("modl=beatgan",), ("'modl'", "did you mean 'model'?")),
    "misspelt group option": (("model=beatgam",), ("no model named 'beatgam'", "did you mean 'beatgan'?")),
    "unlike any option": (("model=transformer",), ("'transformer'", "valid are autoencoder, beatgan")),
    "option in a list": (("detector=[knn,nix]",), ("no detector named 'nix'", "valid are anogan")),
    "misspelt experiment": (("experiment=lstm_tutorial",), ("no experiment named", "lstm_autoencoder_tutorial")),
    "misspelt key at the top": (("seeed=1",), ("'seeed'", "did you mean 'seed'?")),
    "key added at the top": (("+sede=1",), ("'sede'", "did you mean 'seed'?")),
    "misspelt key in a section": (("split.fold=3",), ("'split.fold'", "did you mean 'folds'?")),
    "key added to a section": (("+trainer.epochs=3",), ("'trainer.epochs'", "did you mean 'max_epochs'?")),
    "misspelt key of the model": (("model.initt=he",), ("'model.initt'", "did you mean 'init'?")),
    "key added to the model": (("+model.initt=he",), ("'initt'", "Autoencoder", "did you mean 'init'?")),
    "misspelt key of a network": (("model.network.latnet=3",), ("'model.network.latnet'", "did you mean 'latent'?")),
    "key added to a network": (("+model.network.latnet=3",), ("'latnet'", "ConvAutoencoderNet", "'latent'?")),
    "key added to a model that hands its settings on": (
        ("model=vaegan", "+model.n_crtic=3"),
        ("model has no setting 'n_crtic'", "VAEGAN", "did you mean 'n_critic'?"),
    ),
    "key that needs a plus": (("model.optimizer.eps=1",), ("argument of Adam", "+model.optimizer.eps=…")),
    "misspelt key of a detector": (("detector.knn.scorer.kk=3",), ("detector.knn.scorer.kk", "did you mean 'k'?")),
    "type in a section": (("trainer.max_epochs=many",), ("trainer.max_epochs", "'many'", "Integer")),
    "null in a section": (("seed=null",), ("seed must not be null",)),
    "list in a section": (("split.only=0",), ("split.only", "list")),
    "type in an open group": (
        ("model.network.latent=big",),
        ("model.network.latent is 'big'", "ConvAutoencoderNet", "a whole number"),
    ),
    "type of a setting that is handed on": (("model=vaegan", "model.n_critic=x"), ("model.n_critic is 'x'", "VAEGAN")),
    "fraction": (("model.network.latent=2.5",), ("model.network.latent is 2.5", "a whole number")),
    "loss without a place": (("loss=hinge",), ("model=dcgan loss@model.adversarial=hinge",)),
    "loss of a model without a critic": (("loss@model.adversarial=hinge",), ("for models with a critic only",)),
    "misspelt loss": (
        ("model=dcgan", "loss@model.adversarial=hing"),
        ("no loss named 'hing'", "did you mean 'hinge'?"),
    ),
    "name for a loss": (("model=dcgan", "model.adversarial=hinge"), ("model.adversarial is 'hinge'",)),
    "classes that are not there": (
        ("model=vae", "model.conditional=true", "split.train_on=normal"),
        ("VAE", "split.train_on=all"),
    ),
    "type of a detector": (("detector.knn.scorer.k=five",), ("detector.knn.scorer.k is 'five'", "KNearest")),
    "type of an optimizer": (("model.optimizer.lr=fast",), ("model.optimizer.lr is 'fast'", "Adam", "a number")),
    "name for a section": (("model.optimizer=adam",), ("model.optimizer is 'adam'", "_target_")),
    "choice of a section": (("split.test=sometimes",), ("split.test is 'sometimes'", "fixed, rotate")),
    "choice of an open group": (
        ("model.network.norm=instance",),
        ("model.network.norm is 'instance'", "'batch' or 'group' or 'layer' or 'none'"),
    ),
    "value missing": (("threshold=fixed",), ("threshold.value has no value yet",)),
    "value out of range": (("threshold.q=1.5",), ("threshold.q is 1.5", "between 0 and 1")),
    "length out of range": (("preprocess=lttb", "preprocess.length=1"), ("preprocess.length is 1", "at least 3")),
    "no epoch": (("trainer.max_epochs=0",), ("trainer.max_epochs is 0", "at least 1")),
    "no batch": (("data.batch_size=0",), ("data.batch_size is 0", "at least 1")),
    "no fold": (("split.folds=1",), ("split.folds is 1", "at least 2", "split=holdout")),
    "fold that does not exist": (("split.only=[2]",), ("split.only is [2]", "0 to 1")),
    "unknown precision": (("trainer.precision=33",), ("trainer.precision is '33'", "32-true")),
    "class in another's place": (("model._target_=ecgan.data.transforms.scaling.MinMax",), ("MinMax", "not a model")),
    "detector without scorer": (("+detector.mine.k=3",), ("detector.mine", "a scorer and a threshold")),
    "section without class": (("model=null",), ("name of one of its files",)),
    "two models in one run": (("model=autoencoder,beatgan",), ("model takes one name", "-m")),
    "list of models": (("model=[autoencoder,beatgan]",), ("takes one name", "-m")),
    "folder above": (("tracker.entity=..",), ("tracker.entity", "'..'")),
    "folder with a slash": (("tracker.project=a/b",), ("tracker.project", "'a/b'")),
    "no setting at all": (("--seed", "3"), ("no flag --seed",)),
    "not key=value": (("seed",), ("'seed'", "key=value")),
}


@pytest.mark.parametrize(("wrong", "parts"), WRONG.values(), ids=WRONG)
def test_wrong_settings_are_refused_before_anything_is_written(
    command: Command, wrong: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    outcome = command("train", *TINY, *wrong)
    outcome.refused(2, *parts)
    assert outcome.out == ""
    assert left_in(command.folder) == []


def test_folders_of_other_runs_stay(command: Command) -> None:
    other = command.folder / "outputs" / "local" / "ecgan" / "other"
    other.mkdir(parents=True)
    command("train", *TINY, "model.network.latent=big").refused(2)
    assert left_in(command.folder) == ["outputs", "outputs/local", "outputs/local/ecgan", "outputs/local/ecgan/other"]


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("train", [*TINY, "model.network.latent=big"], ConfigError),
        ("train", [*TINY, "modl=beatgan"], ConfigError),
        ("train", ["-m", *TINY, "modl=beatgan"], HydraException),
        ("train", [*TINY, "dataset.anomaly_share=1.0"], EcganError),
        ("preprocess", ["dataset=waver"], ConfigError),
        ("detect", ["run=nowhere"], EcganError),
        ("init", ["..", "b", "c"], ConfigError),
    ],
)
def test_the_traceback_is_there_for_those_who_ask(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, arguments: list[str], error: type[Exception]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(error):
        command(name, *arguments)


def test_an_unforeseen_error_is_one_line_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(*_: Any) -> None:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr("ecgan.assembly.open_data", surprise)
    outcome = command("preprocess", *SINE)
    assert outcome.err == (
        "ecgan-preprocess: unexpected ZeroDivisionError: first line second line "
        "(HYDRA_FULL_ERROR=1 shows where; please report it)\n"
    )
    assert outcome.code == 1


def test_an_interrupt_is_silent(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ecgan.assembly.open_data", interrupted)
    outcome = command("train", *TINY)
    assert (outcome.code, outcome.err) == (130, "")
    assert status(only_run(command.folder)) == "interrupted"


def test_fewer_normals_than_folds(command: Command) -> None:
    few = ("dataset.n_series=60", "dataset.anomaly_share=0.9", "split.folds=7", "split.abnormal=test")
    command("train", *TINY, *few, "split.test_size=1").refused(1, "5 normal series cannot fill 7 folds", "split.folds")
    assert status(only_run(command.folder)) == "failed"


def test_no_normals(command: Command) -> None:
    command("train", *TINY, "dataset.anomaly_share=1.0").refused(1, "normal")


def test_a_device_that_is_not_there(command: Command) -> None:
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")
    command("train", *TINY, "trainer=gpu").refused(2, "trainer", "gpu")


def status(run: Path) -> str:
    value: str = json.loads((run / "run.json").read_text(encoding="utf-8"))["status"]
    return value


@pytest.mark.parametrize("where", ["outputs", "outputs/local/ecgan"])
def test_an_unwritable_output_directory(command: Command, where: str) -> None:
    """A file stands where the folder should be; permissions would not stop root."""
    (command.folder / where).parent.mkdir(parents=True, exist_ok=True)
    (command.folder / where).write_text("in the way")
    command("train", *TINY).refused(1, "Cannot write", where, "paths.outputs")
    assert (command.folder / where).read_text() == "in the way"
    assert not (command.folder / "data").exists()


def test_an_unwritable_data_directory(command: Command) -> None:
    (command.folder / "data").write_text("in the way")
    command("preprocess", *SINE).refused(1, "data", "paths.data")
    assert left_in(command.folder) == ["data"]


def full_after(bytes_left: int, write: Callable[..., Any]) -> Callable[..., Any]:
    """A method that writes as long as there is room on a pretended disk."""

    def writing(self: Any, values: Any, place: str) -> None:
        if values.nbytes > bytes_left:
            write(self, values[: len(values) // 2], place)
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, values, place)

    return writing


def test_a_full_disk_while_the_store_is_written(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgan.data.building import _ArrayWriter

    with monkeypatch.context() as patch:
        patch.setattr(_ArrayWriter, "append", full_after(10_000, _ArrayWriter.append))
        command("preprocess", *SINE).refused(1, "The disk is full while writing", "free some space")
    assert [name for name in left_in(command.folder) if not name.endswith(".lock")] == [
        "data",
        "data/sine",
        "data/sine/processed",
    ]
    assert "200 series of sine, 1 x 32 samples" in command("preprocess", *SINE).worked()


def test_a_full_disk_while_the_run_is_written(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgan import experiment

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "write_splits", full)
        command("train", *TINY).refused(1, "The disk is full", "free some space")
    run = only_run(command.folder)
    assert status(run) == "failed"
    command("detect", f"run={run}").refused(1, "is not finished (status: failed)")


def test_a_directory_that_holds_a_run_is_left_as_it_is(command: Command, tiny_run: Path) -> None:
    before = {file: file.read_bytes() for file in tiny_run.rglob("*") if file.is_file()}
    command("train", *TINY, f"hydra.run.dir={tiny_run}", "seed=9").refused(1, "already holds a run")
    command("train", *TINY, f"hydra.run.dir={tiny_run}", "model.network.latent=big").refused(2, "model.network.latent")
    assert {file: file.read_bytes() for file in tiny_run.rglob("*") if file.is_file()} == before
