"""The console scripts as a whole: help, runs, files as first argument, sweeps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from commands import SINE, TINY, Command, clean_environment, left_in, only_run
from ecgan.usage import GROUPS, options

SCRIPTS = ("train", "preprocess", "detect", "generate", "publish", "report", "init")
QUICK = (*TINY, "split.only=[0]")


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_says_how_to_call_it(command: Command, name: str, flag: str) -> None:
    out = command(name, flag).worked()
    assert f"ecgan-{name}" in out
    assert max(map(len, out.splitlines())) <= 120
    assert left_in(command.folder) == []


def test_help_of_train_lists_every_choice(command: Command) -> None:
    out = command("train", "--help").worked()
    assert all(name in out for group in GROUPS for name in (group, *options(group)))


def test_help_wins_over_wrong_settings(command: Command) -> None:
    assert "Groups" in command("train", "modl=x", "--help").worked()


def test_help_imports_nothing_heavy() -> None:
    """One fresh process asks all scripts for help and counts what it had to import."""
    program = """
import sys
from ecgan import cli
for name in ("train", "preprocess", "detect", "generate", "publish", "report", "init"):
    sys.argv = [f"ecgan-{name}", "--help"]
    try:
        getattr(cli, name)()
    except SystemExit as stop:
        assert not stop.code
heavy = {"torch", "hydra", "omegaconf", "numpy", "pandas", "pytorch_lightning", "matplotlib", "sklearn", "rich"}
print("HEAVY", sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert done.stderr == ""


def test_a_wrong_setting_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user's shell sees: one line, an exit code, and an untouched folder."""
    program = "from ecgan.cli import train; train()"
    clean_environment(monkeypatch)
    call = [sys.executable, "-c", program, "modl=x"]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ecgan-train: There is no setting 'modl'; did you mean 'model'?\n"
    assert left_in(tmp_path) == []


def test_a_run_ends_with_its_table_and_directory(command: Command) -> None:
    out = command("train", *QUICK).worked()
    run = only_run(command.folder / "outputs" / "local" / "ecgan" / "default")
    assert out.rstrip().endswith(f"Run directory: {run}")
    assert "AUROC" in out
    assert "knn" in out


def test_a_run_of_a_model_that_generates_ends_with_a_second_table(command: Command) -> None:
    out = command("train", *QUICK, "model=dcgan", "generation.n=20", "generation.bootstrap=2").worked()
    assert out.index("Generated series, one fold") < out.index("Test results, one fold")
    table = out[out.index("Generated series") : out.index("Test results")]
    assert "real" in table
    for metric in ("mmd", "frechet", "recall", "memorized"):
        assert metric in table


def test_a_run_keeps_what_composed_it(command: Command) -> None:
    command("train", *QUICK, "model.network.latent=5").worked()
    run = only_run(command.folder)
    assert {file.name for file in (run / ".hydra").iterdir()} == {"config.yaml", "overrides.yaml", "hydra.yaml"}
    assert yaml.safe_load((run / ".hydra" / "overrides.yaml").read_text()) == [*QUICK, "model.network.latent=5"]
    assert yaml.safe_load((run / ".hydra" / "config.yaml").read_text())["model"]["network"]["latent"] == 5
    assert "run" in yaml.safe_load((run / ".hydra" / "hydra.yaml").read_text())["hydra"]


def test_a_run_records_the_command_as_it_was_given(command: Command) -> None:
    command("init", "me", "p", "e", "-d", "sine", "-o", "my.yml").worked()
    command("train", "my.yml", *QUICK).worked()
    facts = json.loads((only_run(command.folder) / "run.json").read_text())
    assert facts["command"].startswith("ecgan-train my.yml dataset=sine ")
    assert facts["status"] == "finished"


def test_a_command_leaves_the_process_as_it_was(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    command("train", *QUICK, "model.network.latent=big").refused(2)
    command("train", *QUICK, "+model.foo=1", "-m").failed_jobs(1, 1, "no setting 'foo'")
    assert os.environ["HYDRA_FULL_ERROR"] == "0"
    assert Path.cwd() == command.folder
    assert sys.argv[0] == "ecgan-train"
    assert "-m" in sys.argv


def test_a_runs_own_config_runs_again(command: Command, tiny_run: Path) -> None:
    """A directory holds all that is needed: its config alone gives the same predictions."""
    command("train", str(tiny_run / ".hydra" / "config.yaml")).worked()
    again = only_run(command.folder)
    assert again != tiny_run
    predictions = sorted(file.relative_to(again) for file in again.rglob("predictions.csv"))
    assert len(predictions) == 2
    for name in predictions:
        assert (again / name).read_bytes() == (tiny_run / name).read_bytes()


def test_groups_of_the_command_line_replace_sections_of_a_runs_config(command: Command, tiny_run: Path) -> None:
    file = str(tiny_run / ".hydra" / "config.yaml")
    command(
        "train", file, "model=lstm_autoencoder", "model.network.patch=4", "detector=[pca]", "split.only=[0]"
    ).worked()
    run = only_run(command.folder)
    cfg = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    assert cfg["model"]["network"]["_target_"].endswith(".LSTMAutoencoderNet")
    assert cfg["model"]["network"]["patch"] == 4
    assert list(cfg["detector"]) == ["pca"]
    assert cfg["dataset"]["n_series"] == 200


def test_preprocess_prints_what_it_stored(command: Command) -> None:
    first = command("preprocess", *SINE).worked()
    assert "200 series of sine, 1 x 32 samples, no sampling rate (normal 160, noise 20, superimposed 20)" in first
    store = Path(first.rpartition("Store: ")[2].strip())
    before = (store / "data.npy").stat().st_mtime_ns
    assert command("preprocess", *SINE).worked() == first
    assert (store / "data.npy").stat().st_mtime_ns == before


def test_two_preprocessings_coexist(command: Command) -> None:
    command("preprocess", *SINE).worked()
    out = command("preprocess", *SINE, "preprocess=interpolate", "preprocess.length=20").worked()
    assert "200 series of sine, 1 x 20 samples" in out
    assert len(list((command.folder / "data" / "sine" / "processed").glob("*/manifest.json"))) == 2


def test_cfg_shows_the_config_and_runs_nothing(command: Command) -> None:
    out = command("train", *SINE, "--cfg", "job", "seed=7").worked()
    assert yaml.safe_load(out)["seed"] == 7
    assert left_in(command.folder) == []


def test_waiting_threads_soon_sleep_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spinning ones crawl where another program wants the cores; torch must not have been loaded before."""
    code = (
        "import sys, os, ecgan.cli as cli; "
        "cli._guarded('x', lambda _: print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules))"
    )
    for given, expected in (
        ({}, "1000 False"),
        ({"GOMP_SPINCOUNT": "7"}, "7 False"),
        ({"OMP_WAIT_POLICY": "active"}, "None False"),
    ):
        for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
