"""Several processes want the same store, or one of them dies while building it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from ecgan.data import store as store_module
from ecgan.data.source import BaseSource
from ecgan.data.store import prepare
from ecgan.types import Recordings

PATIENCE_S = 60
"""How long to wait for another thread or process before the test fails; a good one needs none of it."""

BUILDER = """
import os, signal, sys
from pathlib import Path
import numpy as np
from ecgan.data.source import BaseSource
from ecgan.data.store import prepare
from ecgan.types import Recordings

class Source(BaseSource):
    name, classes = "shared", ("normal",)

    def pieces(self, raw):
        return (0, 1)

    def read(self, raw, piece):
        if piece == 1:
            print("reading", flush=True)
            if sys.stdin.readline().strip() == "die":
                os.kill(os.getpid(), signal.SIGKILL)
        return Recordings(np.full((3 * (1 - piece), 1, 8), 7.0), np.zeros(3 * (1 - piece), int), None, "1")

print("ready", flush=True)
sys.stdin.readline()
target = Path(sys.argv[1])
print("store", prepare(Source(), [], target, target, {}).data.sum(), flush=True)
"""


class Shared(BaseSource):
    """A source that can be held up in the middle of reading."""

    name, classes = "shared", ("normal",)

    def __init__(self, wait: Any = lambda: None) -> None:
        self.wait, self.reads = wait, 0

    def read(self, raw: Path, piece: Any) -> Recordings:
        self.reads += 1
        self.wait()
        return Recordings(np.full((3, 1, 8), 7.0), np.zeros(3, np.int64), None, "1")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "shared" / "processed" / "abc"


def test_two_threads_build_once(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanting = threading.Semaphore(0)

    class Announced(FileLock):
        def __enter__(self) -> Any:
            wanting.release()
            return super().__enter__()

    def until_both_want_the_lock() -> None:
        for _ in range(2):
            assert wanting.acquire(timeout=PATIENCE_S)

    monkeypatch.setattr(store_module, "FileLock", Announced)
    source = Shared(until_both_want_the_lock)
    with ThreadPoolExecutor(2) as pool:
        stores = list(pool.map(lambda _: prepare(source, [], target, target, {}), range(2)))
    assert source.reads == 1
    assert [float(store.data.sum()) for store in stores] == [168.0, 168.0]


def start(target: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, str(target)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_two_processes_build_once(target: Path) -> None:
    with start(target) as one, start(target) as other:
        assert [hear(one), hear(other)] == ["ready", "ready"]
        for process in (one, other):
            tell(process, "go")
            tell(process, "finish reading, should you be the one that reads")
        outputs = [process.communicate(timeout=PATIENCE_S)[0].split() for process in (one, other)]
    assert sorted(outputs) == [["reading", "store", "168.0"], ["store", "168.0"]]
    assert {path.name for path in target.parent.iterdir()} <= {"abc", "abc.lock"}


def test_a_killed_build_is_not_trusted_and_does_not_block_the_next(target: Path) -> None:
    with start(target) as process:
        tell(process, "go")
        assert [hear(process), hear(process)] == ["ready", "reading"]
        assert not target.exists()
        (stale,) = (path for path in target.parent.iterdir() if path.suffix == ".part")
        tell(process, "die")
        assert process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    # even if what it left looked complete
    complete = prepare(Shared(), [], target, target.with_name("whole"), {})
    for file in complete.directory.iterdir():
        (stale / file.name).write_bytes(file.read_bytes().replace(b"\0\0\xe0@", b"\0\0\xe0A"))
    source = Shared()
    assert np.all(prepare(source, [], target, target, {}).data == 7)
    assert source.reads == 1
