"""One training over two devices: the curve of one, complete scores, and nothing that outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import PATIENCE_S, Command, begun
from ecgan.devices import PROGRAM

SETTINGS = (
    "dataset=sine",
    "dataset.n_series=303",  # in batches of 16, the last ones of all parts are odd
    "dataset.seq_len=32",
    "data.batch_size=15",
    "data.eval_batch_size=20",  # the validation part has 61 series, 31 of them normal
    "split=holdout",
    "trainer=smoke",
    "trainer.accelerator=cpu",
    "trainer.limit_train_batches=1.0",
    "trainer.max_epochs=3",
    "trainer.threads=1",
    "detector=[reconstruction,pca]",
    "generation.n=0",
    "paths.mirror=null",
)
EXACT = ("model=autoencoder", "model.network.norm=group", "model.network.width=4")
"""No noise, and no statistics of a batch: what a series gives does not depend on where it is computed."""
TWO = "trainer.devices=2"
LONG = (*SETTINGS, *EXACT, TWO, "trainer.max_epochs=100000")


def log_of(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "fold_0" / "lightning" / "metrics.csv")


def assisting() -> list[int]:
    """Processes that help others to train, whoever started them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if PROGRAM.encode() in words:
            found.append(int(folder.name))
    return found


def gone(process: int) -> bool:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if process not in assisting():
            return True
        time.sleep(0.1)
    return False


def helper_of(process: subprocess.Popen[str]) -> int:
    found = [
        number
        for number in assisting()
        if f"\nPPid:\t{process.pid}\n" in Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    ]
    assert len(found) == 1
    return found[0]


def test_two_devices_train_as_one(command: Command) -> None:
    command("train", *SETTINGS, *EXACT, "hydra.run.dir=one").worked()
    shown = command("train", *SETTINGS, *EXACT, TWO, "hydra.run.dir=two").worked()
    assert "1 fold(s)" in shown
    one, two = command.folder / "one", command.folder / "two"
    pd.testing.assert_frame_equal(log_of(one), log_of(two), rtol=1e-4)
    for part in ("predictions.csv", "validation.csv"):
        tables = [pd.read_csv(run / "fold_0" / "detection" / "reconstruction" / part) for run in (one, two)]
        assert tables[0]["index"].tolist() == tables[1]["index"].tolist()
        np.testing.assert_allclose(tables[0]["score"], tables[1]["score"], rtol=1e-3)
    fold = json.loads((two / "run.json").read_text(encoding="utf-8"))["folds"]["fold_0"]
    assert (fold["devices"], fold["status"]) == (2, "finished")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["beatgan", "dcgan", "vae", "cnn"])
def test_the_same_command_gives_the_same_bytes(model: str, command: Command) -> None:
    settings = [*SETTINGS, "detector=[pca]", f"model={model}", TWO, "trainer.max_epochs=2"]
    for name in ("first", "second"):
        command("train", *settings, f"hydra.run.dir={name}").worked()
    first, second = command.folder / "first", command.folder / "second"
    for name in ("results.csv", "fold_0/lightning/metrics.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vae", "dcgan"])
def test_a_training_that_goes_on_ends_as_one_that_went_through(model: str, command: Command) -> None:
    settings = [*SETTINGS, "detector=[pca]", f"model={model}", TWO, "model.scheduler=null"]
    command("train", *settings, "trainer.max_epochs=4", "hydra.run.dir=through").worked()
    command("train", *settings, "trainer.max_epochs=2", "hydra.run.dir=broken").worked()
    broken = command.folder / "broken"
    for name, before, after in (
        ("run.json", '"finished"', '"interrupted"'),
        (".hydra/config.yaml", "max_epochs: 2\n", "max_epochs: 4\n"),
    ):
        text = (broken / name).read_text(encoding="utf-8")
        assert before in text
        (broken / name).write_text(text.replace(before, after), encoding="utf-8")
    command("train", "resume=broken").worked()
    expected = log_of(command.folder / "through")
    pd.testing.assert_frame_equal(log_of(broken), expected, rtol=0)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes as Linux shows them")
def test_a_device_that_is_killed_ends_the_run_with_a_sentence(command: Command) -> None:
    process = begun(command.folder, *LONG)
    os.kill(helper_of(process), signal.SIGKILL)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, (out, err)
    assert err.startswith("ecgan-train: The process of device 1 has ended")
    assert err.count("\n") == 1
    facts = json.loads((command.folder / "run" / "run.json").read_text(encoding="utf-8"))
    assert facts["status"] == "failed"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes as Linux shows them")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_first_process(number: signal.Signals, command: Command) -> None:
    process = begun(command.folder, *LONG)
    helper = helper_of(process)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE_S)
    assert gone(helper)


@pytest.mark.slow
def test_jobs_of_a_sweep_have_processes_of_their_own(command: Command) -> None:
    shown = command("train", "-m", *SETTINGS, *EXACT, TWO, "trainer.max_epochs=1", "seed=0,1").worked()
    runs = sorted(file.parent for file in command.folder.rglob("run.json"))
    assert len(runs) == 2, shown
    for run in runs:
        assert json.loads((run / "run.json").read_text(encoding="utf-8"))["folds"]["fold_0"]["devices"] == 2
