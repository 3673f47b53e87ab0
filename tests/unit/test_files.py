"""Nobody ever sees half a file."""

from __future__ import annotations

import errno
import hashlib
import math
from pathlib import Path

import pytest

from ecgan.errors import DataError, RunError
from ecgan.files import (
    digest,
    explain_os_error,
    read_json,
    reading,
    remove_leftovers,
    replacing,
    sha256_of,
    write_json,
    write_text,
)


def test_file_appears_under_its_name_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder" / "file.txt"
    with replacing(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.parent == target.parent, "a rename is atomic within one folder only"
    assert target.read_text() == "half"
    assert list(target.parent.iterdir()) == [target]


def test_old_content_stays_until_the_new_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
@pytest.mark.parametrize("as_folder", [False, True])
def test_nothing_is_left_when_the_block_fails(tmp_path: Path, error: BaseException, as_folder: bool) -> None:
    target = tmp_path / "thing"

    def fail() -> None:
        with replacing(target) as temporary:
            if as_folder:
                temporary.mkdir()
                (temporary / "content").write_text("half")
            else:
                temporary.write_text("half")
            raise error

    with pytest.raises(RunError if isinstance(error, OSError) else type(error)):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "notes.json"
    with replacing(target) as one, replacing(target) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert target.read_text() == "one", "the outer one is renamed last"
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_read_is_not_told_as_something_to_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read .*missing\.dat \(No such file"), reading(tmp_path):
        (tmp_path / "missing.dat").read_bytes()
    with pytest.raises(DataError, match=f"Cannot read {tmp_path} "), reading(tmp_path):
        raise OSError(errno.EIO, "Input/output error")


def test_full_disk_says_so() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT):
        sentence = explain_os_error(OSError(number, "whatever"), Path("a/b"))
        assert sentence.startswith("The disk is full while writing a/b")


def test_unwritable_place_says_so_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"Cannot write .*file.below.*paths\.outputs"):
        write_text(tmp_path / "file" / "below", "text")
    assert (tmp_path / "file").read_text() == "in the way"


def test_folder_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "name").mkdir()
    (tmp_path / "name" / "precious").write_text("x")
    with pytest.raises(RunError, match="Cannot write"):
        write_text(tmp_path / "name", "text")
    assert (tmp_path / "name" / "precious").read_text() == "x"
    assert list(tmp_path.iterdir()) == [tmp_path / "name"]


def test_json_round_trip_and_nan_becomes_null(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"x": [1, 2.5, math.nan], "y": {"z": math.inf}, "t": ("ä", True, None)})
    assert read_json(path) == {"x": [1, 2.5, None], "y": {"z": None}, "t": ["ä", True, None]}


def test_missing_and_damaged_json_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none\.json is missing"):
        read_json(tmp_path / "none.json")
    damaged = tmp_path / "damaged.json"
    damaged.write_text('{"a": 1')
    with pytest.raises(RunError, match=r"damaged\.json is damaged"):
        read_json(damaged)
    damaged.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match=r"damaged\.json is damaged"):
        read_json(damaged)


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_digest_ignores_the_order_of_keys_and_nothing_else() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1, "b": [1, 2]}) != digest({"a": 1, "b": [2, 1]})
    assert digest({"a": 1}) != digest({"a": 1.5})
    with pytest.raises(ValueError, match="JSON compliant"):
        digest({"a": math.nan})


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    kept = [tmp_path / "fold_0" / "last.ckpt", tmp_path / ".lock", tmp_path / "notes.part"]
    left = [tmp_path / "fold_0" / ".last.ckpt.0a1b2c3d.part", tmp_path / ".report.4d.part"]
    for path in (*kept, left[0], left[1] / "file"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    remove_leftovers(tmp_path)
    assert {path for path in tmp_path.rglob("*") if path.name != "fold_0"} == set(kept)
