"""``ecgan-train -m``: jobs in folders of their own, found again by the same command."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import TINY, Command, left_in
from ecgan import experiment
from ecgan.errors import DataError, IncompleteError, RunError
from ecgan.sweep import execution
from finished_runs import write_run

QUICK = (*TINY, "split.only=[0]", "trainer.threads=1")
PROGRAM = "from ecgan.cli import train; train()"
VALUES = {"knn": {"auroc": [0.75]}}


def sweep_in(folder: Path) -> Path:
    """The one sweep directory below a folder."""
    (found,) = {file.parent.parent for file in folder.rglob("job.json")}
    return found


def jobs_in(folder: Path) -> dict[str, dict[str, Any]]:
    """``job.json`` of all jobs, by the first part of their folders' names."""
    files = sorted(sweep_in(folder).glob("*/job.json"))
    return {file.parent.name.rpartition("-")[0]: json.loads(file.read_text()) for file in files}


def results_of(folder: Path) -> list[dict[str, str]]:
    with (sweep_in(folder) / "sweep_results.csv").open() as stream:
        return list(csv.DictReader(stream))


def predictions(folder: Path) -> dict[str, bytes]:
    files = sorted(sweep_in(folder).rglob("predictions.csv"))
    return {str(file.relative_to(sweep_in(folder))): file.read_bytes() for file in files}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Puts a run that is finished at once in the place of the real one; seed 3 fails. Names of what was executed."""
    names: list[str] = []

    def run(cfg: Any, directory: Path, *_: Any) -> None:
        names.append(directory.name.rpartition("-")[0])
        if cfg.seed == 3:
            raise DataError("The data are away; fetch them.")
        write_run(directory, VALUES, seed=cfg.seed, facts={"detectors": ["knn"]})

    monkeypatch.setattr(experiment, "run", run)
    return names


def test_each_value_gets_a_run(command: Command) -> None:
    out = command("train", *QUICK[:2], "--multirun", *QUICK[2:], "model=autoencoder,vae").worked()
    assert "Sweep of 2 job(s) (2 to run)" in out
    assert list(jobs_in(command.folder)) == ["model-autoencoder", "model-vae"]
    models = {}
    for file in sweep_in(command.folder).glob("*/run.json"):
        assert json.loads(file.read_text())["status"] == "finished"
        assert {path.name for path in (file.parent / ".hydra").iterdir()} == {
            "config.yaml",
            "overrides.yaml",
            "hydra.yaml",
        }
        cfg = yaml.safe_load((file.parent / ".hydra" / "config.yaml").read_text())
        models[file.parent.name.rpartition("-")[0]] = cfg["model"]["_target_"].rpartition(".")[2]
    assert models == {"model-autoencoder": "Autoencoder", "model-vae": "VAE"}
    rows = results_of(command.folder)
    assert [(row["status"], row["model"]) for row in rows] == [("finished", "autoencoder"), ("finished", "vae")]
    assert all(0 <= float(row["test/knn/auroc"]) <= 1 and float(row["val/loss"]) > 0 for row in rows)


def test_the_same_command_again_does_nothing_again(command: Command, ran: list[str]) -> None:
    first = command("train", "-m", *QUICK, "seed=0,1").worked()
    assert ran == ["seed-0", "seed-1"]
    assert "auroc of knn (test) 0.750" in first
    before = {name: Path(name).stat().st_mtime_ns for name in left_in(command.folder) if name.endswith(".json")}
    again = command("train", "-m", *QUICK, "seed=0,1").worked()
    assert ran == ["seed-0", "seed-1"]
    assert "Sweep of 2 job(s) (2 finished)" in again
    assert {name: Path(name).stat().st_mtime_ns for name in left_in(command.folder) if name.endswith(".json")} == before


def test_what_is_volatile_finds_the_same_jobs(command: Command, ran: list[str]) -> None:
    command("train", "-m", *QUICK, "seed=0,1").worked()
    more = ("trainer.threads=2", "trainer.progress_bar=true", "preprocess.workers=1", "sweep.retries=5")
    command("train", "-m", "seed=0,1", *QUICK[:-1], *more).worked()
    assert ran == ["seed-0", "seed-1"]


def test_a_named_sweep_can_grow(command: Command, ran: list[str]) -> None:
    command("train", "-m", *QUICK, "sweep.name=mine", "seed=0").worked()
    command("train", "-m", *QUICK, "sweep.name=mine", "seed=0,1,2").worked()
    assert ran == ["", "seed-1", "seed-2"]
    assert sweep_in(command.folder).name == "sweep_mine"
    assert len(results_of(command.folder)) == 3


def test_a_failed_job_does_not_end_the_sweep_and_is_tried_again_a_few_times(command: Command, ran: list[str]) -> None:
    arguments = ("train", "-m", *QUICK, "seed=2,3,4", "sweep.retries=1")
    for attempt in (1, 2):
        outcome = command(*arguments)
        outcome.failed_jobs(1, 3, "[", "seed-3", "The data are away; fetch them.")
        assert jobs_in(command.folder)["seed-3"]["failures"] == attempt
    assert ran == ["seed-2", "seed-3", "seed-4", "seed-3"]
    given_up = command(*arguments)
    given_up.refused(1, "1 of 3 jobs failed", "a larger sweep.retries tries them again")
    assert len(ran) == 4
    row = results_of(command.folder)[1]
    assert (row["status"], row["failures"], row["error"]) == ("failed", "2", "The data are away; fetch them.")
    command(*arguments[:-1], "sweep.retries=2")
    assert len(ran) == 5


def test_a_wrong_config_fails_its_job_only(command: Command, ran: list[str]) -> None:
    outcome = command("train", "-m", *QUICK, "data.batch_size=0,8")
    outcome.failed_jobs(1, 2, "batch_size-0", "data.batch_size is 0 but must be at least 1")
    assert ran == ["batch_size-8"]


def test_real_failures_are_counted_too(command: Command) -> None:
    outcome = command("train", *QUICK, "-m", "model.network.latent=-1,3")
    outcome.failed_jobs(1, 2, "latent--1", "latent is -1 but must be at least 1")
    again = command("train", *QUICK, "-m", "model.network.latent=-1,3")
    again.failed_jobs(1, 2, "latent--1", "latent is -1 but must be at least 1")
    assert {name: job["failures"] for name, job in jobs_in(command.folder).items()} == {"latent--1": 2, "latent-3": 0}


def interrupting(fold: Callable[..., None], at: int) -> Callable[..., None]:
    """A fold that is interrupted after it has run, at the n-th call."""
    calls = []

    def run_fold(*given: Any) -> None:
        calls.append(given)
        fold(*given)
        if len(calls) == at:
            raise KeyboardInterrupt

    return run_fold


def test_a_job_that_cannot_even_begin_is_told_of(
    command: Command, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_directory: Path) -> None:
        raise RunError("There is no place for a lock here; use another folder.")

    monkeypatch.setattr(execution, "claimed", no_locks)
    command("train", "-m", *QUICK, "seed=0,1").refused(1, "There is no place for a lock here")
    assert ran == []


def test_jobs_that_nobody_finishes_are_told_of(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after another process of the sweep was killed, while this one left its job to it."""
    monkeypatch.setattr(execution, "execute", lambda *_: None)
    command("train", "-m", *QUICK, "seed=0,1").refused(1, "2 of 2 jobs were left unfinished; the same command goes on")


