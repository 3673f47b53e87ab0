"""Building a store: pieces are read and preprocessed by several processes, checked, and written as a stream."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from ecgan.data.pool import in_order
from ecgan.data.source import Source
from ecgan.errors import DataError
from ecgan.files import reading, write_json
from ecgan.types import FloatArray, IntArray, Recordings, Step


@dataclass(frozen=True)
class _Piece:
    """A piece after preprocessing.

    Attributes:
        done: what came out.
        read: series per class before.
        numbered: whether groups are the numbers of the series that were cut, as the source tells none.
    """

    done: Recordings
    read: IntArray
    numbered: bool


def build_store(
    source: Source, steps: Sequence[Step], raw: Path, into: Path, facts: Mapping[str, Any], workers: int
) -> None:
    """Write arrays and manifest into an empty folder; the bytes do not depend on the number of workers.

    Raises:
        DataError: when the data cannot be stored as they are.
    """
    with reading(raw):
        names = source.pieces(raw)
    kind: dict[str, Any] = {}
    read, kept, dropped = (Counter[int](), Counter[int](), Counter[str]())
    alone = False
    with ExitStack() as stack:
        writers: dict[str, _ArrayWriter] = {}
        for name, piece in zip(names, _pieces(source, steps, raw, names, workers), strict=True):
            read.update(dict(enumerate(piece.read.tolist())))
            dropped.update(piece.done.dropped)
            if not len(piece.done.y):
                continue
            kind, alone = kind or _kind(piece.done), piece.numbered
            place = _place(source, name)
            columns = _columns(piece.done, kind, place, kept.total())
            if alone:
                columns["group"] += read.total() - int(piece.read.sum())  # numbered within the piece so far
            kept.update(columns["label"].tolist())
            for column, values in columns.items():
                if column not in writers:
                    writers[column] = _ArrayWriter(stack.enter_context((into / f"{column}.npy").open("w+b")), values)
                writers[column].append(values, place)
        arrays = {column: writer.finish() for column, writer in writers.items()}
    if not kept.total():
        raise DataError(f"{source.name} has no usable series after preprocessing{_reasons(dropped)}.")
    counts = {name: kept[i] for i, name in enumerate(source.classes)}
    known = {name: read[i] for i, name in enumerate(source.classes)} | {"records": len(names)}
    subset = describe_subset(source.expected, known)
    notes = [getattr(step, "note", "") for step in steps]  # such as that there is no sampling rate any more
    manifest = dict(facts) | {
        "note": "; ".join(text for text in (subset, source.note, *notes) if text),
        "classes": list(source.classes),
        "counts": counts,
        "dropped": dict(sorted(dropped.items())),
        "partition": source.partition if "part" in arrays else "",
        "unit": kind["unit"],
        "fs_hz": kind["fs_hz"],
        "groups_known": "group" in arrays,
        "grouping": ("series" if alone else source.grouping) if "group" in arrays else "",
        "arrays": arrays,
    }
    write_json(into / "manifest.json", manifest)


def _place(source: Source, piece: Any) -> str:
    """What to call a piece in an error: pieces are names, or tuples that begin with one."""
    first = piece[0] if isinstance(piece, tuple) and piece else piece
    return f"{source.name}, {first}" if isinstance(first, str) else source.name


def describe_subset(expected: Mapping[str, int], found: Mapping[str, int]) -> str:
    """Say how what was read differs from the complete set; empty where it does not."""
    differing = {name: n for name, n in expected.items() if found.get(name, 0) != n}
    if not differing:
        return ""
    got, whole = (sum(counts.get(name, 0) for name in expected) for counts in (found, expected))
    if set(expected) == {"records"}:
        return f"a subset: {got:,} of {whole:,} records" if got < whole else f"{got:,} records, not {whole:,}"
    detail = ", ".join(f"{name} {found.get(name, 0):,} of {n:,}" for name, n in differing.items())
    fewer = all(found.get(name, 0) < n for name, n in differing.items())
    return f"a subset: {got:,} of {whole:,} series ({detail})" if fewer else f"not the known set: {detail} series"


def _pieces(source: Source, steps: Sequence[Step], raw: Path, names: Sequence[Any], workers: int) -> Iterator[_Piece]:
    """Read and preprocess all pieces, with a progress bar where somebody may be looking."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    done = in_order(partial(_read, source, tuple(steps), raw), names, workers)
    title = f"reading {source.name}"
    hidden = len(names) == 1 or not console.is_terminal
    yield from track(done, title, len(names), console=console, transient=True, disable=hidden)


