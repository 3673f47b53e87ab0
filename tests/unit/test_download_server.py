"""Downloads from a server that cuts, stalls, lies and refuses: what arrives is right, or one sentence says why not."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.fetch import transfer
from ecgan.data.fetch.download import MARKER, fetch
from ecgan.data.source import BaseSource
from ecgan.errors import DataError
from ecgan.types import RemoteFile
from web_server import Answer, WebServer, serving

BIG = np.random.default_rng(0).bytes(2**20 + 7)
CUT = 300_000
SLACK = transfer.CHUNK
"""What a cut may cost at most: the piece that was on its way."""


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Remote(BaseSource):
    """A source that is nothing but its files."""

    name = "remote"

    def __init__(self, *remote: RemoteFile) -> None:
        self.remote = remote


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.01)
    monkeypatch.setattr(transfer, "READ_S", 0.3)
    with serving() as running:
        running.content["/big.bin"] = BIG
        running.etag["/big.bin"] = '"one"'
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def big(server: WebServer, checksum: str | None = sha(BIG)) -> Remote:
    return Remote(RemoteFile("big.bin", f"{server.url}/big.bin", checksum))


def arrived(data: Path, name: str = "big.bin") -> bytes:
    """The file, after making sure that nothing of the download is left."""
    raw = data / "remote" / "raw"
    assert sorted(path.name for path in raw.rglob("*")) == [name]
    return (raw / name).read_bytes()


def sizes(server: WebServer) -> list[tuple[int, str | None, int]]:
    return [(request.status, request.range, request.sent) for request in server.requests]


@pytest.mark.parametrize("checksum", [sha(BIG), None], ids=["checksum known", "checksum unknown"])
def test_cut_connections_are_resumed_without_fetching_bytes_twice(
    data: Path, server: WebServer, checksum: str | None
) -> None:
    server.answers["/big.bin"] = [Answer(upto=CUT), Answer(upto=CUT)]
    fetch(big(server, checksum), data, None)
    assert arrived(data) == BIG
    first, second, third = server.requests
    assert (first.status, first.range) == (200, None)
    starts = [int((request.range or "").removeprefix("bytes=").removesuffix("-")) for request in (second, third)]
    assert CUT - SLACK <= starts[0] <= CUT
    assert 2 * (CUT - SLACK) <= starts[1] <= 2 * CUT
    assert (second.status, third.status) == (206, 206)
    assert second.if_range == third.if_range == '"one"'
    assert sum(request.sent for request in server.requests) <= len(BIG) + 2 * SLACK


def test_more_cuts_than_attempts_are_survived_while_bytes_come(data: Path, server: WebServer) -> None:
    server.answers["/big.bin"] = [Answer(upto=2 * SLACK)] * (2 * transfer.ATTEMPTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "CHUNK", 2**12)
        fetch(big(server), data, None)
    assert arrived(data) == BIG


def test_server_that_ignores_ranges_is_read_from_zero(data: Path, server: WebServer) -> None:
    server.ranges = False
    server.answers["/big.bin"] = [Answer(upto=CUT)]
    fetch(big(server), data, None)
    assert arrived(data) == BIG
    assert [status for status, *_ in sizes(server)] == [200, 200]
    assert server.requests[1].range is not None
    assert server.requests[1].sent == len(BIG)


def test_server_that_ignores_ranges_and_cuts_each_time_is_given_up(data: Path, server: WebServer) -> None:
    server.ranges = False
    server.answers["/big.bin"] = [Answer(upto=CUT)] * 50
    with pytest.raises(DataError, match=rf"the connection was cut, {transfer.ATTEMPTS} times in a row"):
        fetch(big(server), data, None)
    assert len(server.requests) <= transfer.ATTEMPTS + 1


@pytest.mark.parametrize("obeys", [True, False], ids=["server obeys If-Range", "server ignores If-Range"])
def test_file_that_changes_on_the_way_starts_from_zero(data: Path, server: WebServer, obeys: bool) -> None:
    server.if_range = obeys
    server.answers["/big.bin"] = [Answer(upto=CUT, content=BIG[::-1], headers={"ETag": '"older"'})]
    fetch(big(server, None), data, None)
    assert arrived(data) == BIG, "no bytes of the older version are kept"
    assert server.requests[1].if_range == '"older"'
    assert [status for status, *_ in sizes(server)] == ([200, 200] if obeys else [200, 206, 200])


def test_version_that_nobody_names_is_resumed_only_with_a_checksum(data: Path, server: WebServer) -> None:
    del server.etag["/big.bin"]
    server.answers["/big.bin"] = [Answer(upto=CUT)]
    fetch(big(server, None), data, None)
    assert [request.range for request in server.requests] == [None, None]
    server.requests.clear()
    server.answers["/big.bin"] = [Answer(upto=CUT)]
    fetch(big(server), data / "other", None)
    assert server.requests[1].range is not None


def test_weak_etag_is_no_proof_but_a_date_is(data: Path, server: WebServer) -> None:
    server.etag["/big.bin"] = 'W/"weak"'
    server.if_range = False
    date = "Wed, 01 Jan 2020 00:00:00 GMT"
    server.answers["/big.bin"] = [Answer(upto=CUT, headers={"Last-Modified": date})]
    fetch(big(server, None), data, None)
    assert arrived(data) == BIG
    assert (server.requests[1].status, server.requests[1].if_range) == (206, date)


def test_wrong_range_is_not_believed(data: Path, server: WebServer) -> None:
    wrong = Answer(headers={"Content-Range": f"bytes 5-{len(BIG) - 1}/{len(BIG)}"})
    server.answers["/big.bin"] = [Answer(upto=CUT), wrong]
    fetch(big(server, None), data, None)
    assert arrived(data) == BIG
    assert [request.range is None for request in server.requests] == [True, False, True]


def test_all_bytes_there_but_not_renamed(data: Path, server: WebServer) -> None:
    left = data / "remote" / "raw" / MARKER
    left.mkdir(parents=True)
    (left / "big.bin.part").write_bytes(BIG)
    (left / "big.bin.part.version").write_text('"one"')
    fetch(big(server), data, None)
    assert arrived(data) == BIG
    assert sizes(server) == [(416, f"bytes={len(BIG)}-", 0)]


def test_part_longer_than_the_file_starts_from_zero(data: Path, server: WebServer) -> None:
    left = data / "remote" / "raw" / MARKER
    left.mkdir(parents=True)
    (left / "big.bin.part").write_bytes(BIG + b"more")
    (left / "big.bin.part.version").write_text('"one"')
    fetch(big(server), data, None)
    assert arrived(data) == BIG
    assert [status for status, *_ in sizes(server)] == [416, 200]


def test_wrong_bytes_are_fetched_once_more_from_zero(data: Path, server: WebServer) -> None:
    server.answers["/big.bin"] = [Answer(content=BIG[::-1])]
    fetch(big(server), data, None)
    assert arrived(data) == BIG
    assert [(status, asked) for status, asked, _ in sizes(server)] == [(200, None), (200, None)]


def test_bytes_that_stay_wrong_are_refused_and_deleted(data: Path, server: WebServer) -> None:
    with pytest.raises(DataError, match=r"another checksum than it should, twice\); put big\.bin into .*by hand"):
        fetch(big(server, sha(b"other")), data, None)
    assert len(server.requests) == 2
    assert not list(data.rglob("big.bin*"))


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusals_are_not_repeated(data: Path, server: WebServer, status: int) -> None:
    server.answers["/big.bin"] = [Answer(status)]
    with pytest.raises(DataError) as caught:
        fetch(big(server), data, None)
    assert str(caught.value) == (
        f"Cannot download {server.url}/big.bin for remote (the server answered {status}); put big.bin into "
        f"{data / 'remote' / 'raw'} by hand, or name a mirror with paths.mirror=… or ECGAN_MIRROR."
    )
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_servers_are_asked_again(data: Path, server: WebServer, status: int) -> None:
    server.answers["/big.bin"] = [Answer(status), Answer(status)]
    fetch(big(server), data, None)
    assert arrived(data) == BIG
    assert [status for status, *_ in sizes(server)] == [status, status, 200]


def test_server_that_stays_busy_is_given_up(data: Path, server: WebServer) -> None:
    server.answers["/big.bin"] = [Answer(503)] * 100
    with pytest.raises(DataError, match=rf"the server answered 503, {transfer.ATTEMPTS} times in a row"):
        fetch(big(server), data, None)
    assert len(server.requests) == transfer.ATTEMPTS


@pytest.mark.parametrize(
    ("header", "longest", "least"),
    [("1", 60.0, 1.0), ("3600", 0.2, 0.2), ("tomorrow", 60.0, 0.0), ("date", 60.0, 1.0)],
    ids=["seconds", "capped", "nonsense", "date"],
)
def test_server_says_how_long_to_wait(
    data: Path,
    server: WebServer,
    monkeypatch: pytest.MonkeyPatch,
    header: str,
    longest: float,
    least: float,
) -> None:
    monkeypatch.setattr(transfer, "LONGEST_WAIT_S", longest)
    if header == "date":
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=2.5), usegmt=True)
    server.answers["/big.bin"] = [Answer(429, {"Retry-After": header})]
    started = time.monotonic()
    fetch(big(server), data, None)
    assert least <= time.monotonic() - started < 30
    assert arrived(data) == BIG


def test_back_off_grows_and_is_capped(data: Path, server: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    server.answers["/big.bin"] = [Answer(503)] * 4
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.INFO, "ecgan"):
        patch.setattr(transfer, "BACKOFF_S", 0.1)
        patch.setattr(transfer, "LONGEST_WAIT_S", 0.3)
        fetch(big(server), data, None)
    waits = [message.rsplit(" ", 2)[1] for message in caplog.messages if "trying again" in message]
    assert waits == ["0.1", "0.2", "0.3", "0.3"]


def test_stalled_server_is_noticed_and_resumed(data: Path, server: WebServer) -> None:
    server.answers["/big.bin"] = [Answer(upto=CUT, stall=True)]
    started = time.monotonic()
    fetch(big(server), data, None)
    assert arrived(data) == BIG
    assert 0.3 <= time.monotonic() - started < 20
    assert server.requests[1].status == 206
    server.finished.set()


def test_server_that_stalls_each_time_is_given_up(data: Path, server: WebServer) -> None:
    server.answers["/big.bin"] = [Answer(upto=0, stall=True)] * 50
    with pytest.raises(DataError, match=r"the server stopped answering, 5 times in a row"):
        fetch(big(server), data, None)
    server.finished.set()


def test_address_that_cannot_be_used_is_one_sentence(data: Path) -> None:
    with pytest.raises(DataError, match=r"^Cannot download nonsense for remote \(.*\); put a\.bin into"):
        fetch(Remote(RemoteFile("a.bin", "nonsense")), data, None)


def test_full_disk_is_not_retried(data: Path, server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: transfer.Resuming, *_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer.Resuming, "_receive", full)
    with pytest.raises(DataError, match=r"^The disk is full while writing .*big\.bin; free some space"):
        fetch(big(server), data, None)
    assert len(server.requests) == 1
