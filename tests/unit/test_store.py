"""The store: complete or not there at all."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pytest

from ecgan.data import store as store_module
from ecgan.data.source import BaseSource
from ecgan.data.store import Store, open_store, prepare, verify
from ecgan.errors import DataError, EcganError, RunError
from ecgan.preprocess.resample import LTTB, Interpolate
from ecgan.types import FloatArray, Recordings

FACTS: dict[str, Any] = {"name": "given", "hash": "abc"}


class Given(BaseSource):
    """A source that gives what it was given, and counts how often it is read."""

    name = "given"
    classes = ("normal", "odd")

    def __init__(self, chunks: Sequence[Recordings], note: str = "", expected: Mapping[str, int] | None = None) -> None:
        self.chunks, self.note, self.expected, self.reads = chunks, note, expected or {}, 0

    def pieces(self, raw: Path) -> Sequence[Recordings]:
        self.reads += 1
        return self.chunks

    def read(self, raw: Path, piece: Any) -> Recordings:
        return cast("Recordings", piece)


def chunk(n: int = 6, length: int = 8, start: int = 0, **changes: Any) -> Recordings:
    x = np.arange(start * length, (start + n) * length, dtype=np.float64).reshape(n, 1, length)
    y = np.arange(start, start + n) % 2
    plain = Recordings(x, y, 50.0, "mV", group=np.arange(start, start + n) // 3, part=y * 2)
    return replace(plain, **changes)


def left(folder: Path) -> list[str]:
    """Names in the folder of stores, but for the lock that stays."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") if folder.exists() else []


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "given" / "processed" / "abc"


def test_round_trip(target: Path) -> None:
    chunks = [chunk(6), chunk(5, start=6)]
    store = prepare(Given(chunks, note="made up"), [], target, target, FACTS)
    assert (len(store), store.data.shape, store.data.dtype) == (11, (11, 1, 8), np.float32)
    assert np.array_equal(store.data, np.concatenate([np.asarray(c.x) for c in chunks]))
    for name, values in {"y": store.label, "group": store.group, "part": store.part}.items():
        assert values is not None
        assert np.array_equal(values, np.concatenate([getattr(c, name) for c in chunks]))
    assert isinstance(store.data, np.memmap)
    assert not store.data.flags.writeable
    expected = {
        "classes": ["normal", "odd"],
        "counts": {"normal": 6, "odd": 5},
        "unit": "mV",
        "fs_hz": 50.0,
        "note": "made up",
    }
    assert FACTS.items() <= store.manifest.items()
    assert expected.items() <= store.manifest.items()
    assert store.manifest["groups_known"] is True


def test_what_the_source_does_not_know_is_none(target: Path) -> None:
    store = prepare(Given([chunk(group=None, part=None, fs_hz=None)]), [], target, target, FACTS)
    assert (store.group, store.part) == (None, None)
    assert (store.manifest["groups_known"], store.manifest["fs_hz"]) == (False, None)
    assert sorted(path.name for path in target.iterdir()) == ["data.npy", "label.npy", "manifest.json"]


@pytest.mark.parametrize("sizes", [[1], [9, 1], [3, 0, 99], [1] * 120, [50_000, 60_000]])
def test_header_grows_with_the_rows(target: Path, sizes: list[int]) -> None:
    starts = np.cumsum([0, *sizes])
    chunks = [chunk(n, length=1, start=int(start)) for n, start in zip(sizes, starts, strict=False)]
    store = prepare(Given(chunks), [], target, target, FACTS)
    assert np.array_equal(store.data[:, 0, 0], np.arange(sum(sizes), dtype=np.float32))
    assert np.array_equal(np.load(target / "label.npy"), np.arange(sum(sizes)) % 2)


def test_steps_run_in_order(target: Path) -> None:
    store = prepare(Given([chunk(length=30), chunk(4, length=30)]), [LTTB(20), Interpolate(10)], target, target, FACTS)
    assert store.data.shape == (10, 1, 10)
    assert store.manifest["fs_hz"] is None
    shutil.rmtree(target)
    with pytest.raises(DataError, match="cannot lengthen"):
        prepare(Given([chunk(length=30)]), [Interpolate(10), LTTB(20)], target, target, FACTS)


def broken(value: float) -> FloatArray:
    x = np.asarray(chunk().x).copy()
    x[2, 0, 5] = x[4, 0, 0] = value
    return x


REFUSED = {
    "nan": ({"x": broken(np.nan)}, r"2 series with NaN or infinite values \(the first is number 8\)"),
    "inf": ({"x": broken(-np.inf)}, "2 series with NaN or infinite"),
    "too large": ({"x": broken(1e300)}, "2 series with NaN or infinite"),
    "zero length": ({"x": np.zeros((6, 1, 0))}, "zero length"),
    "zero length in a list": ({"x": [np.zeros((1, 0))] * 6}, "zero length"),
    "no channel axis": ({"x": np.zeros((6, 8))}, r"wrong shape \(6, 8\)"),
    "different lengths": ({"x": [np.zeros((1, n)) for n in (8, 9, 7, 8, 8, 8)]}, r"7 to 9 samples\).*interpolate"),
    "other length": ({"x": np.zeros((6, 1, 9))}, r"series of shape \(1, 9\) after series of shape \(1, 8\)"),
    "too few labels": ({"y": np.zeros(5, np.int64)}, "one of each per series"),
    "too many groups": ({"group": np.zeros(7, np.int64)}, "one of each per series"),
    "groups missing": ({"group": None}, "changes its .*groups"),
    "part missing": ({"part": None}, "changes its .*partition"),
    "another rate": ({"fs_hz": 51.0}, "changes its sampling rate"),
    "another unit": ({"unit": "uV"}, "changes its .*unit"),
    "unknown class": ({"y": np.asarray([0, 1, 2, 0, 0, 0])}, "labels from 0 to 2 but 2 classes"),
    "negative label": ({"y": np.asarray([0, -1, 1, 0, 0, 0])}, "labels from -1 to 1"),
}


