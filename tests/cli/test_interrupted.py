"""Signals stop a training where it can go on, and the next command goes on."""

from __future__ import annotations

import json
import signal

import pytest

from commands import PATIENCE_S, TINY, Command, begun
from ecgan.track.going_on import epochs_of

LONG = (*TINY, "split.only=[0]", "trainer.max_epochs=100000", "trainer.limit_train_batches=1.0")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_run_that_can_go_on(number: signal.Signals, code: int, command: Command) -> None:
    process = begun(command.folder, *LONG)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, (out, err)
    assert f"go on with: ecgan-train resume={command.folder / 'run'}" in out
    assert "Traceback" not in err
    facts = json.loads((command.folder / "run" / "run.json").read_text(encoding="utf-8"))
    assert facts["status"] == "interrupted"
    epochs = epochs_of(command.folder / "run" / "fold_0" / "checkpoints" / "last.ckpt")
    assert epochs
    config = command.folder / "run" / ".hydra" / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("100000", str(epochs + 1)), encoding="utf-8")
    shown = command("train", "resume=run").worked()
    assert f"goes on after epoch {epochs}" in shown
    assert "Run directory: run" in shown
    facts = json.loads((command.folder / "run" / "run.json").read_text(encoding="utf-8"))
    assert facts["status"] == "finished"


def test_a_second_process_on_the_same_run_is_refused(command: Command) -> None:
    process = begun(command.folder, *LONG)
    try:
        command("train", "resume=run").refused(1, "Another process works on run")
        command("train", *TINY, "hydra.run.dir=run").refused(1, "Another process works on")
    finally:
        process.kill()
        process.communicate()


def test_a_run_goes_on_with_its_own_settings(command: Command) -> None:
    command("train", "resume=run", "seed=1").refused(2, "its own settings")
    command("train", "resume=").refused(2, "its own settings")
    command("train", "resume=nowhere").refused(1, "no run directory")
