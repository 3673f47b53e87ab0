"""Damaged tables get one sentence, whatever the reader stumbles over."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ecgan.data.formats.tables import read_numbers, read_table
from ecgan.errors import DataError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pd.DataFrame({"Name": ["a", "b"], "Number": ["1", "2"]}).to_excel(tmp_path / "t.xlsx", index=False)
    return tmp_path / "t.xlsx"


def rewritten(path: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, old in content.items():
            archive.writestr(name, change(old) if name == member else old)


def garbled(path: Path) -> None:
    """Damage what is compressed, so that it cannot be inflated."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("xl/worksheets/sheet1.xml")
    content = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len(info.filename)
    content[start : start + 30] = b"\xff" * 30
    path.write_bytes(content)


def foreign_compression(path: Path) -> None:
    """Name a compression method that nobody has."""
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    while at >= 0:
        content[at + 10 : at + 12] = (99).to_bytes(2, "little")
        at = content.find(b"PK\x01\x02", at + 1)
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "inflate": garbled,
    "method": foreign_compression,
    "xml": lambda path: rewritten(path, "xl/worksheets/sheet1.xml", lambda old: old[: len(old) // 2]),
    "no sheet": lambda path: rewritten(path, "xl/workbook.xml", lambda _: b"<workbook/>"),
    "a value": lambda path: rewritten(path, "xl/worksheets/sheet1.xml", lambda old: old.replace(b'r="A2"', b'r="?"')),
    "empty": lambda path: path.write_text("") and None,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_xlsx_gets_a_sentence(path: Path, damage: Callable[[Path], None]) -> None:
    assert read_table(path, ("Number",))["Number"].tolist() == ["1", "2"]
    damage(path)
    with pytest.raises(DataError, match=r"t\.xlsx cannot be read as a table \(.+\); delete it and fetch it again"):
        read_table(path, ("Number",))


@pytest.mark.parametrize("error", [TypeError("odd"), NotImplementedError(), SyntaxError("no element found")])
def test_whatever_the_reader_raises(path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(pd, "read_excel", fail)
    with pytest.raises(DataError, match=str(error) or "NotImplementedError"):
        read_table(path, ("Number",))


def test_a_missing_xlsx_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.xlsx is missing"):
        read_table(tmp_path / "t.xlsx", ("Number",))


@pytest.mark.parametrize("content", [b"", b"1,2\n1\n", b"1,2\n1,x\n"])
def test_wrong_numbers_name_what_helps(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^t\.csv .*(put a whole copy there|a finite number belongs there)\.$"):
        read_numbers(content, 2, "t.csv")
