"""Zip files from elsewhere: good ones unpack whole, bad ones write nothing."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from ecgan.data.formats import archive
from ecgan.data.formats.archive import is_inside, unpack
from ecgan.errors import DataError

MEMBERS = {"all/a.csv": b"1,2\n" * 100, "all/b.csv": b"3,4\n", "__MACOSX/all/._a.csv": b"x"}


def pack(path: Path, members: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def test_everything_or_what_is_wanted(tmp_path: Path, into: Path) -> None:
    packed = pack(tmp_path / "a.zip", dict(MEMBERS))
    assert unpack(packed, into, lambda name: name.startswith("all/")) == ("all/a.csv", "all/b.csv")
    assert files_below(into) == {name: content for name, content in MEMBERS.items() if name.startswith("all/")}
    assert unpack(packed, into) == tuple(MEMBERS)
    assert files_below(into) == MEMBERS


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil", "c:evil", "\\\\host\\evil"]
)
def test_member_that_leaves_the_folder(tmp_path: Path, into: Path, name: str) -> None:
    packed = pack(tmp_path / "a.zip", {"good.csv": b"1", name: b"evil"})
    with pytest.raises(DataError, match=r"member '.*evil' of .*a\.zip would be written outside the folder"):
        unpack(packed, into, lambda member: member == "good.csv")
    assert not into.exists()
    assert not list(tmp_path.rglob("*evil*"))


def test_symbolic_link(tmp_path: Path, into: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DataError, match=r"member 'link' of .* is a link or a device"):
        unpack(pack(tmp_path / "a.zip", {link: b"/etc/passwd"}), into)
    assert not into.exists()


def test_encrypted_member(tmp_path: Path, into: Path) -> None:
    packed = pack(tmp_path / "a.zip", {"a.csv": b"1"})
    content = bytearray(packed.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    packed.write_bytes(content)
    with pytest.raises(DataError, match=r"member 'a\.csv' of .* is encrypted"):
        unpack(packed, into)


def test_bombs(tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(tmp_path / "a.zip", {"zeros": bytes(2**21)})
    with pytest.raises(DataError, match=r"member 'zeros' of .* would grow from 2,\d\d\d to 2,097,152 bytes"):
        unpack(packed, into)
    with pytest.raises(DataError, match=r"would unpack to 2,097,152 bytes, more than the 2,000,000 that are sensible"):
        unpack(packed, into, max_bytes=2_000_000)
    assert not into.exists()
    monkeypatch.setattr(archive, "SMALL", 2**22)
    assert unpack(packed, into) == ("zeros",)


def test_member_longer_than_it_says(tmp_path: Path, into: Path) -> None:
    packed = pack(tmp_path / "a.zip", {"a.csv": b"0123456789" * 1000})
    content = packed.read_bytes().replace((10_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    packed.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip is damaged \(.*\); delete it and fetch it again"):
        unpack(packed, into)
    assert files_below(into) == {}


def test_two_members_of_one_name(tmp_path: Path, into: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed = pack(tmp_path / "a.zip", {"a.csv": b"1", zipfile.ZipInfo("a.csv"): b"2"})
    with pytest.raises(DataError, match=r"a\.zip holds two members of one name"):
        unpack(packed, into)


@pytest.mark.parametrize("damage", ["html", "truncated", "flipped"])
def test_damaged_archive(tmp_path: Path, into: Path, damage: str) -> None:
    packed = pack(tmp_path / "a.zip", {"a.csv": bytes(range(256)) * 40})
    content = packed.read_bytes()
    middle = len("PK") + 60
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    packed.write_bytes({"html": b"<html>", "truncated": content[:-30], "flipped": flipped}[damage])
    with pytest.raises(DataError, match=r"a\.zip is damaged \(.*\); delete it and fetch it again"):
        unpack(packed, into)
    assert not (into / "a.csv").exists()


def test_archive_that_is_not_there(tmp_path: Path, into: Path) -> None:
    with pytest.raises(DataError, match=r"a\.zip is missing"):
        unpack(tmp_path / "a.zip", into)


@pytest.mark.parametrize("name", ["a", "a/b.dat", "a..b", ".hidden", "WFDBRecords/01/010/JS00001.mat"])
def test_ordinary_names_are_inside(name: str) -> None:
    assert is_inside(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a\0b"])
def test_names_that_name_no_file(name: str) -> None:
    assert not is_inside(name)