def test_folds_that_worked_of_a_job_that_failed_are_in_the_results(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(cfg: Any, directory: Path, *_: Any) -> None:
        write_run(directory, VALUES, seed=cfg.seed, facts={"detectors": ["knn"], "status": "incomplete"})
        raise IncompleteError("fold 1 failed: it diverged.")

    monkeypatch.setattr(experiment, "run", run)
    command("train", "-m", *QUICK, "seed=0,1").failed_jobs(2, 2, "fold 1 failed")
    assert [row["test/knn/auroc"] for row in results_of(command.folder)] == ["0.75", "0.75"]


def test_an_interrupted_job_goes_on(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "run_fold", interrupting(experiment.run_fold, 2))
        assert command("train", "-m", *QUICK, "seed=0,1,2").code == 130
    statuses = {row["job"].rpartition("-")[0]: row["status"] for row in results_of(command.folder)}
    assert statuses["seed-0"] == "finished"
    out = command("train", "-m", *QUICK, "seed=0,1,2").worked()
    assert "1 finished, 1 left unfinished, 1 to run" in out
    found = predictions(command.folder / "outputs")
    assert len(found) == 3
    undisturbed = command.folder / "undisturbed"
    command("train", "-m", *QUICK, "seed=0,1,2", f"paths.outputs={undisturbed}").worked()
    assert predictions(undisturbed) == found


def test_a_sweep_with_a_misspelt_choice_never_begins(command: Command) -> None:
    outcome = command("train", "-m", *QUICK, "model=autoencoder,beatgam")
    outcome.refused(2, "no model named 'beatgam'", "did you mean 'beatgan'?")
    assert not list(command.folder.rglob("job.json"))
    assert not (command.folder / "data").exists()


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("model.network.latent=interval(2,4)", ("no finite number of values", "hydra/sweeper=optuna")),
        ("sweep=seeds,autoencoders", ("sweep names one file",)),
        ("sweep.name=a/b", ("sweep.name becomes a folder",)),
    ],
)
def test_what_cannot_be_swept_is_refused(command: Command, word: str, parts: tuple[str, ...]) -> None:
    outcome = command("train", "-m", *QUICK, word, "seed=0,1")
    assert all(part in outcome.err + outcome.out for part in parts)
    assert outcome.code != 0
    assert not list(command.folder.rglob("run.json"))


def test_files_hold_whole_sweeps(command: Command, ran: list[str]) -> None:
    command("train", *QUICK, "sweep=seeds", "seed=range(3)").worked()
    assert ran == ["seed-0", "seed-1", "seed-2"]
    assert sweep_in(command.folder).name.startswith("sweep_seeds_seed-")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("ECGAN_MIRROR", "OMP_NUM_THREADS")}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_at_the_same_moment_run_no_job_twice(tmp_path: Path) -> None:
    both = [start(tmp_path, "-m", *QUICK, "seed=range(4)") for _ in range(2)]
    outs = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert sum(out.count(": finished in ") for out, _ in outs) == 4
    assert sum(out.count("Autoencoder on") for out, _ in outs) == 4
    assert [row["status"] for row in results_of(tmp_path)] == ["finished"] * 4


def test_joblib_runs_jobs_in_two_processes(tmp_path: Path) -> None:
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    process = start(tmp_path, "-m", *QUICK[:-1], "model.network.latent=-1,3", "seed=0,1", *launcher)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert err.splitlines()[-1].startswith("ecgan-train: 2 of 4 jobs failed;")
    assert sorted(row["status"] for row in results_of(tmp_path)) == ["failed", "failed", "finished", "finished"]
    assert len(re.findall(r": (?:failed|finished) in ", out)) == 4
    for file in sweep_in(tmp_path).rglob("config.yaml"):
        assert yaml.safe_load(file.read_text())["trainer"]["threads"] == max(1, len(os.sched_getaffinity(0)) // 2)
