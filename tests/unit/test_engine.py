"""Lightning's trainer as a config has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytorch_lightning.plugins.environments import SLURMEnvironment

from ecgan.config import compose
from ecgan.engine import make_trainer


def test_a_run_within_a_job_of_slurm_is_one_process_and_is_not_queued_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"JOB_ID": "7", "JOB_NAME": "beats", "NTASKS": "2", "PROCID": "1", "LOCALID": "1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert SLURMEnvironment.detect()
    trainer = make_trainer(compose(["trainer.accelerator=cpu"]), tmp_path, [])
    assert trainer.world_size == 1
    assert trainer.global_rank == 0
    environment = trainer._accelerator_connector.cluster_environment
    assert not isinstance(environment, SLURMEnvironment)