@pytest.mark.parametrize(("changes", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_unusable_series_are_refused_and_leave_nothing(target: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        prepare(Given([chunk(), chunk(**changes)]), [], target, target, FACTS)
    assert left(target.parent) == []


@pytest.mark.parametrize("chunks", [[], [chunk(0)]])
def test_no_series_at_all_is_refused(target: Path, chunks: list[Recordings]) -> None:
    with pytest.raises(DataError, match="no usable series"):
        prepare(Given(chunks), [], target, target, FACTS)
    assert left(target.parent) == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "truncated": lambda store: truncate(store / "data.npy"),
    "longer": lambda store: (store / "label.npy").write_bytes((store / "label.npy").read_bytes() + b"\0" * 8),
    "emptied": lambda store: (store / "group.npy").write_bytes(b""),
    "no array": lambda store: (store / "part.npy").write_bytes(b"something else"),
    "missing": lambda store: (store / "data.npy").unlink(),
    "another array": lambda store: shutil.copy(store / "label.npy", store / "data.npy"),
    "manifest cut": lambda store: truncate_json(store / "manifest.json"),
    "manifest of something else": lambda store: (store / "manifest.json").write_text("{}"),
    "manifest is a list": lambda store: (store / "manifest.json").write_text("[]"),
}


def truncate_json(path: Path) -> None:
    path.write_text(path.read_text()[:40])


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_store_is_refused_and_built_again_once_deleted(target: Path, damage: Callable[[Path], Any]) -> None:
    source = Given([chunk()])
    prepare(source, [], target, target, FACTS)
    damage(target)
    for _ in range(2):
        with pytest.raises(DataError, match=r"damaged or incomplete; delete .*processed/abc and run"):
            prepare(source, [], target, target, FACTS)
    shutil.rmtree(target)
    assert len(prepare(source, [], target, target, FACTS)) == 6


def test_half_deleted_store_is_built_again(target: Path) -> None:
    source = Given([chunk()])
    prepare(source, [], target, target, FACTS)
    (target / "manifest.json").unlink()
    assert np.array_equal(prepare(source, [], target, target, FACTS).data, np.asarray(chunk().x))
    assert source.reads == 2


def test_existing_store_is_opened_without_reading(target: Path) -> None:
    source = Given([chunk()])
    for _ in range(3):
        prepare(source, [], target, target, FACTS)
    assert source.reads == 1


class FullDisk:
    """A stream that writes until there is no room left."""

    def __init__(self, stream: IO[bytes], room: int) -> None:
        self.stream, self.room = stream, room

    def write(self, content: Any) -> int:
        self.room -= memoryview(content).nbytes
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.stream.write(content)

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self.stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@pytest.mark.parametrize("room", [0, 128, 2000, 20_000], ids=["header", "first chunk", "second chunk", "manifest"])
def test_full_disk_leaves_nothing_that_a_later_run_would_trust(
    target: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, source = Path.open, Given([chunk(50), chunk(50, start=50)])

    def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if path.name == "manifest.json" or path.name.startswith(".manifest"):
            raise OSError(errno.ENOSPC, "No space left on device")
        stream = real(path, mode, *args, **kwargs)
        return FullDisk(stream, room) if path.suffix == ".npy" else stream

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(RunError, match=r"The disk is full .*; free some space and run the same command again"):
            prepare(source, [], target, target, FACTS)
    assert left(target.parent) == []
    assert len(prepare(source, [], target, target, FACTS)) == 100


def test_interrupted_build_leaves_nothing(target: Path) -> None:
    class Interrupted(Given):
        def read(self, raw: Path, piece: Any) -> Recordings:
            if piece.group[0]:
                raise KeyboardInterrupt
            return super().read(raw, piece)

    with pytest.raises(KeyboardInterrupt):
        prepare(Interrupted([chunk(), chunk(start=6)]), [], target, target, FACTS)
    assert left(target.parent) == []


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    target = tmp_path / "file" / "processed" / "abc"
    with pytest.raises(EcganError, match=r"Cannot create .*file/processed .*paths\.data"):
        prepare(Given([chunk()]), [], target, target, FACTS)


def test_opened_store_is_the_prepared_one(toy_store: Store) -> None:
    again = open_store(toy_store.directory)
    assert np.array_equal(again.data, toy_store.data)
    assert again.manifest == json.loads((toy_store.directory / "manifest.json").read_text())
    assert store_module.ARRAYS == ("data", "label", "group", "part")


def test_changed_values_are_noticed_by_checksum(target: Path) -> None:
    store = prepare(Given([chunk()]), [], target, target, FACTS)
    verify(store)
    content = bytearray((target / "data.npy").read_bytes())
    content[-2] ^= 1
    (target / "data.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"data\.npy was changed since it was written; delete .*processed/abc"):
        verify(open_store(target))
