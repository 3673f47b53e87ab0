"""``hydra/sweeper=optuna``: trials that resume, are pruned, and are judged by the validation part only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from commands import TINY, Command, left_in
from ecgan import experiment
from ecgan.errors import RunError
from ecgan.sweep.objective import Objective, objective
from ecgan.sweep.study import JOURNAL, open_study

QUICK = (*TINY, "split.only=[0]", "trainer.threads=1")
SEARCH = ("-m", "hydra/sweeper=optuna", "model.optimizer.lr=tag(log,interval(0.0001,0.1))", "model.network.latent=2,4")
THRESHOLD = ("hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner", "+hydra.sweeper.pruner.upper=0.0")


def folder_of(command: Command) -> Path:
    (journal,) = command.folder.rglob(JOURNAL)
    return journal.parent


def test_trials_are_counted_over_commands(command: Command) -> None:
    first = command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=2").worked()
    assert "Best val/loss" in first
    command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=3").worked()
    sweep = folder_of(command)
    trials = open_study(sweep, "minimize", None).get_trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert len({trial.params["model.optimizer.lr"] for trial in trials}) == 3, "a command that goes on draws anew"
    by_rate = {}
    for file in sweep.glob("*/job.json"):
        words = dict(word.partition("=")[::2] for word in json.loads(file.read_text())["overrides"])
        by_rate[float(words["model.optimizer.lr"])] = objective("val/loss", None, ()).of(file.parent)
    assert by_rate == {trial.params["model.optimizer.lr"]: trial.value for trial in trials}
    for figure in ("optuna_history.png", "optuna_importance.png"):
        assert (sweep / figure).read_bytes().startswith(b"\x89PNG")
    again = command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=3").worked()
    assert "Autoencoder on" not in again


@pytest.mark.slow
def test_two_processes_share_a_study(tmp_path: Path) -> None:
    """Given at the same moment, the same command twice makes the trials that were asked for, each of them once."""
    words = [*QUICK, *SEARCH, "hydra.sweeper.n_trials=6"]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", "from ecgan.cli import train; train()", *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outs = [process.communicate(timeout=600) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    (journal,) = tmp_path.rglob(JOURNAL)
    trials = open_study(journal.parent, "minimize", None).get_trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 6
    jobs = [json.loads(file.read_text(encoding="utf-8")) for file in journal.parent.glob("*/job.json")]
    assert [job["failures"] for job in jobs] == [0] * 6
    assert sum(out.count(": finished in ") for out, _ in outs) == 6


def test_an_interrupted_trial_is_settled_by_the_next_command(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "run_fold", killed)
        assert command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=1").code == 130
    (begun,) = open_study(folder_of(command), "minimize", None).get_trials()
    assert begun.state.name == "RUNNING"
    command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=1").worked()
    (settled,) = open_study(folder_of(command), "minimize", None).get_trials()
    assert (settled.state.name, settled.params) == ("COMPLETE", begun.params)


@pytest.mark.parametrize("other", ["dataset.n_series=220", "hydra.sweeper.objective=val/knn/auroc"])
def test_a_study_of_something_else_is_not_gone_on_with(other: str, command: Command) -> None:
    named = (*QUICK, *SEARCH, "sweep.name=mine", "hydra.sweeper.n_trials=1")
    command("train", *named).worked()
    command("train", *named, other).refused(2, "give another sweep.name")
    assert "Best val/loss" in command("train", *named).worked()


def test_a_trial_is_given_up_when_the_pruner_says_so(command: Command) -> None:
    out = command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=1", *THRESHOLD).worked()
    assert ": pruned in " in out
    (trial,) = open_study(folder_of(command), "minimize", None).get_trials()
    assert trial.state.name == "PRUNED"
    assert list(trial.intermediate_values) == [0]
    assert not list(command.folder.rglob("predictions.csv"))
    again = command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=1", *THRESHOLD).worked()
    assert ": pruned in " not in again


def test_a_trial_without_a_value_does_not_end_the_search(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def undefined(*_: object) -> float:
        raise RunError("It has no value of val/loss.")

    with monkeypatch.context() as patch:
        patch.setattr(Objective, "of", undefined)
        shown = command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=2").worked()
    assert shown.count("It has no value of val/loss.") == 2
    command("train", *QUICK, *SEARCH, "hydra.sweeper.n_trials=3").worked()
    trials = open_study(folder_of(command), "minimize", None).get_trials()
    assert [trial.state.name for trial in trials] == ["FAIL", "FAIL", "COMPLETE"]


def test_a_failed_trial_is_tried_again_and_then_counts_as_failed(command: Command) -> None:
    arguments = ("train", *QUICK, "-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", "sweep.retries=1")
    space = "model.network.latent=choice(-1)"
    for state in ("RUNNING", "FAIL"):
        command(*arguments, space).failed_jobs(1, 1, "latent is -1")
        (trial,) = open_study(folder_of(command), "minimize", None).get_trials()
        assert trial.state.name == state


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("test/loss", ("may see the validation part only", "'test/loss'")),
        ("test/knn/auroc", ("may see the validation part only",)),
        ("val/pca/auroc", ("the detectors are knn",)),
        ("val/knn/f1", ("only auroc and average_precision",)),
    ],
)
def test_what_is_no_validation_objective_is_refused(command: Command, name: str, parts: tuple[str, ...]) -> None:
    command("train", *QUICK, *SEARCH, f"hydra.sweeper.objective={name}").refused(2, *parts)
    assert left_in(command.folder) == []


def test_nothing_to_search_for_is_refused(command: Command) -> None:
    command("train", *QUICK, "-m", "hydra/sweeper=optuna").refused(2, "Nothing is searched for")


def test_scores_of_a_detector_on_the_validation_part_can_be_searched_for(command: Command) -> None:
    aim = "hydra.sweeper.objective=val/knn/auroc"
    out = command("train", *QUICK, "sweep=random_search", "hydra.sweeper.n_trials=1", aim).worked()
    (trial,) = open_study(folder_of(command), "maximize", None).get_trials()
    assert trial.value is not None
    assert 0 <= trial.value <= 1
    assert f"Best val/knn/auroc: {trial.value:.6g}" in out
