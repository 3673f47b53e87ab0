"""MLflow with a server on this machine, which goes away in the middle and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import TINY, Command
from ecgan.track.marks import read
from ecgan.track.record import Record
from ecgan.track.sync import sync
from mlflow_server import PATIENCE_S, MlflowServer
from tracked_runs import with_trackers

pytestmark = pytest.mark.slow  # the server takes longer to start than most tests to run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    running = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    running.start()
    yield running
    running.kill()


def client_of(server: MlflowServer) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=server.url)


def runs_of(server: MlflowServer, name: str) -> dict[str, Any]:
    """Runs of an experiment that was made for a test, by the names of their records."""
    experiment = client_of(server).get_experiment_by_name(f"local/ecgan/{name}")
    found = client_of(server).search_runs([experiment.experiment_id]) if experiment else []
    by_name = {run.info.run_name.rpartition("/")[2]: run for run in found}
    assert len(by_name) == len(found)
    return by_name


def assert_told_all(server: MlflowServer, run: Path, name: str) -> None:
    """Every row once, with results, figures and settings; nothing besides."""
    client, told = client_of(server), runs_of(server, name)
    assert set(told) == {"fold_0", "fold_1", "summary"}
    for number in (0, 1):
        record, there = Record(run, number), told[f"fold_{number}"]
        logged: dict[str, list[tuple[int, float]]] = {}
        for row in record.rows():
            for metric, value in row.values.items():
                logged.setdefault(metric, []).append((row.step, value))
        histories = {
            metric: [(entry.step, entry.value) for entry in client.get_metric_history(there.info.run_id, metric)]
            for metric in logged
        }
        assert histories == logged
        assert set(there.data.metrics) == {*logged, *record.results()}
    for record in (Record(run), Record(run, 0), Record(run, 1)):
        there = told[record.name]
        results = record.results()
        values = {metric: there.data.metrics[metric] for metric in results}
        assert values == pytest.approx(results, nan_ok=True, rel=1e-12)
        assert there.info.status == "FINISHED"
        assert (there.data.tags["group"], there.data.tags["job_type"]) == (run.name, record.job_type)
        assert there.data.params["dataset.seq_len"] == "32"
        files = {file.path for file in client.list_artifacts(there.info.run_id)}
        assert "config.json" in files
        figures = {file.path for file in client.list_artifacts(there.info.run_id, "figures")}
        assert figures == {f"figures/{file.name}" for file in record.figures()}


def test_metrics_results_figures_config_and_files(server: MlflowServer, tiny_run: Path, tmp_path: Path) -> None:
    given = (f"tracker.backends.mlflow.url={server.url}", "tracker.experiment=all", "tracker.artifact=true")
    run = with_trackers(tiny_run, tmp_path, "tracker=mlflow", *given)
    assert sync([str(run)]).sent == 3
    assert_told_all(server, run, "all")
    there = runs_of(server, "all")["fold_1"].info.run_id
    config = client_of(server).download_artifacts(there, "config.json", str(tmp_path))
    assert yaml.safe_load(Path(config).read_text(encoding="utf-8")) == Record(run, 1).config
    best = client_of(server).download_artifacts(there, "run/checkpoints/best.ckpt", str(tmp_path))
    assert Path(best).read_bytes() == (run / "fold_1" / "checkpoints" / "best.ckpt").read_bytes()
    (run / "tracking.json").unlink()
    assert sync([str(run)]).sent == 3
    assert_told_all(server, run, "all")


def test_a_server_that_goes_away_in_the_middle(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: MlflowServer
) -> None:
    monkeypatch.setattr("ecgan.track.live.NEWS_S", 0.0)
    from ecgan import assembly

    fit_latents = assembly.fit_latents
    rows_before = []

    def between(*given: Any) -> None:
        """Wait until the server knows of the training, then take it away."""
        end = time.monotonic() + PATIENCE_S
        while not rows_before and time.monotonic() < end:
            rows_before.extend(run for run in runs_of(server, "middle").values() if "ecgan.rows" in run.data.tags)
        server.kill()
        fit_latents(*given)

    monkeypatch.setattr(assembly, "fit_latents", between)
    url = f"tracker.backends.mlflow.url={server.url}"
    given = (*TINY, "trainer.max_epochs=3", "trainer.figures=true", "tracker=mlflow", url, "tracker.experiment=middle")
    out = command("train", *given).worked()
    assert out.count("Warning:") == out.count("not everything was sent to mlflow (") == 1
    (first,) = rows_before
    assert int(first.data.tags["ecgan.rows"]) > 0
    (run,) = [file.parent for file in tmp_path.rglob("run.json")]
    assert (run / "ecgan.log").read_text(encoding="utf-8").count("not everything was sent to mlflow (") == 1
    assert {name: marks["mlflow"]["sent"] for name, marks in read(run).items()} == dict.fromkeys(read(run), False)
    monkeypatch.setattr(assembly, "fit_latents", fit_latents)
    command("report", "--sync", "outputs").refused(1, "was sent to mlflow (")
    server.start()
    assert command("report", "--sync", "outputs").worked() == "3 folds and summaries sent.\n"
    assert_told_all(server, run, "middle")
    assert command("report", "--sync", "outputs").worked() == "Nothing was sent.\n"
    assert runs_of(server, "middle")["fold_0"].info.run_id == first.info.run_id
