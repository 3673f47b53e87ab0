"""Checkpoints in a bucket on this machine: compared, tried again, given up."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ecgan
from commands import TINY, Command
from ecgan import checks
from ecgan.config import compose
from ecgan.errors import ConfigError, RunError
from ecgan.files import sha256_of
from ecgan.track import remote
from ecgan.track.marks import read
from ecgan.track.remote import upload
from ecgan.track.sync import sync
from tracked_runs import with_trackers

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # sockets of the server in this process


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A file system that starts with an empty bucket called runs."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setattr(remote, "PAUSES_S", (0.0, 0.0, 0.0))
    import s3fs

    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    with contextlib.suppress(FileNotFoundError):
        files.rm("runs", recursive=True)
    files.mkdir("runs")
    return files


@pytest.fixture
def two(tmp_path: Path) -> dict[str, Path]:
    for name, content in {"a.ckpt": b"a" * 100_000, "b.ckpt": b"b" * 7}.items():
        (tmp_path / name).write_bytes(content)
    return {f"fold_0/{name}": tmp_path / name for name in ("a.ckpt", "b.ckpt")}


def spoiled(monkeypatch: pytest.MonkeyPatch, times: int, content: bytes | None = None) -> list[str]:
    """Let the first copies arrive as something else, or not at all; return what is copied."""
    import s3fs

    copied: list[str] = []
    put = s3fs.S3FileSystem._put_file

    async def put_file(self: Any, local: str, target: str, **given: Any) -> None:
        copied.append(target)
        if len(copied) > times:
            await put(self, local, target, **given)
        elif content is None:
            raise ConnectionError("reset")
        else:
            await self._pipe_file(target, content)

    monkeypatch.setattr(s3fs.S3FileSystem, "_put_file", put_file)
    return copied


def test_what_is_there_is_not_copied_again(bucket: Any, two: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    copied = spoiled(monkeypatch, 0)
    upload(two, "s3://runs/here")
    assert bucket.cat_file("runs/here/fold_0/b.ckpt") == b"b" * 7
    upload(two, "s3://runs/here/")
    assert len(copied) == 2


@pytest.mark.parametrize("content", [None, b"", b"b" * 100_000], ids=["refused", "too short", "same size"])
def test_what_arrives_damaged_is_copied_again(
    bucket: Any, two: dict[str, Path], monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    copied, pauses = spoiled(monkeypatch, 2, content), list[float]()
    upload(two, "s3://runs", pauses.append)
    assert len(copied) == 4
    assert len(pauses) == 2
    assert bucket.cat_file("runs/fold_0/a.ckpt") == b"a" * 100_000


def test_pauses_grow_and_end() -> None:
    assert list(remote.PAUSES_S) == sorted(set(remote.PAUSES_S))
    assert len(remote.PAUSES_S) == 3


def test_in_the_end_it_is_given_up(bucket: Any, two: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    copied = spoiled(monkeypatch, 4, b"x")
    with pytest.raises(RunError, match=r"1 of 2 files .* fold_0/a\.ckpt \(what was read back differs\)"):
        upload(two, "s3://runs")
    assert len(copied) == 5, "the other file is copied all the same"
    with pytest.raises(RunError, match="2 of 2 files"):
        upload(two, "s3://nobody/has/this")


def test_a_run_with_copies_and_bundles(command: Command, bucket: Any) -> None:
    command("train", *TINY, "tracker.checkpoints=s3://runs/mine", "tracker.artifact=true").worked()
    (run,) = [file.parent for file in command.folder.rglob("run.json")]
    place = f"runs/mine/local/ecgan/default/{run.name}"
    names = {name.removeprefix(f"{place}/") for name in bucket.find(place)}
    assert names == {
        f"fold_{fold}/{name}"
        for fold in (0, 1)
        for name in ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "bundle.zip")
    }
    there = command.folder / "there.ckpt"
    bucket.get_file(f"{place}/fold_1/checkpoints/best.ckpt", str(there))
    assert sha256_of(there) == sha256_of(run / "fold_1" / "checkpoints" / "best.ckpt")
    assert ecgan.load(f"s3://{place}/fold_0/bundle.zip").names == ("knn",)


def test_a_run_whose_bucket_is_gone(command: Command, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    out = command("train", *TINY, "tracker.checkpoints=s3://gone").worked()
    assert out.count("Warning:") == out.count("not everything was sent to tracker.checkpoints (") == 1
    (run,) = [file.parent for file in command.folder.rglob("run.json")]
    assert (run / "fold_1" / "checkpoints" / "best.ckpt").is_file()
    assert [read(run)[name]["checkpoints"]["sent"] for name in ("fold_0", "fold_1", "summary")] == [False] * 3
    bucket.mkdir("gone")
    assert command("report", "--sync", "outputs").worked() == "3 folds and summaries sent.\n"
    assert len(bucket.find("gone")) == 4
    assert command("report", "--sync", "outputs").worked() == "Nothing was sent.\n"


def test_a_folder_is_an_address_too(tiny_run: Path, tmp_path: Path) -> None:
    run = with_trackers(tiny_run, tmp_path, f"tracker.checkpoints=file://{tmp_path}/copies")
    assert sync([str(run)]).failed == []
    assert len(list((tmp_path / "copies").rglob("*.ckpt"))) == 4


@pytest.mark.parametrize("address", ["bucket/prefix", "s4://bucket", "s3://", "/folder"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ConfigError, match=r"tracker\.checkpoints is"):
        compose([f"tracker.checkpoints={address}"])


def test_an_address_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", {}.get)
    with pytest.raises(ConfigError, match=r"pip install 'ecgan\[s3\]'"):
        compose(["tracker.checkpoints=s3://runs"])
