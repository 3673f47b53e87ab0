"""Bundles behind an address: a server on this machine, a bucket on this machine, and what is no place for a bundle."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import ecgan
from ecgan.data.fetch import transfer
from ecgan.errors import ConfigError, DataError, EcganError
from ecgan.publish import places
from ecgan.publish.bundle import Request, publish
from published_detectors import of_test_part
from web_server import Answer, WebServer, serving


@pytest.fixture(scope="session")
def packed(several: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("packed") / "b.zip"
    publish(Request(several, place))
    return place


@pytest.fixture
def server(packed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.0)
    with serving() as running:
        running.content["/b.zip"] = packed.read_bytes()
        yield running


def test_from_a_web_server(server: WebServer, several: Path, packed: Path) -> None:
    x, table = of_test_part(several, "pca")
    detector = ecgan.load(f"{server.url}/b.zip", "pca", sha256=ecgan.load(packed).sha256)
    assert detector.score(x).tolist() == table["score"].tolist()


def test_a_cut_connection_goes_on(server: WebServer) -> None:
    server.etag["/b.zip"] = '"1"'
    server.answers["/b.zip"] = [Answer(upto=100_000), Answer(status=503)]
    assert ecgan.load(f"{server.url}/b.zip").names == ("reconstruction", "knn", "pca")
    assert server.asked("/b.zip")[2].range == f"bytes={transfer.CHUNK}-"


def test_what_came_is_checked(server: WebServer) -> None:
    content = bytearray(server.content["/b.zip"])
    content[len(content) // 2] ^= 1
    server.content["/b.zip"] = bytes(content)
    with pytest.raises(EcganError, match="its seal does not fit"):
        ecgan.load(f"{server.url}/b.zip")


@pytest.mark.parametrize("name", ["nowhere.zip", "text.zip"])
def test_what_is_no_bundle(server: WebServer, name: str) -> None:
    server.content["/text.zip"] = b"text"
    with pytest.raises(EcganError, match=r"Cannot download .*the server answered 404|its seal does not fit"):
        ecgan.load(f"{server.url}/{name}")


def test_more_than_is_sensible(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="it is larger than 1,000 bytes"):
        ecgan.load(f"{server.url}/b.zip")


def test_without_encryption_from_this_machine_only(server: WebServer) -> None:
    """Also where a redirection leads there."""
    with pytest.raises(DataError, match=r"Cannot download http://192\.0\.2\.1/b\.zip \(Unencrypted"):
        ecgan.load("http://192.0.2.1/b.zip")
    server.answers["/moved.zip"] = [Answer(status=302, headers={"Location": "http://192.0.2.1/b.zip"})]
    with pytest.raises(DataError, match="Unencrypted"):
        ecgan.load(f"{server.url}/moved.zip")


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/b.zip"])
def test_a_redirection_to_another_kind_of_place(server: WebServer, place: str) -> None:
    server.answers["/moved.zip"] = [Answer(status=302, headers={"Location": place})]
    with pytest.raises(DataError, match=r"Cannot download .*\(InvalidSchema\)"):
        ecgan.load(f"{server.url}/moved.zip")


@pytest.mark.parametrize("place", ["ftp://host/b.zip", "file:///b.zip", "gs://bucket/b.zip"])
def test_other_addresses(place: str) -> None:
    with pytest.raises(ConfigError, match="is no place that bundles are read from"):
        ecgan.load(place)


@pytest.mark.parametrize(
    ("host", "own"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("127.0.0.1.example.org", False), ("10.0.0.1", False)],
)
def test_this_machine(host: str, own: bool) -> None:
    assert places._is_loopback(host) is own


@pytest.fixture
def bucket(packed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket on a server on this machine, with the bundle in it."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    import s3fs

    files = s3fs.S3FileSystem(skip_instance_cache=True)
    with contextlib.suppress(FileExistsError):
        files.mkdir("models")
    files.put_file(str(packed), "models/b.zip")
    yield "s3://models"
    running.stop()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_from_a_bucket(bucket: str, several: Path, packed: Path) -> None:
    x, table = of_test_part(several, "pca")
    detector = ecgan.load(f"{bucket}/b.zip", "pca")
    assert detector.score(x).tolist() == table["score"].tolist()
    assert detector.sha256 == ecgan.load(packed).sha256
    with pytest.raises(DataError, match=r"other\.zip"):
        ecgan.load(f"{bucket}/other.zip")
    with pytest.raises(EcganError):
        ecgan.load("s3://nobody/b.zip")


def test_a_bucket_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigError, match=r"pip install 'ecgan\[s3\]'"):
        ecgan.load("s3://models/b.zip")
