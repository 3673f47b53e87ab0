"""How a job stands, from what its folder holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgan.errors import RunError
from ecgan.files import write_json
from ecgan.sweep.execution import left_to_do, threads_of
from ecgan.sweep.record import Job, claimed, is_claimed, read_job, status_of

FAILED = Job(failures=1, error="It broke.")


@pytest.mark.parametrize(
    ("job", "run", "status"),
    [
        (Job(), None, "pending"),
        (Job(), {}, "running"),
        (Job(), {"status": "running"}, "running"),
        (Job(), {"status": "interrupted"}, "interrupted"),
        (Job(), {"status": "finished"}, "finished"),
        (FAILED, {"status": "failed"}, "failed"),
        (FAILED, {"status": "incomplete"}, "failed"),
        (FAILED, None, "failed"),
        (FAILED.begun(), {"status": "running"}, "running"),
        (FAILED, {"status": "finished"}, "finished"),  # resumed by hand
        (Job(pruned=True), {"status": "failed"}, "pruned"),
    ],
)
def test_status(tmp_path: Path, job: Job, run: dict[str, str] | None, status: str) -> None:
    if run is not None:
        write_json(tmp_path / "run.json", run)
    assert status_of(tmp_path, job) == status


def test_a_damaged_run_is_left_to_whoever_goes_on_with_it(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    assert status_of(tmp_path, Job()) == "interrupted"


def test_attempts_are_counted(tmp_path: Path) -> None:
    job = Job(["seed=1"]).begun().after(1.5, "It broke.")
    assert (job.failures, job.error, job.seconds) == (1, "It broke.", 1.5)
    job = job.begun().after(2.0)
    assert (job.failures, job.error, job.seconds) == (1, None, 3.5)
    job.write(tmp_path)
    assert read_job(tmp_path) == job
    assert read_job(tmp_path / "none") == Job()
    write_json(tmp_path / "job.json", {"unknown": 1})
    with pytest.raises(RunError, match="is damaged"):
        read_job(tmp_path)


@pytest.mark.parametrize(("failures", "left"), [(1, True), (2, True), (3, False)])
def test_failed_jobs_are_left_to_do_until_the_retries_are_spent(tmp_path: Path, failures: int, left: bool) -> None:
    assert left_to_do(Job(failures=failures, error="It broke."), tmp_path, retries=2) is left


def test_one_at_a_time(tmp_path: Path) -> None:
    assert not is_claimed(tmp_path)
    with claimed(tmp_path) as mine:
        assert mine
        assert is_claimed(tmp_path)
        with claimed(tmp_path) as too:
            assert not too
    assert not is_claimed(tmp_path)


def test_processes_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgan.assembly.cores", lambda: 8)
    target = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
    shares = {n: threads_of({"_target_": target, "n_jobs": n}) for n in (1, 2, 3, 16, -1, -2)}
    assert shares == {1: 8, 2: 4, 3: 2, 16: 1, -1: 1, -2: 1}
    assert threads_of({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}) is None
