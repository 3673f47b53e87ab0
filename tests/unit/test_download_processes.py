"""Several processes and one download: two at once fetch once, and a killed one is taken up where it stopped."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.fetch import transfer
from ecgan.data.fetch.download import MARKER
from web_server import Answer, WebServer, serving

BIG = np.random.default_rng(0).bytes(2**20 + 7)
CUT = 300_000
SLACK = transfer.CHUNK
"""What a kill may cost at most: the piece that was on its way."""
PROCESS = """
import sys
from pathlib import Path
from ecgan.data.fetch.download import fetch
from ecgan.data.source import BaseSource
from ecgan.types import RemoteFile

class Remote(BaseSource):
    name = "remote"
    remote = (RemoteFile("big.bin", sys.argv[2], sys.argv[3]),)

print(fetch(Remote(), Path(sys.argv[1]), None))
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        running.content["/big.bin"] = BIG
        running.etag["/big.bin"] = '"one"'
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def files(data: Path) -> dict[str, bytes]:
    raw = data / "remote" / "raw"
    return {str(path.relative_to(raw)): path.read_bytes() for path in raw.rglob("*") if path.is_file()}


def start(server: WebServer, data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(data), f"{server.url}/big.bin", hashlib.sha256(BIG).hexdigest()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_fetch_once(data: Path, server: WebServer) -> None:
    both = [start(server, data) for _ in range(2)]
    for process in both:
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, out.strip()) == (0, str(data / "remote" / "raw")), errors
    assert files(data) == {"big.bin": BIG}
    assert len(server.requests) == 1


def test_killed_process_is_taken_up_where_it_stopped(data: Path, server: WebServer) -> None:
    server.answers["/big.bin"] = [Answer(upto=CUT, stall=True)]
    part = data / "remote" / "raw" / MARKER / "big.bin.part"
    with start(server, data) as process:
        deadline = time.monotonic() + 60
        while (not part.exists() or part.stat().st_size < CUT - SLACK) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    there = part.stat().st_size
    assert there >= CUT - SLACK
    server.finished.set()
    with start(server, data) as again:
        assert again.wait(timeout=60) == 0
        again.communicate()
    assert files(data) == {"big.bin": BIG}
    asked = server.requests[1]
    assert (asked.status, asked.range, asked.sent) == (206, f"bytes={there}-", len(BIG) - there)
