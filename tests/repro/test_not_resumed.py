"""Runs that a full disk, too little memory or damage has stopped: one sentence, and they go on when that is mended."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import SINE, TINY, Command
from ecgan import experiment
from ecgan import fold as folds
from ecgan.experiment import resume
from ecgan.interruption import StopsWhenAsked
from ecgan.ownership import is_owned, owned
from ecgan.provenance import read_facts
from ecgan.track.going_on import epochs_of

SETTINGS = (
    *SINE,
    "trainer=smoke",
    "trainer.max_epochs=3",
    "trainer.figures=false",
    "split=holdout",
    "detector=[knn]",
    "generation.n=0",
    "hydra.run.dir=run",
)
RUN, LAST = Path("run"), Path("run", "fold_0", folds.LAST)


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """``results.csv`` of an undisturbed run."""
    from ecgan.config import compose
    from ecgan.experiment import run

    folder = tmp_path_factory.mktemp("whole")
    settings = [*(word for word in SETTINGS if not word.startswith("hydra.")), f"paths.data={folder}"]
    run(compose(settings), folder / "run")
    return (folder / "run" / "results.csv").read_bytes()


def stop_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first training step of the second epoch end with an error."""

    def fail(_: Any, trainer: Any, *__: Any) -> None:
        if trainer.current_epoch == 1:
            raise error

    monkeypatch.setattr(StopsWhenAsked, "on_train_batch_end", fail)


@pytest.fixture
def stopped(command: Command) -> Path:
    """A run that was stopped in its second epoch."""
    with pytest.MonkeyPatch.context() as patch:
        stop_with(MemoryError(), patch)
        out = command("train", *SETTINGS).out
    assert f"go on with: ecgan-train resume={command.folder / 'run'}" in out
    assert read_facts(RUN)["status"] == "failed"
    return command.folder / "run"


def test_trackers_hear_of_what_is_done_after_an_interruption(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*TINY, "tracker=tensorboard", "hydra.run.dir=run")
    with monkeypatch.context() as patch:
        fold = experiment.run_fold

        def first_only(cfg: Any, store: Any, given: Any, *rest: Any) -> None:
            if given.number:
                raise KeyboardInterrupt
            fold(cfg, store, given, *rest)

        patch.setattr(experiment, "run_fold", first_only)
        assert command("train", *words).code == 130
    assert sent(command.folder / "run") == {"fold_0"}
    command("train", "resume=run").worked()
    assert sent(command.folder / "run") == {"fold_0", "fold_1", "summary"}


def sent(run: Path) -> set[str]:
    marks = json.loads((run / "tracking.json").read_text(encoding="utf-8"))
    return {name for name, trackers in marks.items() if trackers["tensorboard"]["sent"]}


def test_after_too_little_memory_it_goes_on(stopped: Path, command: Command, results: bytes) -> None:
    assert "goes on after epoch 1" in command("train", f"resume={stopped}").worked()
    assert (stopped / "results.csv").read_bytes() == results


def test_a_full_disk_leaves_the_last_whole_checkpoint(
    command: Command, results: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Path.write_bytes

    def write(path: Path, content: Any) -> int:
        if path.name.startswith(".last.ckpt") and LAST.exists():
            usual(path, bytes(content)[:1000])
            raise full()
        return usual(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        outcome = command("train", *SETTINGS)
    outcome.refused(1, "The disk is full while writing", "last.ckpt; free some space")
    assert f"go on with: ecgan-train resume={command.folder / 'run'}" in outcome.out
    assert read_facts(RUN)["status"] == "failed"
    assert epochs_of(LAST) == 1
    assert not list(RUN.rglob("*.part"))
    assert "goes on after epoch 1" in command("train", "resume=run").worked()
    assert (RUN / "results.csv").read_bytes() == results


def test_a_disk_so_full_that_nothing_at_all_is_written(
    command: Command, results: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, began = Path.open, []

    def refuse(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if path.name.startswith(".last.ckpt") and LAST.exists():
            began.append(path)
        if began and "w" in mode:
            raise full()
        return usual(path, mode, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        patch.setattr("ecgan.provenance._Log.flush", lambda _: (_ for _ in ()).throw(full()) if began else None)
        outcome = command("train", *SETTINGS)
    outcome.refused(1, "The disk is full while writing")
    assert "go on with: ecgan-train resume=" in outcome.out
    assert read_facts(RUN)["status"] == "running"
    assert not is_owned(RUN)
    command("train", "resume=run").worked()
    assert (RUN / "results.csv").read_bytes() == results


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda run: (run / "run.json").write_bytes(b""), "run.json is damaged"),
    "torn": (lambda run: (run / "run.json").write_bytes(b'{"status": "inter'), "run.json is damaged"),
    "binary": (lambda run: (run / "run.json").write_bytes(bytes(range(256))), "run.json is damaged"),
    "no facts": (lambda run: (run / "run.json").write_bytes(b"[]"), "run.json is damaged"),
    "no run.json": (lambda run: (run / "run.json").unlink(), "is no run directory"),
    "no config": (lambda run: shutil.rmtree(run / ".hydra"), "is no run directory"),
    "config": (lambda run: (run / ".hydra" / "config.yaml").write_bytes(b"seed: [\x00"), "config.yaml"),
    "later detection": (lambda run: _change(run, detection_of="elsewhere"), "is a later detection"),
    "other data": (lambda run: _change(run, splits="0" * 64), "are not what they were; start a new run"),
    "checkpoint": (lambda _: LAST.write_bytes(LAST.read_bytes()[:-2000]), "last.ckpt is damaged"),
    "empty checkpoint": (lambda _: LAST.write_bytes(b""), "last.ckpt is damaged"),
}


def _change(run: Path, **facts: Any) -> None:
    (run / "run.json").write_text(json.dumps(read_facts(run) | facts), encoding="utf-8")


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_sentence(damage: str, stopped: Path, command: Command) -> None:
    wreck, told = DAMAGE[damage]
    weights, divided = LAST.read_bytes(), (RUN / "splits.json").read_bytes()
    wreck(stopped)
    outcome = command("train", "resume=run")
    outcome.refused(outcome.code, told)
    assert outcome.code in (1, 2)
    assert "go on with" not in outcome.out
    assert (RUN / "splits.json").read_bytes() == divided
    if "checkpoint" in damage:
        LAST.unlink()
        command("train", "resume=run").worked()
    else:
        assert LAST.read_bytes() == weights


@pytest.mark.parametrize("place", ["nowhere", "", "file"])
def test_what_is_no_run_is_refused(place: str, command: Command) -> None:
    Path("file").touch()
    command("train", f"resume={place or '.'}").refused(1, "is no run directory")
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_who_has_waited_for_the_end_of_a_run_finds_it_finished(
    stopped: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finishes the run between the first look at it and the moment at which it is free."""
    with monkeypatch.context() as patch:
        patch.setattr("ecgan.experiment.owned", lambda directory: (resume_first(directory), owned(directory))[1])

        def resume_first(directory: Path) -> None:
            patch.undo()
            resume(directory)

        assert "is finished already" in command("train", f"resume={stopped}").worked()
    assert len(read_facts(stopped)["resumed"]) == 1
