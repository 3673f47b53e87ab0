"""Bundles of a few bytes: the same bytes whenever they are made, and not one of them can be changed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ecgan.errors import EcganError, RunError
from ecgan.files import digest
from ecgan.publish.manifest import MANIFEST, opened, pack, verify, write_manifest

FILES = {"a.json": b"{}\n", "inner/b.bin": bytes(range(40))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "bundle"
    for name, content in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    write_manifest(place)
    return place


@pytest.fixture
def packed(folder: Path) -> Path:
    pack(folder, folder.with_suffix(".zip"))
    return folder.with_suffix(".zip")


def seal(path: Path) -> None:
    """Put the right seal under a zip file that somebody has changed."""
    from ecgan.publish.manifest import SEAL, _sealed

    with path.open("r+b") as stream:
        stream.write(_sealed(stream, path.stat().st_size)[:SEAL])


def test_folder_and_zip_hold_the_same(folder: Path, packed: Path) -> None:
    with opened(packed) as (unpacked, sha256):
        assert {name: (unpacked / name).read_bytes() for name in FILES} == FILES
        assert sha256 == verify(folder) == verify(unpacked)
        assert len(sha256) == 64
    assert not unpacked.exists()
    with opened(folder) as found:
        assert found == (folder, sha256)


def test_the_same_files_give_the_same_zip(folder: Path, packed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    for file in copy.rglob("*"):
        os.utime(file, (1, 1))
    (copy / "a.json").chmod(0o600)
    pack(copy, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None


def test_a_flipped_bit_of_any_byte_of_a_folder_is_refused(folder: Path) -> None:
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        content = file.read_bytes()
        for position in range(len(content)):
            for bit in (1, 32):
                changed = bytearray(content)
                changed[position] ^= bit
                file.write_bytes(bytes(changed))
                with pytest.raises(RunError, match=r"changed or is damaged|lacks|holds|format"):
                    verify(folder)
        file.write_bytes(content)
    verify(folder)


def test_a_flipped_bit_of_any_byte_of_a_zip_is_refused(packed: Path) -> None:
    content = packed.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        packed.write_bytes(bytes(changed))
        with pytest.raises(EcganError), opened(packed):
            pass
    for end in (0, 1, 63, 64, len(content) - 1):
        packed.write_bytes(content[:end])
        with pytest.raises(EcganError), opened(packed):
            pass
    packed.write_bytes(content)
    with opened(packed):
        pass


def link(folder: Path) -> None:
    (folder / "a.json").unlink()
    (folder / "a.json").symlink_to(folder.parent / "a.json")
    (folder.parent / "a.json").write_bytes(FILES["a.json"])


def link_of_a_folder(folder: Path) -> None:
    (folder / "inner").rename(folder.parent / "outer")
    (folder / "inner").symlink_to(folder.parent / "outer")


def other_format(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    rest = {"format": 99, "files": content["files"]}
    text = json.dumps(rest | {"sha256": digest(rest)}, indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text)


def outside(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    rest = {"format": 1, "files": content["files"] | {"../c": {"bytes": 0, "sha256": ""}}}
    text = json.dumps(rest | {"sha256": digest(rest)}, indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "file too many": (lambda folder: (folder / "c").write_text(""), "holds, though it is not of the bundle, the file"),
    "file too few": (lambda folder: (folder / "a.json").unlink(), "lacks the file 'a.json'"),
    "longer file": (lambda folder: (folder / "a.json").write_bytes(b"{}\n\n"), "'a.json' of .* was changed"),
    "link": (link, "is a link or a device"),
    "link of a folder": (link_of_a_folder, "is a link or a device"),
    "device": (lambda folder: os.mkfifo(folder / "pipe"), "is a link or a device"),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), "manifest.json was changed or is damaged"),
    "list as manifest": (lambda folder: (folder / MANIFEST).write_text("[]"), "manifest.json was changed"),
    "deep manifest": (lambda folder: (folder / MANIFEST).write_text("[" * 10**5), "manifest.json was changed"),
    "huge manifest": (lambda folder: (folder / MANIFEST).write_bytes(b" " * 2**21), "manifest.json was changed"),
    "name outside": (outside, "manifest.json was changed"),
    "another format": (other_format, "has the format 99"),
}


@pytest.mark.parametrize(("change", "part"), WRONG.values(), ids=WRONG)
def test_what_is_not_as_published_is_refused(folder: Path, change: Callable[[Path], object], part: str) -> None:
    change(folder)
    with pytest.raises(RunError, match=part):
        verify(folder)


def with_member(path: Path, info: zipfile.ZipInfo, content: bytes) -> None:
    comment = bytes(64)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, content)
        archive.comment = comment
    seal(path)


@pytest.mark.parametrize("name", ["../evil", "/evil", "inner/../../evil", "..\\evil"])
def test_a_member_that_leaves_the_folder_is_refused(packed: Path, name: str) -> None:
    with_member(packed, zipfile.ZipInfo(name), b"evil")
    with pytest.raises(EcganError, match="would be written outside the folder"), opened(packed):
        pass
    assert not list(packed.parent.parent.glob("evil"))


def test_a_link_in_a_zip_is_refused(packed: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with_member(packed, info, b"/etc/passwd")
    with pytest.raises(EcganError, match="is a link or a device"), opened(packed):
        pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(packed: Path) -> None:
    with_member(packed, zipfile.ZipInfo("a.json"), b"{}\n")
    with pytest.raises(EcganError, match="two members of one name"), opened(packed):
        pass


def test_a_member_that_would_fill_the_disk_is_refused(packed: Path) -> None:
    info = zipfile.ZipInfo("zeros")
    info.compress_type = zipfile.ZIP_DEFLATED
    with_member(packed, info, bytes(2**24))
    with pytest.raises(EcganError, match="would unpack to"), opened(packed):
        pass


def test_nothing_is_unpacked_before_the_seal_was_compared(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(packed.read_bytes())
    content[-1] ^= 1
    packed.write_bytes(bytes(content))
    monkeypatch.setattr("ecgan.publish.manifest.unpack", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(RunError, match="its seal does not fit"), opened(packed):
        pass


def test_a_zip_with_the_right_seal_but_another_file_is_refused(packed: Path) -> None:
    with_member(packed, zipfile.ZipInfo("c"), b"")
    with pytest.raises(RunError, match="not of the bundle, the file 'c'"), opened(packed):
        pass


def test_a_zip_packed_by_hand_is_refused_with_advice(folder: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "mine"), "zip", folder)
    with pytest.raises(RunError, match="unpack it and name the folder"), opened(tmp_path / "mine.zip"):
        pass


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("text")
    with pytest.raises(EcganError, match="its seal does not fit"), opened(tmp_path / "text.zip"):
        pass
