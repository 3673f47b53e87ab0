"""MLflow."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ecgan.files import write_json
from ecgan.track.record import Record, Row, Status
from ecgan.track.tracker import refuse_without

if TYPE_CHECKING:
    from mlflow import MlflowClient

ID, ROWS = "ecgan.id", "ecgan.rows"
STATUS: dict[Status, str] = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
METRICS_AT_ONCE, PARAMS_AT_ONCE, PARAM_LENGTH = 1000, 100, 500
"""What MLflow takes in one request, and how long a parameter may be in every version."""


class MlflowTracker:
    """One MLflow run for each fold, found again by a tag; another tag holds how many rows of metrics it has.

    Args:
        url: of the tracking server; None for ``MLFLOW_TRACKING_URI``.
        timeout_s: how long to wait for each answer.
    """

    unbounded: ClassVar[bool] = False

    def __init__(self, url: str | None = None, timeout_s: int = 30) -> None:
        refuse_without("mlflow", "mlflow")
        self.url, self.timeout_s = url, timeout_s
        self._client: MlflowClient | None = None
        self._run_id, self._started_ms = "", 0

    def open(self, record: Record) -> int:
        """Begin an MLflow run, or go on with the one that has this record's tag."""
        for name, value in {"TIMEOUT": self.timeout_s, "MAX_RETRIES": 1, "BACKOFF_FACTOR": 1}.items():
            os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", str(value))  # minutes otherwise
        for name in ("DISABLE_TELEMETRY", "SUPPRESS_PRINTING_URL_TO_STDOUT"):
            os.environ.setdefault(f"MLFLOW_{name}", "true")
        from mlflow import MlflowClient

        self._client = client = MlflowClient(tracking_uri=self.url)
        self._started_ms = record.started_ms
        experiment = self._experiment("/".join(record.place.values()))
        found = client.search_runs([experiment], f"tags.`{ID}` = '{record.id}'", max_results=1)
        if found:
            self._run_id = found[0].info.run_id
            client.update_run(self._run_id, status="RUNNING")
        else:
            tags = {ID: record.id, "group": record.group, "job_type": record.job_type, **record.place}
            name = f"{record.group}/{record.name}"
            self._run_id = client.create_run(experiment, record.started_ms, tags, name).info.run_id
        self._settings(record.config)
        return int(found[0].data.tags.get(ROWS, 0)) if found else 0

    def metrics(self, first: int, rows: Sequence[Row]) -> None:
        """Log rows at their training steps; those of one request arrive together with their count, or not at all."""
        from mlflow.entities import Metric, RunTag

        waiting: list[Metric] = []
        for number, row in enumerate(rows, first):
            if len(waiting) + len(row.values) > METRICS_AT_ONCE:
                self._open().log_batch(self._run_id, waiting, tags=[RunTag(ROWS, str(number))])
                waiting = []
            # a time that is the same whenever it is sent: what comes twice is one entry
            waiting += [Metric(name, value, self._started_ms + number, row.step) for name, value in row.values.items()]
        self._open().log_batch(self._run_id, waiting, tags=[RunTag(ROWS, str(first + len(rows)))])

    def outcome(self, record: Record, status: Status) -> None:
        """Log results, figures, and the files of the run if asked."""
        from mlflow.entities import Metric

        client = self._open()
        results = [Metric(name, value, self._started_ms, 0) for name, value in record.results().items()]
        for i in range(0, len(results), METRICS_AT_ONCE):
            client.log_batch(self._run_id, metrics=results[i : i + METRICS_AT_ONCE])
        for file in record.figures():
            client.log_artifact(self._run_id, str(file), "figures")
        if record.config["tracker"]["artifact"]:
            for name, path in record.files().items():
                client.log_artifact(self._run_id, str(path), str(Path("run", name).parent.as_posix()))

    def close(self, status: Status) -> None:
        """End the run."""
        if self._run_id:
            self._open().set_terminated(self._run_id, STATUS[status])

    def _settings(self, config: Mapping[str, Any]) -> None:
        """Log the resolved config: as parameters, which can be searched for, and as a file, which is whole."""
        from mlflow.entities import Param

        params = [Param(name, value) for name, value in _flat(config)]
        for i in range(0, len(params), PARAMS_AT_ONCE):
            self._open().log_batch(self._run_id, params=params[i : i + PARAMS_AT_ONCE])
        with tempfile.TemporaryDirectory(prefix="ecgan-") as folder:
            write_json(Path(folder) / "config.json", config)
            self._open().log_artifact(self._run_id, str(Path(folder) / "config.json"))

    def _experiment(self, name: str) -> str:
        """Id of the experiment of this name, made by whoever comes first."""
        from mlflow.exceptions import MlflowException

        client = self._open()
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name))
            except MlflowException:  # another process was faster
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _open(self) -> MlflowClient:
        assert self._client is not None  # noqa: S101 - open comes first
        return self._client


def _flat(node: Mapping[Any, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Settings by their dotted names."""
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", str(value)[:PARAM_LENGTH]
