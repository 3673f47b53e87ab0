"""One process at a time works on a run directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecgan import ownership
from ecgan.errors import RunError
from ecgan.ownership import is_owned, owned

HOLDER = """
import sys
from pathlib import Path
from ecgan.ownership import owned
with owned(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "WAIT_S", 0.05)


def holder(directory: Path) -> subprocess.Popen[bytes]:
    """Another process that owns the directory until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"mine\n"
    return process


def test_it_is_owned_inside_the_block_only(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "run"
    assert not is_owned(directory)
    assert not directory.exists()
    with owned(directory):
        assert is_owned(directory)
    assert not is_owned(directory)
    with pytest.raises(ZeroDivisionError), owned(directory):
        raise ZeroDivisionError
    assert not is_owned(directory)


def test_another_process_owns_it_until_it_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert is_owned(tmp_path)
        with pytest.raises(RunError) as error, owned(tmp_path):
            pass
        assert str(error.value) == (f"Another process works on {tmp_path}; wait for it, or choose another directory.")
        assert is_owned(tmp_path), "the refusal leaves the owner alone"
        os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.communicate()
    assert not is_owned(tmp_path)
    with owned(tmp_path):
        pass


def test_who_waits_for_an_owner_that_ends_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "WAIT_S", 60)
    with holder(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        with owned(tmp_path):
            assert is_owned(tmp_path)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"Cannot write .*choose another folder"), owned(tmp_path / "file" / "run"):
        pass
