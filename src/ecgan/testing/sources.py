"""The battery that every source of the suite passes."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from ecgan.data.pool import in_order
from ecgan.data.source import Source
from ecgan.errors import EcganError
from ecgan.files import reading
from ecgan.types import TRAIN, UNUSED, IntArray, Recordings

MakeSource = Callable[[], Source]
SAFE = re.compile(r"\w[\w.-]*")
COLUMNS = ("group", "part")


def check_source(make: MakeSource, raw: Path) -> None:
    """Run all checks on a source.

    A source that reads a file of the user's own, wherever its folder is copied to, is not shown damaged files: its own
    tests must do that.

    Args:
        make: builds it, such as ``lambda: build(compose(["dataset=mitbih"]).dataset)``.
        raw: folder of complete raw files; tiny ones, since they are read a few times for each file.

    Raises:
        AssertionError: saying what the source gets wrong.
    """
    check_files(make, raw)
    check_reading(make, raw)
    if make().place is None:
        check_damage(make, raw)


def check_files(make: MakeSource, raw: Path) -> None:
    """The source finds its files where they are, and nothing where they are not."""
    source, name = make(), _name(make())
    assert isinstance(source, Source), f"{name} lacks {_lacking(source)}; derive it from ecgan.data.source.BaseSource"
    for word in (source.name, source.folder):
        assert SAFE.fullmatch(word), f"{name} calls itself {word!r}, which cannot be the name of a folder"
    found = source.found(raw)
    missing = [file for file in found if not (raw / file).is_file()]
    assert not missing, f"{name} says that it has found {missing[0]}, which is not in {raw}"
    assert found or not source.files(raw), f"{name} does not find its files in {raw}"
    with tempfile.TemporaryDirectory() as empty:
        if found and source.place is None:
            assert not make().found(Path(empty)), f"{name} finds files in an empty folder"


def check_reading(make: MakeSource, raw: Path) -> None:
    """All pieces hold sound recordings; they come from the files that are named, and are the same in any process."""
    source, name = make(), _name(make())
    before = _contents(raw)
    read = _read(source, raw)
    assert _contents(raw) == before, f"{name} changes its raw files"
    _check_facts(source, read)
    for recordings in read:
        _check_recordings(source, recordings)
    kinds = {(one.fs_hz, one.unit, one.group is None, one.part is None) for one in read if len(one.y)}
    assert kinds, f"{name} reads no series at all"
    assert len(kinds) == 1, f"{name} changes sampling rate, unit, groups or partition between pieces: {kinds}"
    told = any(one.group is not None for one in read) or not source.card.patients or source.note
    assert told, f"{name} has patients in its card, but gives no groups and no note that says why"
    again = make()
    pieces = [*again.pieces(raw)]
    twice = [*in_order(partial(again.read, raw), [*reversed(pieces), *pieces], 2)]  # as a store is built
    for elsewhere in (twice[: len(pieces)][::-1], twice[len(pieces) :]):
        assert _same(read, elsewhere), f"{name} reads something else in another process, or in another order"
    with tempfile.TemporaryDirectory() as folder:
        alone = _copied(raw, source.found(raw) or before, Path(folder))
        assert _same(read, _read(make(), alone)), f"{name} reads files that found() does not name"


def check_damage(make: MakeSource, raw: Path) -> None:
    """A file that ends too early is refused in a sentence, if at all; an empty one is, unless nobody reads it."""
    source = make()
    name, found, whole = _name(source), source.found(raw), _read(source, raw)
    for file in found:
        content = (raw / file).read_bytes()
        for kept in (0, len(content) // 2):
            with tempfile.TemporaryDirectory() as folder:
                place = _copied(raw, found, Path(folder))
                (place / file).write_bytes(content[:kept])
                try:
                    read = _read(make(), place)
                except EcganError:
                    continue
                except Exception as error:
                    what = f"{name} fails with {type(error).__name__} at {kept} of {len(content)} bytes of {file}"
                    raise AssertionError(f"{what}; raise a DataError that names the file") from error
            assert kept or _same(read, whole), f"{name} takes an empty {file} for a whole one"


def _check_facts(source: Source, read: Iterable[Recordings]) -> None:
    """What is said of the data, some of it known only once the files were looked at."""
    name, classes = _name(source), source.classes
    assert classes, f"{name} has no classes"
    assert len(set(classes)) == len(classes), f"{name} has two classes of one name: {classes}"
    assert source.version, f"{name} has no version"
    assert source.card.title, f"the card of {name} has no title"
    assert source.card.license, f"the card of {name} does not say on which terms the data may be used"
    unknown = set(source.expected) - {*classes, "records"}
    assert not unknown, f"{name} expects series of {sorted(unknown)}, which are no classes"
    labels = {int(label) for one in read for label in np.asarray(one.y)}
    assert labels <= set(range(len(classes))), f"{name} gives labels {sorted(labels)} but has {len(classes)} classes"


def _check_recordings(source: Source, one: Recordings) -> None:
    name, n = _name(source), len(one.y)
    assert np.asarray(one.y).dtype.kind in "iu" or not n, f"{name} gives labels that are no whole numbers"
    assert len(one.x) == n, f"{name} gives {len(one.x)} series but {n} labels"
    shapes = {np.shape(series) for series in one.x}
    assert all(len(shape) == len("CT") and 0 not in shape for shape in shapes), (
        f"{name} gives series of shape {shapes}, not (channels, time)"
    )
    kinds = {np.asarray(series).dtype.kind for series in one.x}
    assert kinds <= set("fiu"), f"{name} gives samples that are no real numbers"
    assert one.fs_hz is None or 0 < one.fs_hz < np.inf, f"{name} gives a sampling rate of {one.fs_hz}"
    assert one.unit, f"{name} gives no unit; that of numbers without one is '1'"
    for column in COLUMNS:
        values: IntArray | None = getattr(one, column)
        if values is not None:
            assert np.shape(values) == (n,), f"{name} gives a {column} of shape {np.shape(values)}, not {(n,)}"
            assert np.asarray(values).dtype.kind in "iu", f"{name} gives a {column} that is no whole number"
    parts = set() if one.part is None else set(np.asarray(one.part).tolist())
    assert parts <= set(range(TRAIN, UNUSED + 1)), f"{name} gives parts {parts}; see ecgan.types.TRAIN"
    assert all(count > 0 for count in one.dropped.values()), f"{name} counts dropped series of no number"


def _read(source: Source, raw: Path) -> list[Recordings]:
    with reading(raw):  # as when a store is built: what the system says becomes a sentence
        return [source.read(raw, piece) for piece in source.pieces(raw)]


def _same(first: list[Recordings], second: list[Recordings]) -> bool:
    return len(first) == len(second) and all(map(_alike, first, second))


def _alike(first: Recordings, second: Recordings) -> bool:
    columns = [(getattr(first, name), getattr(second, name)) for name in ("y", *COLUMNS)]
    series = len(first.x) == len(second.x) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(first.x, second.x, strict=True)
    )
    facts = (first.fs_hz, first.unit, first.dropped) == (second.fs_hz, second.unit, second.dropped)
    return series and facts and all((a is None) == (b is None) and np.array_equal(a, b) for a, b in columns)


def _contents(raw: Path) -> dict[str, bytes]:
    return {str(file.relative_to(raw)): file.read_bytes() for file in sorted(raw.rglob("*")) if file.is_file()}


def _copied(raw: Path, files: Iterable[str], into: Path) -> Path:
    """The same files elsewhere, in a folder of the same name, as some sources look beside it."""
    folder = into / raw.name
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(raw / file, folder / file)
    return folder


def _lacking(source: object) -> str:
    names = [name for name in dir(Source) if not name.startswith("_") and not hasattr(source, name)]
    return ", ".join(names)


def _name(source: object) -> str:
    return type(source).__name__
