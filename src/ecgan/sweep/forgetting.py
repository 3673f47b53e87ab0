"""A callback of Hydra that keeps a sweep's memory flat."""

from __future__ import annotations

from typing import Any

from hydra.experimental.callback import Callback


class Forget(Callback):
    """Drop the configs of a job once it is done: Hydra would keep two for each until the sweep ends."""

    def on_job_end(self, config: Any, job_return: Any, **kwargs: Any) -> None:
        """Keep how it ended and what it returned."""
        job_return.cfg = job_return.hydra_cfg = None
