"""The processed arrays on disk: written once, memory-mapped ever after."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock

from ecgan.errors import DataError
from ecgan.files import read_json, replacing, write_json
from ecgan.types import FloatArray, IntArray, Recordings, Source, Step

ARRAYS = ("data", "label", "group", "part")


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
                with replacing(directory) as temporary:
                    temporary.mkdir()
                    _build(source, steps, raw, temporary, facts)
    return open_store(directory)


def open_store(directory: Path) -> Store:
    """Memory-map an existing store and check its sizes against the manifest.

    Raises:
        DataError: when files are missing or have another size than the manifest says.
    """
    manifest = read_json(directory / "manifest.json")
    arrays: dict[str, Any] = dict.fromkeys(ARRAYS)
    for name, entry in manifest["arrays"].items():
        path = directory / f"{name}.npy"
        try:
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
            intact = list(arrays[name].shape) == entry["shape"] and path.stat().st_size == entry["bytes"]
        except (OSError, ValueError):
            intact = False
        if not intact:
            raise DataError(f"{path} is damaged or incomplete; delete {directory} and run the same command again.")
    return Store(directory, **arrays, manifest=manifest)


def _build(source: Source, steps: Sequence[Step], raw: Path, into: Path, facts: dict[str, Any]) -> None:
    writers: dict[str, _ArrayWriter] = {}
    first: Recordings | None = None
    try:
        for chunk in _processed(source.read(raw), steps):
            _check_chunk(chunk, source.name)
            first = first or chunk
            columns: dict[str, FloatArray | IntArray] = {
                "data": np.asarray(chunk.x, np.float32),
                "label": np.asarray(chunk.y, np.int64),
            }
            if chunk.group is not None:
                columns["group"] = np.asarray(chunk.group, np.int64)
            if chunk.part is not None:
                columns["part"] = np.asarray(chunk.part, np.int64)
            for name, values in columns.items():
                if name not in writers:
                    writers[name] = _ArrayWriter(into / f"{name}.npy", values)
                writers[name].append(values)
        entries = {name: writer.finish() for name, writer in writers.items()}
    finally:
        for writer in writers.values():
            writer.stream.close()
    if first is None or entries["label"]["shape"][0] == 0:
        raise DataError(f"{source.name} has no usable series after preprocessing; check the steps in preprocess=….")
    label = np.load(into / "label.npy")
    counts = np.bincount(label, minlength=len(source.classes))
    manifest = facts | {
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


def _check_chunk(chunk: Recordings, name: str) -> None:
    if isinstance(chunk.x, list):
        lengths = {series.shape[-1] for series in chunk.x}
        if len(lengths) > 1:
            raise DataError(
                f"{name} has series of different lengths ({min(lengths)} to {max(lengths)} samples); "
                "bring them to one length with preprocess=interpolate preprocess.length=…."
            )
    x = np.asarray(chunk.x)
    if x.ndim != 3 or 0 in x.shape[1:]:  # noqa: PLR2004 - (N, C, T)
        raise DataError(
            f"{name} has series of zero length or of a wrong shape {x.shape}; remove them from the raw file."
        )
    broken = np.flatnonzero(~np.isfinite(x).all(axis=(1, 2)))
    if broken.size:
        raise DataError(
            f"{name} has {broken.size} series with NaN or infinite values (the first is number {broken[0]}); "
            "repair or remove them in the raw file."
        )


class _ArrayWriter:
    """Appends chunks to an ``.npy`` file whose length is known only at the end."""

    def __init__(self, path: Path, like: FloatArray | IntArray) -> None:
        self.stream: IO[bytes] = path.open("w+b")
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
