"""W&B without a server: what the client writes in offline mode, read back, and a server that does not answer."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import TINY, Command
from ecgan.errors import DivergedError
from ecgan.track.marks import is_sent
from ecgan.track.record import Record
from ecgan.track.sync import sync
from tracked_runs import wandb_records, with_trackers

OFFLINE = ("tracker=wandb", "tracker.backends.wandb.mode=offline")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own settings, and nothing left in them."""
    for name in ("API_KEY", "MODE", "PROJECT", "ENTITY", "BASE_URL", "DIR", "RUN_ID", "RUN_GROUP"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "wandb_home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture(scope="module", autouse=True)
def service() -> Iterator[None]:
    """The client's own process ends with these tests."""
    yield
    import wandb

    wandb.teardown()


def written(folder: Path) -> list[Any]:
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    return list(wandb_records(file))


def values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def exit_codes(records: list[Any]) -> list[int]:
    return [record.exit.exit_code for record in records if record.WhichOneof("record_type") == "exit"]


def history(records: list[Any]) -> list[dict[str, Any]]:
    return [values(record.history.item) for record in records if record.WhichOneof("record_type") == "history"]


def test_metrics_results_figures_and_config(tiny_run: Path, tmp_path: Path) -> None:
    run = with_trackers(tiny_run, tmp_path, *OFFLINE, "tracker.artifact=true", "tracker.experiment=default")
    assert sync([str(run)]).failed == []
    record, records = Record(run, 1), written(run / "fold_1")
    (about,) = [entry.run for entry in records if entry.WhichOneof("record_type") == "run"]
    assert (about.run_id, about.run_group, about.job_type) == (record.id, run.name, "fold")
    assert (about.project, list(about.tags), about.display_name) == ("ecgan", ["default"], f"{run.name}/fold_1")
    assert values(about.config.update)["dataset"]["seq_len"] == 32
    *rows, last = history(records)
    assert [row["_step"] for row in rows] == list(range(len(rows)))
    own = [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]
    assert own == [{**row.values, "step": row.step} for row in record.rows()]
    assert last["figures/loss/_type"] == "image-file"
    summary: dict[str, Any] = {}
    for entry in records:
        summary |= values(entry.summary.update)
    results = record.results()
    told = {name: math.nan if summary[name] is None else float(summary[name]) for name in results}
    assert told == pytest.approx(results, nan_ok=True, rel=0, abs=0)
    assert summary["status"] == "finished"
    both = [artifact for entry in records for artifact in (entry.artifact, entry.request.log_artifact.artifact)]
    (artifact,) = [artifact for artifact in both if artifact.type == "run"]
    assert {entry.path for entry in artifact.manifest.contents} == set(record.files())
    assert exit_codes(records) == [0]


def test_folds_and_jobs_are_runs_of_their_own(command: Command) -> None:
    command("train", "-m", "seed=0,1", *TINY, *OFFLINE).worked()
    jobs = sorted(file.parent for file in command.folder.rglob("run.json"))
    assert len(jobs) == 2
    told = {}
    for job in jobs:
        for folder in (job / "fold_0", job / "fold_1", job):
            (about,) = [entry.run for entry in written(folder) if entry.WhichOneof("record_type") == "run"]
            told[about.run_id] = (about.run_group, about.job_type)
    assert len(told) == 6
    groups = [f"{job.parent.name}/{job.name}" for job in jobs]
    assert sorted(told.values()) == sorted((group, kind) for group in groups for kind in ("fold", "fold", "summary"))


def test_folds_that_are_interrupted_or_fail_are_closed_and_marked(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgan.track.sender.INTERRUPTED_WAIT_S", 60.0)  # on a busy machine
    told: list[BaseException] = [DivergedError("diverged"), KeyboardInterrupt()]

    def stop(*_: object) -> None:
        raise told.pop(0)

    monkeypatch.setattr("ecgan.assembly.fit_latents", stop)
    assert command("train", *TINY, *OFFLINE).code == 130
    (run,) = [file.parent for file in command.folder.rglob("run.json")]
    assert [exit_codes(written(run / f"fold_{fold}")) for fold in (0, 1)] == [[1], [130]]
    assert [is_sent(run, f"fold_{fold}", "wandb") for fold in (0, 1)] == [True, False]
    for fold in (0, 1):
        assert len(history(written(run / f"fold_{fold}"))) == len(Record(run, fold).rows()) > 0
    assert not (run / "wandb").exists()


@pytest.mark.parametrize("key", [None, "0" * 40], ids=["no key", "nobody there"])
def test_a_server_that_does_not_answer_costs_one_warning(
    command: Command, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    nobody = ("tracker.backends.wandb.url=http://127.0.0.1:9", "tracker.backends.wandb.timeout_s=2")
    out = command("train", *TINY, "tracker=wandb", *nobody).worked()
    assert out.count("Warning:") == out.count("not everything was sent to wandb (") == 1
    (log,) = command.folder.rglob("ecgan.log")
    assert log.read_text(encoding="utf-8").count("not everything was sent to wandb (") == 1
    assert (log.parent / "results.csv").is_file()
    command("report", "--sync", "outputs").refused(1, "was sent to wandb (", "again later")