def _read(source: Source, steps: tuple[Step, ...], raw: Path, name: Any) -> _Piece:
    """What a worker does."""
    with reading(raw):
        done = source.read(raw, name)
    label = np.asarray(done.y, np.int64)
    if label.size and (label.min() < 0 or label.max() >= len(source.classes)):
        raise DataError(
            f"{source.name} has labels from {label.min()} to {label.max()} but {len(source.classes)} classes; "
            "correct the source."
        )
    read = np.bincount(label, minlength=len(source.classes))
    numbered = done.group is None and any(getattr(step, "cuts", False) for step in steps)
    if numbered:  # pieces of one series must stay together, or a part would be tested on what another has learned
        done = replace(done, group=np.arange(len(label)))
    for step in steps:
        if not len(done.y):
            break
        done = step(done)
    if isinstance(done.x, np.ndarray) and done.x.dtype != np.float32:
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused later
            done = done.with_series(done.x.astype(np.float32), done.fs_hz)
    return _Piece(done, read, numbered)


def _reasons(dropped: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{reason}: {n:,}" for reason, n in dropped.items())
    return f"; left out were {reasons}; change those settings" if reasons else "; check the steps in preprocess=…"


def _columns(chunk: Recordings, kind: Mapping[str, Any], place: str, before: int) -> dict[str, Any]:
    """Arrays of one piece as they are stored, checked; ``before`` series came in earlier pieces."""
    if _kind(chunk) != kind:
        raise DataError(
            f"{place} changes its sampling rate, unit, groups or partition between pieces; bring the records to one "
            "rate with preprocess=polyphase, or correct the source."
        )
    columns: dict[str, Any] = {
        "data": _checked_series(chunk, place, before),
        "label": np.asarray(chunk.y, np.int64),
    }
    if chunk.group is not None:
        columns["group"] = np.asarray(chunk.group, np.int64)
    if chunk.part is not None:
        columns["part"] = np.asarray(chunk.part, np.int64)
    counts = {key: len(values) for key, values in columns.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"{place} does not give one of each per series ({counts}); correct the source.")
    return columns


def _kind(chunk: Recordings) -> dict[str, Any]:
    """What must be the same in all pieces."""
    return {
        "fs_hz": chunk.fs_hz,
        "unit": chunk.unit,
        "groups": chunk.group is not None,
        "parts": chunk.part is not None,
    }


def _checked_series(chunk: Recordings, place: str, before: int) -> FloatArray:
    if isinstance(chunk.x, list):
        channels, lengths = ({np.shape(series)[axis] for series in chunk.x} for axis in (0, -1))
        if len(channels) > 1:
            raise DataError(
                f"{place} has series of {min(channels)} to {max(channels)} channels; keep those that all of them have, "
                "with preprocess=channels or the leads of the data set."
            )
        if len(lengths) > 1:
            raise DataError(
                f"{place} has series of different lengths ({min(lengths)} to {max(lengths)} samples); "
                "bring them to one length with preprocess=interpolate preprocess.length=…."
            )
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused below
        x = np.asarray(chunk.x, np.float32)
    if x.ndim != 3 or 0 in x.shape[1:]:  # noqa: PLR2004 - (N, C, T)
        raise DataError(
            f"{place} has series of zero length or of a wrong shape {x.shape}; remove them from the raw file."
        )
    broken = np.flatnonzero(~np.isfinite(x).all(axis=(1, 2)))
    if broken.size:
        raise DataError(
            f"{place} has {broken.size} series with NaN or infinite values (the first is number {before + broken[0]}); "
            "fill what is missing with preprocess=impute, or repair the raw file."
        )
    return x


class _ArrayWriter:
    """Appends chunks to an ``.npy`` file whose length is known only at the end."""

    def __init__(self, stream: IO[bytes], like: FloatArray | IntArray) -> None:
        self.stream = stream
        self.shape, self.dtype, self.rows = like.shape[1:], like.dtype, 0
        self._header()
        self.sha256 = hashlib.sha256()

    def append(self, values: FloatArray | IntArray, place: str) -> None:
        content = np.ascontiguousarray(values)
        if content.shape[1:] != self.shape:
            raise DataError(
                f"{place} has series of shape {content.shape[1:]} after series of shape {self.shape}; make them equal."
            )
        self.stream.write(content.data)
        self.sha256.update(content.data)
        self.rows += len(content)

    def finish(self) -> dict[str, Any]:
        self.stream.seek(0)
        self._header()
        self.stream.seek(0, 2)
        self.stream.flush()
        return {
            "shape": [self.rows, *self.shape],
            "bytes": self.stream.tell(),
            "sha256": self.sha256.hexdigest(),
        }

    def _header(self) -> None:
        # numpy pads the header so that the first axis can grow in place
        descr = np.lib.format.dtype_to_descr(self.dtype)
        shape = (self.rows, *self.shape)
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.stream, header)
