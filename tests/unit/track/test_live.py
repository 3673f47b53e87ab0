"""Trackers beside a training: what is the same with and without them, and who hears of what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from commands import TINY, Command
from ecgan.config import compose
from ecgan.errors import ConfigError, DivergedError
from ecgan.ownership import owned
from ecgan.track import tracker
from ecgan.track.live import Tracking
from ecgan.track.marks import read
from ecgan.track.record import Record, Row, Status
from ecgan.track.sync import sync
from tracked_runs import with_trackers


class Broken:
    """Writes down what it is asked for and cannot be reached."""

    unbounded: ClassVar[bool] = False
    tried: ClassVar[list[str]] = []

    def open(self, record: Record) -> int:
        self.tried.append(record.name)
        raise ConnectionError("line one\nline two " + 100 * "and more ")

    def metrics(self, first: int, rows: Sequence[Row]) -> None: ...

    def outcome(self, record: Record, status: Status) -> None: ...

    def close(self, status: Status) -> None: ...


@pytest.fixture
def tracking(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tracking:
    """One tracker that fails."""
    run = with_trackers(tiny_run, tmp_path)
    Broken.tried.clear()
    found = Tracking(compose(), run, Console())
    found.trackers = {"broken": Broken}
    return found


def test_one_that_fails_is_told_of_once_and_left_alone(
    tracking: Tracking, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for number in (0, 1):
        with tracking.fold(number):
            pass
    assert Broken.tried == ["fold_0"]
    out = capsys.readouterr().out
    assert out.count("Warning: not everything was sent to broken (ConnectionError: line one line two and") == 1
    assert f"ecgan-report --sync {tracking.run}" in out
    assert len(out) < 600
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert [marks["broken"]["sent"] for marks in read(tracking.run).values()] == [False, False]


@pytest.mark.parametrize("error", [DivergedError("diverged"), KeyboardInterrupt()])
def test_what_ends_a_fold_goes_through(tracking: Tracking, error: BaseException) -> None:
    with pytest.raises(type(error)), tracking.fold(0):
        raise error


def test_a_damaged_file_of_metrics_ends_nothing(tracking: Tracking) -> None:
    (tracking.run / "fold_0" / "lightning" / "metrics.csv").write_text("epoch,step\nx,y\n", encoding="utf-8")
    with tracking.fold(0) as callbacks:
        callbacks[0].on_train_epoch_start(None, None)  # type: ignore[arg-type]
    assert tracking.failed


def test_results_are_the_same_bytes_with_trackers_and_without(command: Command) -> None:
    several = ("tracker=[tensorboard,wandb,mlflow]", "tracker.backends.wandb.mode=offline", "tracker.artifact=true")
    away = ("tracker.backends.mlflow.url=http://127.0.0.1:9", "tracker.backends.mlflow.timeout_s=1")
    for name, settings in {"none": (), "several": (*several, *away)}.items():
        command("train", *TINY, f"hydra.run.dir={name}", *settings).worked()
    files = [Path("results.csv"), *(Path(f"fold_{k}/detection/knn/predictions.csv") for k in (0, 1))]
    assert [("none" / file).read_bytes() for file in files] == [("several" / file).read_bytes() for file in files]
    assert not Path("none/tracking.json").exists()
    sent = {name: mark["sent"] for name, mark in read(Path("several"))["fold_1"].items()}
    assert sent == {"tensorboard": True, "wandb": True, "mlflow": False}


@pytest.mark.parametrize("name", ["wandb", "mlflow", "tensorboard"])
def test_a_missing_package_is_told_before_anything_is_done(
    command: Command, monkeypatch: pytest.MonkeyPatch, tiny_run: Path, tmp_path: Path, name: str
) -> None:
    run = with_trackers(tiny_run, tmp_path, f"tracker={name}")
    monkeypatch.setattr(tracker, "find_spec", {}.get)
    command("train", *TINY, f"tracker=[local,{name}]").refused(2, f"pip install 'ecgan[{name}]'")
    command("report", "--sync", str(run)).refused(2, f"pip install 'ecgan[{name}]'")
    command("detect", f"run={run}").worked()  # tells nobody


def test_sync_of_runs_that_are_not_over(tiny_run: Path, tmp_path: Path) -> None:
    run = with_trackers(tiny_run, tmp_path, "tracker=tensorboard")
    facts = (run / "run.json").read_text(encoding="utf-8")
    (run / "run.json").write_text(facts.replace('"status": "finished"', '"status": "running"', 1), encoding="utf-8")
    assert sync(["--sync", str(run.parent)]).sent == 2, "both folds are over, the run is not"
    assert not (run / "tensorboard").exists()
    (run / "run.json").write_text(facts, encoding="utf-8")
    assert sync([str(run.parent), "--sync"]).sent == 1


def test_sync_leaves_runs_at_work_alone(tiny_run: Path, tmp_path: Path) -> None:
    run = with_trackers(tiny_run, tmp_path, "tracker=tensorboard")
    with owned(run):
        assert sync(["--sync", str(run.parent)]).sent == 0
    assert not (run / "tracking.json").exists()
    assert sync(["--sync", str(run.parent)]).sent == 3


def test_sync_goes_on_after_a_damaged_run(tiny_run: Path, tmp_path: Path) -> None:
    damaged = with_trackers(tiny_run, tmp_path / "a", "tracker=tensorboard")
    whole = with_trackers(tiny_run, tmp_path / "b", "tracker=tensorboard")
    (damaged / "run.json").write_text("{", encoding="utf-8")
    done = sync(["--sync", str(tmp_path)])
    assert done.sent == 3
    assert (whole / "tracking.json").is_file()
    (why,) = done.failed
    assert f"nothing of {damaged} was sent" in why


def test_sync_of_nothing(command: Command, tiny_run: Path) -> None:
    command("report", "--sync").refused(2, "Which runs?")
    command("report", "--sync", "nowhere").refused(1, "nowhere")
    assert command("report", "--sync", str(tiny_run)).worked() == "Nothing was sent.\n"


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["tracker=[wandb,wandb]"], "names 'wandb' twice"),
        (["tracker.backends.wandb.mode=offline"], "tracker.backends"),
        (["tracker=wandb", "tracker.backends.wandb.mode=sideways"], "'online' or 'offline'"),
        (["tracker=mlflow", "tracker.backends.mlflow.uri=x"], "did you mean 'url'"),
        (["+tracker.backends.other={_target_: ecgan.detect.scorers.KNearest}"], "is not a tracker"),
        (["tracker.wait_s=0"], "tracker.wait_s"),
    ],
)
def test_wrong_settings(overrides: list[str], parts: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(parts)):
        compose(overrides)


def test_a_tracker_on_the_command_line_leaves_the_place_in_a_file_alone(command: Command) -> None:
    command("init", "me", "beats", "first", "-d", "sine").worked()
    cfg = compose(["tracker=tensorboard"], Path("config.yml"))
    assert [cfg.tracker[key] for key in ("entity", "project", "experiment")] == ["me", "beats", "first"]
    assert list(cfg.tracker.backends) == ["tensorboard"]
