"""Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from ecgan.track.record import Record, Row, Status
from ecgan.track.tracker import refuse_without

EXIT_CODES: dict[Status, int] = {"finished": 0, "failed": 1, "interrupted": 130}
NO_ENTITY = "local"
"""The default of ``tracker.entity``, which is nobody's name there."""


class WandbTracker:
    """One W&B run for each fold, grouped by run.

    The number of a row of metrics is W&B's own step, so that what is there already is known, and a row that comes twice
    is left out.

    Args:
        mode: online, or offline: files in the run directory, which ``wandb sync`` sends.
        url: of a server; None for ``WANDB_BASE_URL`` or the public one.
        timeout_s: how long to wait for the first answer, and at the end for what is not sent.
    """

    unbounded: ClassVar[bool] = False

    def __init__(
        self, mode: Literal["online", "offline"] = "online", url: str | None = None, timeout_s: float = 30
    ) -> None:
        refuse_without("wandb", "wandb")
        self.mode, self.url, self.timeout_s = mode, url, timeout_s
        self._run: Any = None
        self._next = 0

    def open(self, record: Record) -> int:
        """Begin a W&B run, or go on with the one of the same id."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # crashes of the client are nobody else's business
        import wandb

        wandb.setup(wandb.Settings(silent=True))  # or it would ask for a key on the terminal
        given: dict[str, Any] = {} if self.url is None else {"base_url": self.url}
        settings = wandb.Settings(
            console="off",  # the screen is the run's, and several trackers share it
            silent=True,
            init_timeout=self.timeout_s,
            finish_timeout=self.timeout_s,
            finish_timeout_raises=True,
            x_graphql_timeout_seconds=self.timeout_s,
            x_graphql_retry_max=1,
            x_disable_stats=True,
            **given,
        )
        place, online = record.place, self.mode == "online"
        self._run = wandb.init(
            entity=None if place["entity"] == NO_ENTITY else place["entity"],
            project=place["project"],
            id=record.id,
            name=f"{record.group}/{record.name}",
            group=record.group,
            job_type=record.job_type,
            tags=[place["experiment"]],
            dir=str(record.directory),
            config=record.config,
            mode=self.mode,
            resume="allow" if online else None,
            reinit="create_new",  # several at once and one after the other, each its own
            settings=settings,
        )
        self._run.define_metric("*", step_metric="step")
        self._next = int(self._run.step)
        return self._next

    def metrics(self, first: int, rows: Sequence[Row]) -> None:
        """Log rows, each under its number."""
        for number, row in enumerate(rows, first):
            self._run.log({**row.values, "step": row.step}, step=number)
        self._next = first + len(rows)

    def outcome(self, record: Record, status: Status) -> None:
        """Put results into the summary, log figures, and the files as an artifact."""
        import wandb

        self._run.summary.update({**record.results(), "status": status})
        media = {f"figures/{file.stem}": _medium(file.suffix, str(file)) for file in record.figures()}
        if media:
            self._run.log(media, step=self._next)
        if record.config["tracker"]["artifact"]:
            artifact = wandb.Artifact(f"run-{record.id}", type="run", metadata={"status": status})
            for name, file in record.files().items():
                artifact.add_file(str(file), name, policy="immutable", skip_cache=True)
            self._run.log_artifact(artifact)

    def close(self, status: Status) -> None:
        """Finish the run, whatever became of it."""
        if self._run is not None:
            self._run.finish(exit_code=EXIT_CODES[status])


def _medium(suffix: str, file: str) -> Any:
    import wandb

    if suffix == ".png":
        return wandb.Image(file)
    with open(file, encoding="utf-8") as stream:  # noqa: PTH123 - beside a path that wandb wants as text
        return wandb.Html(stream, inject=False)
