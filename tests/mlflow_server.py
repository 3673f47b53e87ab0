"""An MLflow server on this machine, as a process that can be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

PATIENCE_S = 300
"""A server starts within ten seconds on a quiet machine."""


class MlflowServer:
    """Keeps its runs in a folder, and its port for as long as it lives.

    Args:
        folder: for its database, files and log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        store, files = f"sqlite:///{self.folder}/runs.db", f"{self.folder}/files"
        words = ["--backend-store-uri", store, "--artifacts-destination", files, "--workers", "1"]
        own = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), *words],
                stdout=log,
                stderr=log,
                env=os.environ | own,
                start_new_session=True,  # so that its workers can be killed with it
            )
        end = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "server.log").read_text(encoding="utf-8")
            assert time.monotonic() < end
            time.sleep(0.2)

    def kill(self) -> None:
        """Take it away at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=5).ok
        except requests.RequestException:
            return False
