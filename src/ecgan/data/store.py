"""The processed arrays on disk: written once, memory-mapped ever after."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock

from ecgan.errors import DataError, RunError
from ecgan.files import read_json, replacing, write_json
from ecgan.types import FloatArray, IntArray, Recordings, Source, Step

ARRAYS = ("data", "label", "group", "part")
VERIFIED_AT_ONCE = 8192


@dataclass(frozen=True)
class Store:
    """Processed series of one data set.

    Attributes:
        directory: where the files lie.
        data: (N, C, T) float32, memory-mapped.
        label: (N,) class, 0 is normal.
        group: (N,) patient or record, None if the source does not tell.
        part: (N,) the source's own partition, None if it has none.
        manifest: facts about the arrays: counts, unit, sampling rate, checksums.
    """

    directory: Path
    data: FloatArray
    label: IntArray
    group: IntArray | None
    part: IntArray | None
    manifest: dict[str, Any]

    def __len__(self) -> int:
        """Count the series."""
        return len(self.label)


def prepare(source: Source, steps: Sequence[Step], raw: Path, directory: Path, facts: dict[str, Any]) -> Store:
    """Open the store, or build it from raw files.

    Two processes that ask at once build it once. The store appears under its name only when it is complete.

    Args:
        source: reads the raw files.
        steps: preprocessing, in order.
        raw: folder of the raw files.
        directory: where the store lies or will lie; its name is the digest of all that it depends on.
        facts: what the manifest shall say besides (name, checksums, settings).
    """
    if not (directory / "manifest.json").exists():
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"Cannot create {directory.parent} ({error.strerror}); set paths.data=… .") from error
        with FileLock(directory.with_suffix(".lock")):
            if not (directory / "manifest.json").exists():
                # without a manifest it is a store that somebody began to delete; a folder cannot be renamed over it
                shutil.rmtree(directory, ignore_errors=True)
                with replacing(directory) as temporary:
                    temporary.mkdir()
                    _build(source, steps, raw, temporary, facts)
    return open_store(directory)


def open_store(directory: Path) -> Store:
    """Memory-map an existing store and check its sizes against the manifest.

    Raises:
        DataError: when files are missing or have another size than the manifest says.
    """
    arrays: dict[str, Any] = dict.fromkeys(ARRAYS)
    path = directory / "manifest.json"
    try:
        manifest = read_json(path)
        for name, entry in manifest["arrays"].items():
            path = directory / f"{name}.npy"
            arrays[name] = _mapped(path, entry)
    except (RunError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is damaged or incomplete; delete {directory} and run the same command again."
        ) from error
    return Store(directory, **arrays, manifest=manifest)


def verify(store: Store) -> None:
    """Compare every value of the store with the checksums in its manifest.

    Raises:
        DataError: when an array is not what was written.
    """
    for name, entry in store.manifest["arrays"].items():
        values, sha256 = getattr(store, name), hashlib.sha256()
        for start in range(0, len(values), VERIFIED_AT_ONCE):
            sha256.update(np.ascontiguousarray(values[start : start + VERIFIED_AT_ONCE]).data)
        if sha256.hexdigest() != entry["sha256"]:
            raise DataError(
                f"{store.directory / name}.npy was changed since it was written; delete {store.directory} and run the "
                "same command again."
            )


def _mapped(path: Path, entry: dict[str, Any]) -> Any:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if list(array.shape) != entry["shape"] or path.stat().st_size != entry["bytes"]:
        raise ValueError("the size is not the one in the manifest")
    return array


def _build(source: Source, steps: Sequence[Step], raw: Path, into: Path, facts: dict[str, Any]) -> None:
    writers: dict[str, _ArrayWriter] = {}
    first: Recordings | None = None
    with ExitStack() as stack:
        for chunk in _processed(source.read(raw), steps):
            first = first or chunk
            columns = _columns(chunk, first, source.name, writers["label"].rows if writers else 0)
            for name, values in columns.items():
                if name not in writers:
                    stream = stack.enter_context((into / f"{name}.npy").open("w+b"))
                    writers[name] = _ArrayWriter(stream, values)
                writers[name].append(values)
        entries = {name: writer.finish() for name, writer in writers.items()}
    if first is None or entries["label"]["shape"][0] == 0:
        raise DataError(f"{source.name} has no usable series after preprocessing; check the steps in preprocess=….")
    label = np.load(into / "label.npy")
    if label.min() < 0 or label.max() >= len(source.classes):
        raise DataError(
            f"{source.name} has labels from {label.min()} to {label.max()} but {len(source.classes)} classes; "
            "correct the source."
        )
    counts = np.bincount(label, minlength=len(source.classes))
    manifest = facts | {
        "note": source.note,
        "classes": list(source.classes),
        "counts": dict(zip(source.classes, counts.tolist(), strict=True)),
        "unit": first.unit,
        "fs_hz": first.fs_hz,
        "groups_known": "group" in entries,
        "arrays": entries,
    }
    write_json(into / "manifest.json", manifest)


def _processed(chunks: Iterable[Recordings], steps: Sequence[Step]) -> Iterator[Recordings]:
    for chunk in chunks:
        done = chunk
        for step in steps:
            done = step(done)
        yield done


def _columns(chunk: Recordings, first: Recordings, name: str, before: int) -> dict[str, FloatArray | IntArray]:
    """Arrays of one chunk as they are stored, checked; ``before`` series came in earlier chunks."""
    if _kind(chunk) != _kind(first):
        raise DataError(
            f"{name} changes its sampling rate, unit, groups or partition between chunks; correct the source."
        )
    columns: dict[str, FloatArray | IntArray] = {
        "data": _checked_series(chunk, name, before),
        "label": np.asarray(chunk.y, np.int64),
    }
    if chunk.group is not None:
        columns["group"] = np.asarray(chunk.group, np.int64)
    if chunk.part is not None:
        columns["part"] = np.asarray(chunk.part, np.int64)
    counts = {key: len(values) for key, values in columns.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"{name} does not give one of each per series ({counts}); correct the source.")
    return columns


def _kind(chunk: Recordings) -> tuple[float | None, str, bool, bool]:
    return chunk.fs_hz, chunk.unit, chunk.group is None, chunk.part is None


def _checked_series(chunk: Recordings, name: str, before: int) -> FloatArray:
    if isinstance(chunk.x, list):
        lengths = {series.shape[-1] for series in chunk.x}
        if len(lengths) > 1:
            raise DataError(
                f"{name} has series of different lengths ({min(lengths)} to {max(lengths)} samples); "
                "bring them to one length with preprocess=interpolate preprocess.length=…."
            )
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused below
        x = np.asarray(chunk.x, np.float32)
    if x.ndim != 3 or 0 in x.shape[1:]:  # noqa: PLR2004 - (N, C, T)
        raise DataError(
            f"{name} has series of zero length or of a wrong shape {x.shape}; remove them from the raw file."
        )
    broken = np.flatnonzero(~np.isfinite(x).all(axis=(1, 2)))
    if broken.size:
        raise DataError(
            f"{name} has {broken.size} series with NaN or infinite values (the first is number {before + broken[0]}); "
            "repair or remove them in the raw file."
        )
    return x


class _ArrayWriter:
    """Appends chunks to an ``.npy`` file whose length is known only at the end."""

    def __init__(self, stream: IO[bytes], like: FloatArray | IntArray) -> None:
        self.stream = stream
        self.shape, self.dtype, self.rows = like.shape[1:], like.dtype, 0
        self._header()
        self.sha256 = hashlib.sha256()

    def append(self, values: FloatArray | IntArray) -> None:
        content = np.ascontiguousarray(values)
        if content.shape[1:] != self.shape:
            raise DataError(
                f"Series of shape {content.shape[1:]} follow series of shape {self.shape}; make them equal."
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
