"""Raw files: those that lie there, then a mirror, then the official source; never a wrong or half one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.fetch import download, transfer
from ecgan.data.fetch.download import MARKER, checksums, fetch, places
from ecgan.data.source import BaseSource
from ecgan.data.sources import ucr
from ecgan.data.sources.ecg5000 import ECG5000
from ecgan.data.sources.sine import Sine
from ecgan.data.store import prepare
from ecgan.errors import DataError
from ecgan.types import RemoteFile
from web_server import Answer, WebServer, serving

CONTENT = b"raw content"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Remote(BaseSource):
    """A source that is nothing but its files."""

    name = "remote"

    def __init__(self, *remote: RemoteFile) -> None:
        self.remote = remote


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.01)
    with serving() as running:
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def put(folder: Path, *names: str, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content)
    return folder


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_files_of_the_package_come_first(tmp_path: Path, data: Path) -> None:
    for folder in (data, tmp_path / "mirror"):
        put(folder / "ecg5000" / "raw", "ecg5000.npz", content=b"another")
    raw = fetch(ECG5000(), data, tmp_path / "mirror")
    assert (raw.name, raw.parent.name) == ("bundled", "data")
    assert checksums(ECG5000(), raw, data / "checksums.json")["ecg5000.npz"] == ECG5000.remote[0].sha256


def test_then_by_hand_then_mirror_then_download(tmp_path: Path, data: Path, server: WebServer) -> None:
    server.content["/a.bin"] = CONTENT
    source = Remote(RemoteFile("a.bin", f"{server.url}/a.bin", SHA256))
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    downloaded = fetch(source, data, mirror)
    assert downloaded == data / "remote" / "raw"
    assert (downloaded / "a.bin").read_bytes() == CONTENT
    put(mirror / "remote" / "raw", "a.bin")
    assert fetch(source, data, mirror) == downloaded, "what lies there already comes before the mirror"
    (downloaded / "a.bin").unlink()
    assert fetch(source, data, mirror) == mirror / "remote" / "raw"
    assert [request.path for request in server.requests] == ["/a.bin"]
    assert files_below(data) == ["remote/download.lock"], "nothing is copied from the mirror"


def test_only_what_is_missing_is_downloaded(data: Path, server: WebServer) -> None:
    server.content["/b.bin"] = CONTENT
    put(data / "remote" / "raw", "a.bin")
    fetch(Remote(*(RemoteFile(name, f"{server.url}/{name}") for name in ("a.bin", "b.bin"))), data, None)
    assert [request.path for request in server.requests] == ["/b.bin"]


def test_members_serve_instead_of_their_archive(data: Path) -> None:
    source = Remote(RemoteFile("all.zip", None, "0" * 64, members=("a.tsv", "b.tsv")))
    own = put(data / "remote" / "raw", "a.tsv")
    with pytest.raises(DataError, match=r"all\.zip of remote has no public address"):
        fetch(source, data, None)
    put(own, "b.tsv")
    assert fetch(source, data, None) == own
    assert checksums(source, own, data / "c.json") == {"a.tsv": SHA256, "b.tsv": SHA256}


def test_file_that_is_nowhere_is_named_with_the_place_to_put_it(data: Path) -> None:
    source = Remote(RemoteFile("secret.bin"))
    with pytest.raises(DataError, match=r"secret\.bin of remote .*put secret\.bin into .*remote/raw by hand.*mirror"):
        fetch(source, data, None)


def test_mirror_that_is_no_folder_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(DataError, match=r"mirror .*nowhere is not a folder; correct paths\.mirror or ECGAN_MIRROR"):
        fetch(Remote(RemoteFile("a.bin")), data, tmp_path / "nowhere")


def test_wrong_checksum_is_refused_wherever_the_file_lies(data: Path) -> None:
    own = put(data / "remote" / "raw", "a.bin", content=b"something else")
    source = Remote(RemoteFile("a.bin", None, SHA256))
    for _ in range(2):  # also when the checksum is remembered
        with pytest.raises(
            DataError, match=rf"a\.bin is damaged or another version .*{SHA256[:12]}.*delete the whole folder"
        ):
            checksums(source, own, data / "c.json")
    put(own, "a.bin")
    assert checksums(source, own, data / "c.json") == {"a.bin": SHA256}


def test_remembered_checksum_is_not_used_for_a_changed_file(data: Path) -> None:
    source, cache = Remote(RemoteFile("a.bin")), data / "c.json"
    own = put(data / "remote" / "raw", "a.bin")
    assert checksums(source, own, cache) == {"a.bin": SHA256}
    (key,) = json.loads(cache.read_text())
    cache.write_text(json.dumps({key: "remembered"}))
    assert checksums(source, own, cache) == {"a.bin": "remembered"}, "an unchanged file is not read again"
    os.utime(own / "a.bin", ns=(1, 1))
    assert checksums(source, own, cache) == {"a.bin": SHA256}
    put(own, "a.bin", content=b"longer than before")
    os.utime(own / "a.bin", ns=(1, 1))
    assert checksums(source, own, cache) == {"a.bin": hashlib.sha256(b"longer than before").hexdigest()}


@pytest.mark.parametrize("content", ["", "{", "[1]", "null"])
def test_damaged_memory_of_checksums_is_forgotten(data: Path, content: str) -> None:
    own = put(data / "remote" / "raw", "a.bin")
    (data / "c.json").write_text(content)
    assert checksums(Remote(RemoteFile("a.bin")), own, data / "c.json") == {"a.bin": SHA256}
    assert SHA256 in (data / "c.json").read_text()


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("404", "the server answered 404"),
        ("cut short", "the connection was cut, 5 times in a row"),
        ("wrong checksum", "what came has another checksum than it should, twice"),
        ("refused", "no connection to the server, 5 times in a row"),
    ],
)
def test_failed_download_is_one_sentence(data: Path, server: WebServer, trouble: str, reason: str) -> None:
    url = f"{server.url}/a.bin"
    source = Remote(RemoteFile("a.bin", url, "0" * 64 if trouble == "wrong checksum" else SHA256))
    if trouble != "404":
        server.content["/a.bin"] = CONTENT
    if trouble == "cut short":
        server.answers["/a.bin"] = [Answer(upto=0)] * 5
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # bound but not listening, so the connection is refused
        if trouble == "refused":
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/a.bin"
            source = Remote(RemoteFile("a.bin", url, SHA256))
        with pytest.raises(DataError) as caught:
            fetch(source, data, None)
    sentence = str(caught.value)
    assert sentence.startswith(f"Cannot download {url} for remote ({reason}); put a.bin into")
    assert sentence.endswith("by hand, or name a mirror with paths.mirror=… or ECGAN_MIRROR.")
    assert "\n" not in sentence
    assert not (data / "remote" / "raw" / "a.bin").exists()


def test_place_that_cannot_be_written_is_one_sentence(data: Path, server: WebServer) -> None:
    server.content["/a.bin"] = CONTENT
    put(data, "remote")
    with pytest.raises(DataError, match=r"^Cannot write .*remote/raw \(.*\); choose another folder.*paths\.data"):
        fetch(Remote(RemoteFile("a.bin", f"{server.url}/a.bin")), data, None)
    assert files_below(data) == ["remote"]


def test_checksums_are_written_once_and_for_found_files_only(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[tuple[Path, int]] = []
    monkeypatch.setattr(download, "write_json", lambda path, content: writes.append((path, len(content))))
    own = put(data / "remote" / "raw", "a.bin", "b.bin", "stranger.bin")
    source = Remote(RemoteFile("a.bin"), RemoteFile("b.bin", sha256=SHA256.upper()))
    assert checksums(source, own, data / "c.json") == {"a.bin": SHA256, "b.bin": SHA256}
    assert writes == [(data / "c.json", 2)]


def test_source_without_files_needs_neither_download_nor_checksums(data: Path) -> None:
    raw = fetch(Sine(), data, None)
    assert checksums(Sine(), raw, data / "c.json") == {}
    assert not data.exists()


def test_places_are_listed_in_order(tmp_path: Path, data: Path) -> None:
    mirror = put(tmp_path / "mirror", "x")
    bundled, *others = places(Remote(), data, mirror)
    assert (bundled / "ecg5000.npz").is_file()
    assert others == [data / "remote" / "raw", mirror / "remote" / "raw"]
    assert places(Remote(), data, None) == [bundled, others[0]]


def test_download_succeeds_after_a_failed_one(data: Path, server: WebServer) -> None:
    source = Remote(RemoteFile("a.bin", f"{server.url}/a.bin", SHA256))
    with pytest.raises(DataError, match="404"):
        fetch(source, data, None)
    server.content["/a.bin"] = CONTENT
    assert (fetch(source, data, None) / "a.bin").read_bytes() == CONTENT


def table(n: int) -> str:
    return "\n".join("\t".join(f"{value:.4f}" for value in [i % 2 + 1, *np.sin(np.arange(16) + i)]) for i in range(n))


def test_ucr_set_is_downloaded_unpacked_in_memory_and_stored(
    data: Path, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ucr, "ARCHIVE", server.url)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("Toy_TRAIN.tsv", table(6))
        archive.writestr("Toy_TEST.tsv", table(9))
    server.content["/Toy.zip"] = buffer.getvalue()
    source = ucr.UCR("Toy")
    for _ in range(2):
        raw = fetch(source, data, None)
        store = prepare(source, [], raw, data / "toy" / "processed" / "abc", checksums(source, raw, data / "c.json"))
    assert store.data.shape == (15, 1, 16)
    assert [request.path for request in server.requests] == ["/Toy.zip"]
    assert files_below(raw) == ["Toy.zip"]
    assert not (raw / MARKER).exists()


def test_something_else_in_place_of_the_archive_is_refused(
    data: Path, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ucr, "ARCHIVE", server.url)
    server.content["/Toy.zip"] = b"<html>Please log in</html>"
    source = ucr.UCR("Toy")
    with pytest.raises(
        DataError, match=r"Toy\.zip is damaged \(File is not a zip file\); delete it and fetch it again"
    ):
        source.pieces(fetch(source, data, None))
