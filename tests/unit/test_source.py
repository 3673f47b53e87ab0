"""Lists of checksums that come with a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgan.data.source import SUMS, listed
from ecgan.errors import DataError

URL = "https://example.org/db"
LINES = [f"{i:064x}  {name}" for i, name in enumerate(("a.hea", "./a.dat", "*b.hea", "b.dat", "notes.txt"))]


def write(raw: Path, *lines: str) -> Path:
    (raw / SUMS).write_text("\n".join(lines) + "\n")
    return raw


def test_the_list_comes_first_then_what_it_names(tmp_path: Path) -> None:
    assert [file.name for file in listed(tmp_path, URL)] == [SUMS]
    files = listed(write(tmp_path, *LINES), URL, suffixes=(".hea", ".dat"))
    assert [file.name for file in files] == [SUMS, "a.hea", "a.dat", "b.hea", "b.dat"]
    assert files[2].url == f"{URL}/a.dat"
    assert [file.sha256 for file in files] == [None, *(f"{i:064x}" for i in range(4))]
    assert [file.name for file in listed(tmp_path, URL, ["b.dat"])] == [SUMS, "b.dat"]


@pytest.mark.parametrize(
    "lines",
    [
        ["<html lang=en>", "please log in"],
        [""],
        [*LINES, "0000"],
        [*LINES, f"{7:063x}  short"],
        ["<html>"],
        ["\xff\xfe"],
    ],
)
def test_something_else_does_not_pass_for_a_list(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(DataError, match=rf"{SUMS} is not a list of checksums; delete it"):
        listed(write(tmp_path, *lines), URL, ["a.dat"])


def test_a_list_that_lacks_a_file_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not list c\.dat, so it is not whole"):
        listed(write(tmp_path, *LINES), URL, ["a.dat", "c.dat"])
    with pytest.raises(DataError, match="lists no file of this database"):
        listed(tmp_path, URL, suffixes=(".mat",))
