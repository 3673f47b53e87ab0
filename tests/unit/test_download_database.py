"""Downloads of whole databases: lists of files, several at once, interrupted ones, shared folders, and progress."""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from ecgan.data.fetch import retrieve
from ecgan.data.fetch.download import MARKER, fetch
from ecgan.data.fetch.meter import Meter
from ecgan.data.source import BaseSource, listed
from ecgan.errors import DataError
from ecgan.types import RemoteFile
from web_server import Answer, WebServer, serving


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Database(BaseSource):
    """Records with a list of checksums; any of them suffice."""

    name = folder = "records"

    def __init__(self, url: str) -> None:
        self.url = url

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        return listed(raw, self.url, suffixes=(".dat",))

    def found(self, raw: Path) -> tuple[str, ...]:
        return tuple(sorted(str(path.relative_to(raw)) for path in raw.glob("**/*.dat")))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def records(server: WebServer, n: int = 12) -> Database:
    contents = {f"p{i % 3}/r{i}.dat": f"record {i}".encode() * 1000 for i in range(n)}
    server.content |= {f"/{name}": content for name, content in contents.items()}
    lines = [f"{sha(content)}  {name}" for name, content in contents.items()]
    server.content["/SHA256SUMS.txt"] = "\n".join([*lines, f"{'0' * 64}  other.txt"]).encode()
    return Database(server.url)


def test_list_of_a_database_is_followed(data: Path, server: WebServer) -> None:
    source = records(server)
    raw = fetch(source, data, None)
    assert len(source.found(raw)) == 12
    assert not (raw / MARKER).exists()
    assert not (raw / "other.txt").exists()
    asked = [request.path for request in server.requests]
    assert asked[0] == "/SHA256SUMS.txt"
    assert len(asked) == len(set(asked)) == 13
    assert fetch(source, data, None) == raw
    assert len(server.requests) == 13, "nothing is asked when all is there"


def test_interrupted_download_is_no_subset(tmp_path: Path, data: Path, server: WebServer) -> None:
    source = records(server)
    server.answers["/p1/r10.dat"] = [Answer(404)]
    with pytest.raises(DataError, match=r"p1/r10\.dat .*404.* or delete .*\.downloading to use what has come so far"):
        fetch(source, data, None)
    own = data / "records" / "raw"
    assert 0 < len(source.found(own)) < 12
    (tmp_path / "mirror" / "records" / "raw").mkdir(parents=True)
    (tmp_path / "mirror" / "records" / "raw" / "x.dat").write_bytes(b"")
    assert fetch(source, data, tmp_path / "mirror") == tmp_path / "mirror" / "records" / "raw"
    before = len(server.requests)
    missing = 12 - len(source.found(own))
    assert len(source.found(fetch(source, data, None))) == 12
    assert len(server.requests) == before + missing, "only what was missing"
    assert not (own / MARKER).exists()


def test_subset_put_there_by_hand_is_taken(data: Path, server: WebServer) -> None:
    own = data / "records" / "raw"
    own.mkdir(parents=True)
    (own / "r1.dat").write_bytes(b"x")
    assert fetch(records(server), data, None) == own
    assert server.requests == []


def test_subset_put_there_by_hand_after_a_download_that_brought_nothing(data: Path, server: WebServer) -> None:
    source = Database(server.url)
    with pytest.raises(DataError, match=r"SHA256SUMS\.txt for records \(the server answered 404\)"):
        fetch(source, data, None)
    own = data / "records" / "raw"
    (own / "r1.dat").write_bytes(b"x")
    assert fetch(source, data, None) == own


def test_unfinished_download_of_one_source_is_remembered_past_another(data: Path, server: WebServer) -> None:
    source = records(server)
    server.answers["/p1/r10.dat"] = [Answer(404)]
    with pytest.raises(DataError):
        fetch(source, data, None)

    class Sharing(BaseSource):
        name = "sharing"
        folder = "records"
        remote = (RemoteFile("notes.txt", f"{server.url}/notes.txt"),)

    server.content["/notes.txt"] = b"notes"
    own = fetch(Sharing(), data, None)
    assert (own / MARKER).exists()
    fetch(source, data, None)
    assert len(source.found(own)) == 12
    assert not (own / MARKER).exists()


def test_several_records_come_at_once(data: Path, server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(4)
    original = retrieve.Resuming.__call__

    def meet(self: retrieve.Resuming, url: str, output_file: str, pooch: object) -> None:
        if url.endswith(".dat"):
            meeting.wait(10)  # breaks, and so fails, unless as many are under way at once
        original(self, url, output_file, pooch)

    monkeypatch.setattr(retrieve.Resuming, "__call__", meet)
    assert len(records(server).found(fetch(records(server), data, None))) == 12


@pytest.mark.parametrize("name", ["../evil.dat", "/evil.dat", "a/../../evil.dat", "..\\evil.dat", f"{MARKER}/evil.dat"])
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, data: Path, server: WebServer, name: str) -> None:
    server.content["/SHA256SUMS.txt"] = f"{sha(b'evil')}  {name}\n".encode()
    with pytest.raises(DataError, match=r"A list names the raw file .*evil\.dat', which does not lie in .*records/raw"):
        fetch(Database(server.url), data, None)
    assert [request.path for request in server.requests] == ["/SHA256SUMS.txt"]
    assert not list(tmp_path.rglob("*evil*"))


def test_terminal_gets_one_bar_with_files_and_bytes() -> None:
    screen = io.StringIO()
    with Meter("mitbih", 2, Console(file=screen, force_terminal=True, width=120)) as meter:
        meter.received("a", 500, 1000)
        meter.received("b", 100, None)
        assert meter.progress.tasks[0].completed == 0.5
        meter.finish("a", 1000)
        assert meter.note() == "1 of 2 files, 1.1 kB"
        meter.progress.refresh()
    assert "1 of 2 files, 1.1 kB" in screen.getvalue()


def test_elsewhere_the_log_gets_lines(
    data: Path,
    server: WebServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ecgan.data.fetch.meter.LINE_EVERY_S", 0.0)
    server.content["/big.bin"] = bytes(2**20)

    class Remote(BaseSource):
        name = "remote"
        remote = (RemoteFile("big.bin", f"{server.url}/big.bin"),)

    with caplog.at_level(logging.INFO, "ecgan"):
        fetch(Remote(), data, None)
    assert caplog.messages[0] == "downloading 1 file of remote"
    assert caplog.messages[-1] == "downloaded 1 of 1 files, 1.0 MB of remote"
    between = [message for message in caplog.messages[1:-1] if message.startswith("remote: 0 of 1 files, ")]
    assert len(between) > 2
    assert capsys.readouterr() == ("", "")
